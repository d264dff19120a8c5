"""Imports that go on exactly where they stopped, whoever stopped them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction

from contacts.importing import bulk, mapping, rejects, runs, sources
from contacts.importing.csv_rows import BadHeader
from contacts.importing.runs import NotThere, Worker
from contacts.importing.shape import Options
from contacts.importing.sniffing import Format
from contacts.models import Contact, ContactChange, ImportChunk, ImportReject, ImportRun
from contacts.tasks import import_runs
from tests.contacts.conftest import together
from tests.contacts.importing.conftest import begun, uploaded


def people(count: int, first: int = 0) -> str:
    return "external_id,email,n\n" + "".join(f"c{n},c{n}@example.com,{n}\n" for n in range(first, first + count))


def work_off(worker: Worker | None = None) -> None:
    worker = worker or Worker()
    while worker.advance():
        pass
    worker.close()


@pytest.mark.django_db
def test_an_uploaded_file_is_imported_and_forgotten(now):
    run = begun(people(2500) + "c1,not an address,1\n", now=now)
    assert runs.waiting(now=now) == [("contacts.import_runs", "bulk")]
    work_off()
    run.refresh_from_db()
    assert (run.state, run.created, run.refused, run.position) == ("done", 2500, 1, run.size)
    assert run.line == 2502
    assert Contact.objects.count() == 2500
    assert not ImportChunk.objects.exists()
    assert runs.waiting(now=now) == []
    (refused,) = ImportReject.objects.values_list("line", "reason", "row")
    assert refused == (2502, "email: is not an e-mail address", "c1,not an address,1")


@pytest.mark.django_db
def test_the_place_is_exact_whatever_the_encoding_and_wherever_it_stops(now):
    text = "external_id,name\r\n" + "".join(f'c{n},"Zoë\r\n{n} 😀"\r\n' for n in range(500))
    for encoding, mark in (("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        Contact.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM contact_identities")
        run = begun(mark + text.encode(encoding), now=now)
        assert run.format["encoding"] == encoding
        for _ in range(100):  # a worker of its own for every batch: each begins in the middle of the file
            worker = Worker()
            if not worker._take():
                break
            worker._batches.size = 37
            worker.advance()
        run.refresh_from_db()
        work_off()
        run.refresh_from_db()
        assert (run.state, run.created, run.refused) == ("done", 500, 0)
        assert Contact.objects.get(external_id="c499").attributes == {"name": "Zoë\r\n499 😀"}


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_take_a_batch_twice(now):
    run = begun(people(6000), now=now)

    def work():
        idle = 0
        worker = Worker()
        while idle < 20:
            if not worker.advance():
                idle += 1
                time.sleep(0.01)
        worker.close()

    together(work, work, work)
    run.refresh_from_db()
    assert (run.state, run.created, run.updated, run.unchanged) == ("done", 6000, 0, 0)
    assert Contact.objects.count() == 6000
    assert not ContactChange.objects.exists()


@pytest.mark.django_db
def test_a_file_that_is_gone_because_another_worker_came_to_its_end_is_no_fault(now, monkeypatch):
    run = begun(people(10), now=now)

    def too_late(*args, **rest):
        ImportRun.objects.filter(pk=run.pk).update(state="done", stored=False)
        raise BadHeader("the file has no header")

    monkeypatch.setattr(runs, "Batches", too_late)
    worker = Worker()
    assert worker.advance() and not worker.advance()
    run.refresh_from_db()
    assert (run.state, run.fault) == ("done", "")


@pytest.mark.django_db(transaction=True)
def test_the_task_reads_ahead_in_a_thread_and_ends(now, monkeypatch):
    monkeypatch.setattr("contacts.doorbell.SLICE_SECONDS", 60.0)  # one task is enough, also on a slow machine
    run = begun(people(5000), now=now)
    import_runs()
    run.refresh_from_db()
    assert (run.state, run.created) == ("done", 5000)
    assert not [thread for thread in threading.enumerate() if thread.name == "read ahead"]


@pytest.mark.django_db
def test_a_batch_that_cannot_be_written_leaves_no_trace_and_no_place(now, monkeypatch):
    run = begun(people(10), now=now)

    def fail(*args, **rest):
        raise RuntimeError

    monkeypatch.setattr(rejects, "keep", fail)  # after the rows, before the place
    work_off()
    run.refresh_from_db()
    assert (run.state, run.position, run.fault) == ("stopped", 0, "stopped by a fault: RuntimeError")
    assert not Contact.objects.exists()
    monkeypatch.undo()
    runs.go_on(run.pk)
    work_off()
    run.refresh_from_db()
    assert (run.state, run.created) == ("done", 10)


@pytest.mark.django_db
def test_a_run_can_be_paused_continued_and_cancelled(now):
    run = begun(people(3000), now=now)
    worker = Worker()
    assert worker.advance()
    runs.pause(run.pk)
    work_off(worker)
    run.refresh_from_db()
    assert (run.state, run.created) == ("stopped", 1000)
    with pytest.raises(NotThere):
        runs.pause(run.pk)
    runs.go_on(run.pk)
    assert Worker().advance()
    runs.cancel(run.pk, now=now)
    work_off()
    run.refresh_from_db()
    assert (run.state, run.created, Contact.objects.count()) == ("cancelled", 2000, 2000)
    assert not ImportChunk.objects.exists()
    with pytest.raises(NotThere):
        runs.go_on(run.pk)


@pytest.mark.django_db
def test_a_dry_run_counts_and_writes_nothing(now):
    Worker()
    first = begun(people(5) + "x,bad,1\n", now=now)
    work_off()
    tables = ("contacts", "contact_identities", "consent_records", "contact_changes", "contact_events")
    before = _counts(*tables)
    text = people(3, first=3).replace("c3@", "other@") + "c1,c1@example.com,1\ny,bad,1\nnew,,1\nnew,,2\n"
    run = begun(text, now=now, dry=True)
    work_off()
    run.refresh_from_db()
    assert run.state == "waiting"
    found = {name: run.checked[name] for name in ("created", "updated", "unchanged", "repeated", "refused")}
    assert found == {"created": 2, "updated": 1, "unchanged": 2, "repeated": 1, "refused": 1}
    assert _counts(*tables) == before
    assert ImportReject.objects.filter(run=run).count() == 1
    runs.start(
        run.pk,
        format=Format(),
        mapping=mapping.by_name(["external_id", "email", "n"]),
        options=Options(),
        dry=False,
        now=now,
    )
    work_off()
    run.refresh_from_db()
    real = {name: getattr(run, name) for name in found}
    assert real == found, "what was foreseen came true"
    assert ImportReject.objects.filter(run=run).count() == 1
    assert first.pk != run.pk


def _counts(*tables: str) -> list[int]:
    with connection.cursor() as cursor:
        found = []
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")
            found.append(cursor.fetchone()[0])
        return found


@pytest.mark.django_db
def test_a_mapping_that_does_not_fit_the_file_starts_nothing(now):
    run = uploaded("name,plan\nx,y\n")
    with pytest.raises(BadHeader):
        runs.start(run.pk, format=Format(), mapping=mapping.by_name(["name"]), options=Options(), dry=False, now=now)
    run.refresh_from_db()
    assert run.state == "waiting"


@pytest.mark.django_db
def test_old_runs_go_with_what_they_refused(now):
    run = begun("email\nbad\n", now=now)
    work_off()
    ImportRun.objects.filter(pk=run.pk).update(created_at=now - timedelta(days=31))
    fresh = begun("email\nbad\n", now=now)
    work_off()
    assert [each.pk for each in ImportRun.objects.all()] == [fresh.pk]
    assert ImportReject.objects.count() == 1


@pytest.mark.django_db
def test_a_large_file_is_kept_in_pieces_and_read_back_from_any_place():
    content = os.urandom(200_000).hex().encode() * 6
    run = ImportRun.objects.create(name="x", digest=b"", size=len(content), stored=True)
    pieces = [content[start : start + 64_000] for start in range(0, len(content), 64_000)]
    surveyed = sources.keep(run.pk, pieces)
    assert surveyed.size == len(content)
    assert ImportChunk.objects.count() == 3
    for place in (0, 1, sources.CHUNK - 1, sources.CHUNK, 2 * sources.CHUNK + 17, len(content)):
        assert b"".join(sources.StoredSource(run.pk).blocks(place)) == content[place:]


@pytest.mark.django_db
def test_rows_of_a_batch_share_a_short_transaction(now):
    """Batches shrink until one holds its locks for about a tenth of a second."""
    run = begun(people(3000), now=now)
    worker = Worker()
    worker._take()
    worker._batches.took(10.0)
    assert worker._batches.size == 100
    worker._batches.took(0.001)
    assert worker._batches.size == 200
    assert run.state == "running"


@pytest.mark.django_db
@pytest.mark.parametrize(("dry", "first"), [(False, True), (True, False)])
def test_what_copying_takes_is_made_out_as_long_as_people_are_new(now, dry, first):
    run = begun(people(3000), now=now, dry=dry)
    worker = Worker()
    batches = worker._take() and worker._batches
    assert batches.copies is first
    batches.took(0.1, new=0.4)
    assert not batches.copies and next(iter(batches)).copies is None
    batches.took(0.1, new=0.6)
    assert batches.copies is first and (next(iter(batches)).copies is not None) is first
    assert run.state == "running"


class Killed:
    """`import_contacts` as a process of its own, over the database of the test."""

    def __init__(self, path: str) -> None:
        database = connection.settings_dict
        address = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "import_contacts", path],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DATABASE_URL": f"postgres://{address}/{database['NAME']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.mark.django_db(transaction=True)
def test_a_killed_import_goes_on_where_it_was(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(people(40_000) + "bad,row\n")
    kills = 0
    for least in (1, 6_000):
        child = Killed(str(path)).process
        while child.poll() is None and Contact.objects.count() < least:
            time.sleep(0.005)
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            kills += 1
        child.wait()
        child.stdout.close()
        run = ImportRun.objects.get()
        assert run.created == Contact.objects.count(), "rows and place are committed together"
    assert kills == 2
    child = Killed(str(path)).process
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert "going on after line" in said
    run = ImportRun.objects.get()
    assert (run.state, run.created, run.updated, run.unchanged, run.refused) == ("done", 40_000, 0, 0, 1)
    assert Contact.objects.count() == 40_000
    assert not ContactChange.objects.exists()


@pytest.mark.django_db
def test_only_a_file_that_was_interrupted_can_be_resumed(load, monkeypatch):
    from django.core.management import CommandError

    content = people(3000)
    with pytest.raises(CommandError, match="was interrupted"):
        load(content, "--resume")
    calls = []
    stored = bulk.store

    def store(*args, **rest):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError
        return stored(*args, **rest)

    monkeypatch.setattr(runs, "store", store)
    with pytest.raises(RuntimeError):
        load(content)
    assert load(content, "--resume")[0] == "3,000 created, 0 updated, 0 unchanged"
    assert ImportRun.objects.count() == 1


@pytest.mark.django_db
def test_the_command_writes_what_it_refused(load, tmp_path):
    path = tmp_path / "rejects.csv"
    load('email,note\nbad,"=1+1"\n@x,y\n', "--rejects", str(path))
    assert path.read_bytes().decode() == (
        'line,reason,row\r\n2,email: is not an e-mail address,"bad,""=1+1"""\r\n'
        '3,email: is not an e-mail address,"\'@x,y"\r\n'
    )


@pytest.mark.django_db
def test_nothing_of_a_file_reaches_the_log(now, caplog, monkeypatch):
    def fail(*args, **rest):
        raise ValueError("canary@example.com")

    run = begun("email\ncanary@example.com\n", now=now)
    monkeypatch.setattr(runs, "store", fail)
    with transaction.atomic():
        work_off()
    run.refresh_from_db()
    assert run.state == "stopped"
    assert "canary" not in caplog.text and "canary" not in run.fault
