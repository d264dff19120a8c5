"""A restored copy knows itself, and is frozen before it does anything; whatever else happens to a database freezes
nothing."""

from __future__ import annotations

import pytest
import redis
from django.db import DatabaseError, connection

from contacts import doorbell, freezing, redis_index, restored
from contacts.models import Freeze, Installation
from contacts.restored import Identity

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def memory(settings, tmp_path):
    settings.BEAT_MEMORY_DIR = str(tmp_path / "beats")
    return tmp_path / "beats"


def row() -> Installation:
    return Installation.objects.get()


def restore_in_place(beat: int) -> None:
    """The database as it was at that beat."""
    Installation.objects.update(beat=beat)


def empty_redis() -> None:
    client = redis_index.connection()
    client.delete(redis_index.key("installation:beats"))


def test_a_new_installation_is_not_frozen_and_its_beat_rises():
    assert [restored.beat() for _ in range(3)] == ["", "", ""]
    assert row().beat == 3 and not freezing.is_frozen()
    assert row().database_oid > 0 and row().system_identifier.isdecimal()


@pytest.mark.parametrize("kept", ["Redis", "the folder"])
def test_an_earlier_state_in_its_place_is_frozen_by_either_memory(kept, memory):
    for _ in range(5):
        restored.beat()
    before = row().beaten_at
    restore_in_place(2)
    if kept == "Redis":
        for file in memory.iterdir():
            file.unlink()
    else:
        empty_redis()
    assert "3 beats behind" in restored.beat()
    (standing,) = freezing.standing()
    assert (standing.kind, standing.workflow_id, standing.snapshot_at) == ("restored", None, before)
    assert standing.began_by == "the installation"
    assert row().beat == 6 and restored.beat() == ""  # found once
    freezing.release(now=standing.began_at)
    assert restored.beat() == "" and not freezing.is_frozen()  # and not again after somebody has looked


@pytest.mark.parametrize("other", [{"database_oid": 1}, {"system_identifier": "7"}])
def test_a_copy_in_another_database_is_frozen_and_goes_by_another_name(other):
    restored.beat()
    lineage = row().lineage
    Installation.objects.update(**other)
    assert "another database" in restored.beat()
    assert freezing.is_frozen() and row().lineage != lineage
    assert (row().system_identifier, row().database_oid) != tuple({"system_identifier": "", "database_oid": 0, **other})
    assert restored.beat() == ""


def test_the_one_that_was_copied_is_not_frozen_by_its_copys_beats():
    """Both remember in the same Redis and folder."""
    for _ in range(3):
        restored.beat()
    original = Installation.objects.values().get()
    Installation.objects.update(database_oid=1)
    for _ in range(9):
        restored.beat()
    Freeze.objects.all().delete()
    Installation.objects.update(**original)  # the original goes on
    assert restored.beat() == "" and not freezing.is_frozen()


def test_lost_memories_freeze_nothing(memory):
    restored.beat()
    empty_redis()
    for file in memory.iterdir():
        file.unlink()
    assert restored.beat() == "" and not freezing.is_frozen()


def test_a_redis_that_is_away_and_a_folder_that_cannot_be_written_hinder_nobody(settings, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    settings.BEAT_MEMORY_DIR = str(tmp_path / "file" / "beats")

    def away():
        raise redis.ConnectionError

    with monkeypatch.context() as without:
        without.setattr(redis_index, "connection", away)
        assert [restored.beat(), restored.beat()] == ["", ""] and row().beat == 2


def test_a_postgresql_that_keeps_its_identifier_to_itself_is_known_by_the_database(monkeypatch):
    oid = restored.identity().oid
    monkeypatch.setattr(restored, "identity", lambda: Identity("", oid))
    assert restored.beat() == "" and row().system_identifier == ""
    monkeypatch.undo()
    assert restored.beat() == "" and row().system_identifier  # what becomes known is no difference
    monkeypatch.setattr(restored, "identity", lambda: Identity("", oid))
    assert restored.beat() == "" and row().system_identifier  # and is not forgotten
    monkeypatch.setattr(restored, "identity", lambda: Identity("", oid + 1))
    assert "another database" in restored.beat()


def test_what_may_not_be_read_is_done_without(monkeypatch):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.pg_control_system(OUT system_identifier bigint) LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE insufficient_privilege; END $$"
        )
    monkeypatch.setattr(restored, "_CONTROL", "pg_temp.pg_control_system()")
    assert restored.identity().system == "" and restored.identity().oid > 0


def test_each_process_looks_before_its_first_work_and_again_if_it_could_not(monkeypatch):
    looks: list[int] = []

    def look() -> str:
        looks.append(1)
        if len(looks) == 1:
            raise DatabaseError
        return ""

    monkeypatch.setattr(restored, "beat", look)
    monkeypatch.setitem(restored._looked, "pid", 0)
    monkeypatch.setattr(doorbell, "_first", [restored.look_first])
    worked: list[int] = []
    with pytest.raises(DatabaseError):
        doorbell.work_off("task", "urgent", lambda: bool(worked.append(1)))
    assert worked == []
    for _ in range(2):
        doorbell.work_off("task", "urgent", lambda: bool(worked.append(1)))
    assert (len(looks), len(worked)) == (2, 2)
