"""The chain over the audit log: what is done behind the application's back is found, and what the application itself
lets go is not taken for it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from analytics.health import doctor
from contacts import audit, clock, retention, seals, tasks
from contacts.guarded import guarded_path
from contacts.models import AuditEntry, AuditSeal, UnsealedEntry

pytestmark = pytest.mark.django_db


def note(*things: str) -> list[int]:
    """An entry about each; their ids."""
    with transaction.atomic():
        for thing in things:
            audit.note("tag.renamed", of=("tag", thing), before={"weight": 1}, after={"weight": 2.5, "note": "é"})
    return list(AuditEntry.objects.filter(object_id__in=things).order_by("id").values_list("id", flat=True))


def sealed(*things: str) -> list[int]:
    ids = note(*things)
    assert not seals.seal_batch(now=clock.now())
    return ids


def as_superuser(statement: str, *values: Any) -> None:
    """With the triggers asleep, which guard the table from everybody else."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, values)
        cursor.execute("SET LOCAL session_replication_role = origin")


def trouble() -> str:
    return seals.verify().trouble


def test_an_untouched_log_is_whole_and_every_entry_is_sealed_once():
    ids = sealed("a", "b", "c")
    sealed("d")
    verdict = seals.verify()
    assert (verdict.trouble, verdict.links, verdict.waiting) == ("", 4, 0)
    assert list(AuditSeal.objects.order_by("position").values_list("position", flat=True)) == [1, 2, 3, 4]
    assert AuditSeal.objects.filter(entry_id__in=ids).count() == 3
    assert verdict.head.digest == bytes(AuditSeal.objects.get(position=4).digest)


def test_what_waits_for_its_seal_is_counted_and_no_trouble():
    sealed("a")
    note("b")
    verdict = seals.verify()
    assert (verdict.trouble, verdict.links, verdict.waiting) == ("", 1, 1)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor", "'somebody else'"),
        ("actor_kind", "'nobody'"),
        ("what", "'tag.deleted'"),
        ("object_type", "'list'"),
        ("object_id", "'z'"),
        ("object_name", "'Z'"),
        ("before", "NULL"),
        ("after", """'{"weight": 2.50, "note": "é"}'"""),
        ("at", "at - interval '1 microsecond'"),
        ("request_id", "'other'"),
    ],
)
def test_a_changed_entry_is_named_whatever_was_changed_in_it(column, value):
    _, second, _ = sealed("a", "b", "c")
    as_superuser(f"UPDATE audit_entries SET {column} = {value} WHERE id = %s", second)
    assert trouble() == f"entry {second} differs from what was sealed as link 2"


def test_the_seal_covers_every_column_of_an_entry():
    assert {field.column for field in AuditEntry._meta.concrete_fields} == set(seals._COLUMNS)


def test_a_missing_entry_is_named():
    _, second, _ = sealed("a", "b", "c")
    as_superuser("DELETE FROM audit_entries WHERE id = %s", second)
    assert trouble() == f"entry {second} is missing: it was sealed as link 2"


def test_an_entry_that_was_slipped_in_is_named():
    (first,) = sealed("a")
    as_superuser(
        "INSERT INTO audit_entries (actor_kind, actor, what, object_type, object_id)"
        " VALUES ('staff', 'ada', 'tag.renamed', 'tag', 'x')"
    )
    slipped_in = AuditEntry.objects.exclude(pk=first).get()
    assert trouble() == f"entry {slipped_in.pk} was slipped in: it neither is sealed nor waits for it"


def test_an_entry_that_was_taken_away_before_it_was_sealed_is_named_even_after_the_next_sealing():
    (gone,) = note("a")
    as_superuser("DELETE FROM audit_entries WHERE id = %s", gone)
    sealed("b")
    assert trouble() == f"entry {gone} is missing: it was taken away before it was sealed"


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (
            "UPDATE audit_seals SET sealed_at = sealed_at - interval '1 day' WHERE position = 2",
            "link 2 of the chain was",
        ),
        ("UPDATE audit_seals SET entry_at = entry_at - interval '1 day' WHERE position = 2", "link 2 of the chain was"),
        ("UPDATE audit_seals SET digest = sha256('x') WHERE position = 2", "link 2 of the chain was changed"),
        ("DELETE FROM audit_seals WHERE position = 2", "link 2 of the chain is missing"),
        ("DELETE FROM audit_seals WHERE position = 1", "link 1 of the chain is missing"),
    ],
)
def test_a_link_that_was_changed_or_taken_out_is_named(deed, said):
    sealed("a", "b", "c")
    as_superuser(deed)
    assert trouble().startswith(said)


def test_an_entry_whose_own_link_was_made_anew_still_breaks_the_chain_behind_it():
    ids = sealed("a", "b", "c")
    as_superuser("UPDATE audit_entries SET actor = 'else' WHERE id = %s", ids[1])
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {seals._ENTRY} FROM audit_entries e WHERE id = %s", [ids[1]])
        forged = seals._hash(cursor.fetchone())
    row = AuditSeal.objects.get(position=2)
    link = seals.Link(2, row.entry_id, row.entry_at, forged, None, row.sealed_at)
    former = bytes(AuditSeal.objects.get(position=1).digest)
    as_superuser("UPDATE audit_seals SET entry_hash = %s, digest = %s WHERE position = 2", forged, link.digest(former))
    assert trouble().startswith("link 3 of the chain was changed")


def test_a_remembered_end_shows_that_the_log_was_cut_off_or_made_anew():
    ids = sealed("a", "b", "c")
    remembered = seals.verify().head
    assert seals.verify(expect=remembered).trouble == ""
    as_superuser("DELETE FROM audit_entries WHERE id = %s", ids[2])
    as_superuser("DELETE FROM audit_seals WHERE position = 3")
    assert trouble() == ""  # what the chain alone cannot know
    assert "remembered" in seals.verify(expect=remembered).trouble


# -- what the application itself does ----------------------------------------------------------------------------------


def test_the_application_can_neither_change_nor_delete_a_seal():
    sealed("a")
    for statement in ("UPDATE audit_seals SET position = 9", "DELETE FROM audit_seals"):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_entries_that_retention_lets_go_leave_a_chain_that_verifies(settings):
    settings.AUDIT_RETENTION = "P30D"
    old = note("a", "b")
    as_superuser("UPDATE audit_entries SET at = at - interval '40 days'")
    sealed("c")
    assert retention.tidy(now=clock.now()) is False
    assert not AuditEntry.objects.filter(pk__in=old).exists()
    sealed("d")
    verdict = seals.verify()
    assert (verdict.trouble, verdict.links, verdict.pruned) == ("", 5, 2)  # one link says what was let go
    assert retention.tidy(now=clock.now()) is False
    assert AuditSeal.objects.count() == 5  # nothing more to let go, nothing more to say


def test_what_was_younger_than_retention_allows_is_missing_even_after_a_pruning(settings):
    settings.AUDIT_RETENTION = "P30D"
    note("a")
    as_superuser("UPDATE audit_entries SET at = at - interval '40 days'")
    (young,) = sealed("b")
    retention.tidy(now=clock.now())
    with transaction.atomic(), guarded_path():
        AuditEntry.objects.filter(pk=young).delete()
    assert trouble().startswith(f"entry {young} is missing")


def test_entries_that_were_never_sealed_are_sealed_before_they_go(settings):
    settings.AUDIT_RETENTION = "P30D"
    note("a")
    as_superuser("UPDATE audit_entries SET at = at - interval '40 days'")
    retention.tidy(now=clock.now())
    assert (AuditEntry.objects.count(), AuditSeal.objects.count(), UnsealedEntry.objects.count()) == (0, 2, 0)
    assert trouble() == ""


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_ends_late_is_sealed_late_and_not_passed_over(in_thread):
    first_wrote, let_go = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            audit.note("tag.renamed", of=("tag", "slow"))
            first_wrote.set()
            assert let_go.wait(10)

    ended = in_thread(slow)
    assert first_wrote.wait(10)
    note("quick")
    tasks.seal_audit()
    assert [seal.position for seal in AuditSeal.objects.all()] == [1]
    let_go.set()
    ended()
    tasks.seal_audit()
    quick, slow_entry = (AuditEntry.objects.get(object_id=name).pk for name in ("quick", "slow"))
    assert slow_entry < quick
    assert list(AuditSeal.objects.order_by("position").values_list("entry_id", flat=True)) == [quick, slow_entry]
    assert trouble() == ""


@pytest.fixture
def in_thread() -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Runs beside the test, on a connection of its own; what it returns waits for the end."""

    def start(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread.join

    return start


@pytest.mark.django_db(transaction=True)
def test_two_sealers_make_one_chain(in_thread):
    note(*(str(number) for number in range(40)))
    ended = [in_thread(tasks.seal_audit) for _ in range(4)]
    for end in ended:
        end()
    tasks.seal_audit()
    assert (trouble(), AuditSeal.objects.count()) == ("", 40)


def test_a_long_log_is_followed_in_pages(monkeypatch):
    monkeypatch.setattr(seals, "AT_ONCE", 3)
    ids = note(*(str(number) for number in range(10)))
    while seals.seal_batch(now=clock.now()):
        pass
    verdict = seals.verify()
    assert (verdict.trouble, verdict.links) == ("", 10)
    assert seals.verify(newest=4).links == 4
    as_superuser("UPDATE audit_entries SET actor = 'else' WHERE id = %s", ids[1])
    assert "differs" in trouble()
    assert seals.verify(newest=4).trouble == ""


# -- for people --------------------------------------------------------------------------------------------------------


def printed(*options: str) -> str:
    out = io.StringIO()
    call_command("verify_audit", *options, stdout=out)
    return out.getvalue()


def test_the_command_prints_the_end_of_the_chain_which_it_takes_back():
    sealed("a", "b")
    *_, end = printed().split()
    assert printed("--expect", end)
    said = json.loads(printed("--json"))
    assert (said["whole"], said["links"], said["end"]) == (True, 2, end)
    with pytest.raises(CommandError, match="remembered"):
        printed("--expect", f"1:{'0' * 64}")
    with pytest.raises(CommandError, match="POSITION:DIGEST"):
        printed("--expect", "yesterday")


@pytest.mark.django_db(transaction=True)
def test_the_command_names_the_entry_and_fails():
    ids = sealed_and_committed("a", "b")
    as_superuser("UPDATE audit_entries SET actor = 'else' WHERE id = %s", ids[0])
    with pytest.raises(CommandError, match=f"Entry {ids[0]} differs") as failed:
        printed()
    assert failed.value.returncode == 1


def sealed_and_committed(*things: str) -> list[int]:
    ids = note(*things)
    tasks.seal_audit()
    return ids


def test_the_doctor_looks_at_the_chain():
    def said() -> doctor.Finding:
        (finding,) = doctor.examine(only={"audit log"})
        return finding

    (first,) = sealed("a")
    assert said().healthy
    note("b")
    as_superuser("UPDATE audit_entries SET at = at - interval '1 hour' WHERE object_id = 'b'")
    assert "wait for their seal" in said().said
    seals.seal_batch(now=clock.now() + timedelta(seconds=1))
    as_superuser("UPDATE audit_entries SET actor = 'else' WHERE id = %s", first)
    assert f"entry {first} differs" in said().said
