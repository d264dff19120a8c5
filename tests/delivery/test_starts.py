"""The black box: what a killed worker certainly did not send goes back, what was answered is known, and the rest stays
in doubt."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as project
from django.db import connection

from contacts import transactions
from delivery import gate, in_doubt, starts
from delivery.models import OutboxEntry, SendLogEntry
from tests import races
from tests.delivery import making
from tests.delivery.esp import Esp

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(settings, tmp_path) -> Iterator[Path]:
    settings.SEND_JOURNAL_DIR = str(tmp_path / "sends")
    _forget()
    yield tmp_path / "sends"
    _forget()


def _forget() -> None:
    """As if this process had just begun."""
    for box in starts._boxes.values():
        if box is not None:
            os.close(box.file)
    starts._boxes.clear()
    starts._recovered.clear()


def claimed(count: int = 3) -> list[making.Message]:
    """Claimed by a worker that then begins its batch, and has sent nothing yet."""
    messages = [making.message() for _ in range(count)]
    batch = transactions.run(lambda now: gate.claim("urgent", limit=100, provider="sandbox", now=now))
    starts.begin([claim.due.public_id for claim in batch.claims], claimed_at=batch.claimed_at)
    return messages


def mid(message: making.Message) -> str:
    return str(message.public_id)


def test_what_was_not_started_goes_back_and_what_was_answered_is_known(folder, told):
    idle, asked, taken = claimed()
    starts.start(mid(asked))
    starts.start(mid(taken))
    starts.accept(mid(taken), 202)
    assert starts.recover() == 0  # its process lives
    _forget()
    assert starts.recover() == 2
    assert making.states([idle, asked, taken]) == [
        f"queued:{starts.NOT_STARTED}", "sending", f"accepted:{starts.ACCEPTED}",
    ]  # fmt: skip
    assert OutboxEntry.objects.get(message=idle).attempt == 0
    assert sum(SendLogEntry.objects.filter(message=idle).values_list("cap_delta", flat=True)) == 0
    assert [each.kind for each in told] == ["accepted"]
    assert list(folder.iterdir()) == [] and starts.recover() == 0


def test_a_doubt_that_was_declared_already_ends_by_it_too(folder):
    (message,) = claimed(1)
    making.age("lease_until", "outbox", "1 hour")
    in_doubt.reap_batch()
    _forget()
    assert starts.recover() == 1
    making.deliver()
    assert making.state(message) == "accepted" and len(making.mails(message)) == 1


def test_a_box_is_believed_of_its_own_claim_only(folder):
    """The message was claimed again since, with the same number of attempts: that one may have started."""
    (message,) = claimed(1)
    making.age("claimed_at", "outbox", "1 second")
    _forget()
    assert starts.recover() == 0
    assert making.state(message) == "sending"


def test_nothing_is_believed_after_the_machine_went_down(folder, monkeypatch):
    (message,) = claimed(1)
    _forget()
    monkeypatch.setattr(starts, "_boot", lambda: "another")
    assert starts.recover() == 0
    assert making.state(message) == "sending" and list(folder.iterdir()) == []


@pytest.mark.parametrize("keep", range(0, 130, 7))
def test_a_box_that_was_cut_off_says_no_more_than_it_says(folder, keep):
    """Killed within a write."""
    claimed(1)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    _forget()
    path.write_bytes(whole[:keep])
    ended = starts.recover()
    assert ended == (1 if keep >= len(whole) else 0)


def test_a_start_that_cannot_be_noted_makes_the_box_silent_and_failing_that_does_not_happen(folder, monkeypatch):
    (message,) = claimed(1)
    box = starts._mine()
    assert box is not None
    monkeypatch.setattr(type(box), "write", _full)
    starts.start(mid(message))
    assert box.path.read_bytes() == b""
    monkeypatch.setattr(type(box), "empty", _full)
    with pytest.raises(starts.Unwritable):
        starts.start(mid(message))


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_repetition_of_a_doubt_is_no_claim_of_the_box(folder):
    claimed(1)
    starts.begin([], claimed_at=None)
    _forget()
    assert starts.recover() == 0


def test_two_that_look_at_once_do_not_read_the_same_box(folder):
    claimed(1)
    (path,) = folder.iterdir()
    _forget()
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert starts.recover() == 0
    assert starts.recover() == 1


def test_the_box_is_nowhere_unless_it_is_asked_for(settings):
    settings.SEND_JOURNAL_DIR = ""
    _forget()
    claimed(1)
    starts.start("x")
    assert starts.recover() == 0


def test_a_folder_that_cannot_be_written_to_does_not_stop_the_post(settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.SEND_JOURNAL_DIR = str(tmp_path / "file" / "sends")
    _forget()
    message = making.message()
    making.deliver()
    assert making.state(message) == "accepted"
    assert starts.recover() == 0
    _forget()


WORKER = """
import django; django.setup()
from delivery import sending
sending.deliver_batch("urgent")
"""


def worker(esp: Esp, journal: str, dies_at: str) -> None:
    """Sends one batch in a process of its own, which is killed at a named point."""
    db = connection.settings_dict
    own = {
        "DJANGO_SETTINGS_MODULE": "config.settings", "EMAIL_PROVIDER": "sendgrid", "SENDGRID_API_URL": esp.url,
        "DATABASE_URL": f"postgres://{db['USER']}:{db['PASSWORD']}@{db['HOST']}:{db['PORT']}/{db['NAME']}",
        "SENDGRID_API_KEY": "SG.test", "SEND_JOURNAL_DIR": journal, "ESP_RATE_LIMIT": "100000",
        "REDIS_URL": project.REDIS_URL, "REDIS_PREFIX": project.REDIS_PREFIX, "CARILLON_CHAOS": f"{dies_at}=kill:1",
    }  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", WORKER], env=os.environ | own, cwd=project.BASE_DIR, check=False)
    assert killed.returncode == -signal.SIGKILL
    races.recount()  # what the killed worker did was counted with it


@committing
def test_what_a_killed_worker_had_not_begun_to_send_is_sent_after_all(esp, folder):
    version = making.template()
    messages = making.enqueue(*(making.request(each, version) for each in making.contacts(20)))
    worker(esp, str(folder), "delivery.claimed")
    assert esp.received == [] and set(making.states(messages)) == {"sending"}
    assert starts.recover() == 20
    making.deliver()
    assert set(making.states(messages)) == {"accepted"}
    assert all(esp.times(mid(message)) == 1 for message in messages)


@committing
def test_what_a_killed_worker_had_sent_is_never_sent_again(esp, folder):
    version = making.template()
    messages = making.enqueue(*(making.request(each, version) for each in making.contacts(20)))
    worker(esp, str(folder), "delivery.answered")
    assert starts.recover() > 0
    making.age("lease_until", "outbox", "1 hour")
    in_doubt.reap_batch()
    making.deliver()
    assert set(making.states(messages)) <= {"in_doubt:worker_lost", f"accepted:{starts.ACCEPTED}"}
    assert all(esp.times(mid(message)) == 1 for message in messages)


def test_half_a_line_makes_the_box_silent(folder, monkeypatch):
    """A disk that fills up takes the half of a line, and says how much it took. What comes next would be read as the
    rest of it, and a message that was started as one that was not."""
    first, second = claimed(2)
    whole = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, words: whole(file, words[: len(words) // 2]))
        starts.start(mid(first))
    starts.start(mid(second))
    _forget()
    assert starts.recover() == 0
