"""The history of a draft: taken back and done again by anybody, on any day; nobody overwrites anybody."""

from __future__ import annotations

import copy
import json
import threading
from typing import Any

import pytest
from django.db import connection, transaction

from contacts import access, clock
from tests.journeys import definition, publish, step
from workflows import importing, publishing, revisions
from workflows.models import DraftRevision, Workflow

DRAFT = definition({"a": step("add_tag", tag="t0")})


def edited(number: int, *, by: str = "maya") -> None:
    draft = copy.deepcopy(DRAFT)
    draft["steps"]["a"]["config"]["tag"] = f"t{number}"
    publishing.save_draft(definition=draft, now=clock.now(), by=by, what=f"Edit {number}")


def stored() -> str:
    """The draft as PostgreSQL spells it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT draft::text FROM workflows WHERE slug = 'journey'")
        return cursor.fetchone()[0]


def held() -> Workflow:
    return revisions.held(Workflow.objects.get().pk)


def undo(by: str = "maya") -> str:
    return revisions.undo(held(), by=by, now=clock.now()).what


def redo(by: str = "maya") -> str:
    return revisions.redo(held(), by=by, now=clock.now()).what


@pytest.mark.django_db
def test_five_changes_are_taken_back_and_done_again_byte_for_byte_by_somebody_else():
    publishing.save_draft(definition=DRAFT, now=clock.now(), by="maya")
    texts = [stored()]
    for number in range(1, 6):
        edited(number)
        texts.append(stored())
    for text in texts[-2::-1]:
        undo(by="ola")
        assert stored() == text
    assert not revisions.can_undo(held()) and revisions.can_redo(held())
    for text in texts[1:]:
        redo(by="ola")
        assert stored() == text
    assert Workflow.objects.get().draft_revision == 16
    assert not revisions.can_redo(held())
    with pytest.raises(revisions.NothingThere):
        redo()


@pytest.mark.django_db
def test_what_is_done_in_the_place_of_something_undone_comes_first_and_the_other_stays_in_the_history():
    publishing.save_draft(definition=DRAFT, now=clock.now(), by="maya")
    edited(1)
    undo()
    edited(2)
    assert not revisions.can_redo(held())
    undo()
    assert redo() == "Edit 2"
    said = [each.what for each in revisions.entries(Workflow.objects.get())]
    assert said == ["Done again: Edit 2", "Undone: Edit 2", "Edit 2", "Undone: Edit 1", "Edit 1", "Began"]


@pytest.mark.django_db
def test_the_history_says_who_took_something_back_and_which_entries_are_the_draft_as_it_is():
    publishing.save_draft(definition=DRAFT, now=clock.now(), by="maya", what="Began")
    edited(1, by="maya")
    undo(by="ola")
    rows = revisions.entries(Workflow.objects.get())
    assert [(row.what, row.by, row.is_now) for row in rows] == [
        ("Undone: Edit 1", "ola", True), ("Edit 1", "maya", False), ("Began", "maya", True),
    ]  # fmt: skip
    with pytest.raises(revisions.Stale) as stale, transaction.atomic():
        revisions.held(rows[0].workflow_id, revision=2)
    assert stale.value.by == "ola", "who undid it, not who had made the draft that it went back to"


@pytest.mark.django_db
def test_a_draft_from_before_there_was_a_history_can_be_gone_back_to():
    Workflow.objects.create(slug="journey", name="Journey", draft=DRAFT, updated_at=clock.now())
    before = stored()
    edited(1)
    undo()
    assert stored() == before
    assert Workflow.objects.get().draft_revision == 3


@pytest.mark.django_db
def test_the_last_two_hundred_are_kept_and_can_be_taken_back_one_after_another(monkeypatch):
    monkeypatch.setattr(revisions, "KEPT", 8)  # the same with fewer
    publishing.save_draft(definition=DRAFT, now=clock.now(), by="maya")
    for number in range(1, 12):
        edited(number)
    assert DraftRevision.objects.count() == 8
    for _ in range(7):
        undo()
    assert not revisions.can_undo(held())
    assert json.loads(stored())["steps"]["a"]["config"] == {"tag": "t4"}
    edited(100)
    assert undo() == "Edit 100"
    assert json.loads(stored())["steps"]["a"]["config"] == {"tag": "t4"}


@pytest.mark.django_db
def test_two_hundred_are_meant():
    assert revisions.KEPT == 200


@pytest.mark.django_db
def test_a_key_of_any_version_is_known_as_taken():
    publish(definition({"old": step("add_tag", tag="t")}))
    publish(definition({"new": step("add_tag", tag="t")}))
    assert publishing.keys_published(Workflow.objects.get()) == {"old", "new"}


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_of_the_same_revision_one_wins():
    workflow = publishing.save_draft(definition=DRAFT, now=clock.now(), by="maya")
    barrier = threading.Barrier(2)
    ends: list[Any] = []

    def change(number: int) -> None:
        try:
            barrier.wait(10)
            with transaction.atomic():
                revisions.held(workflow.pk, revision=1)
                edited(number, by=f"user{number}")
            ends.append(number)
        except revisions.Stale as stale:
            ends.append(stale.by)
        finally:
            connection.close()

    threads = [threading.Thread(target=change, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (winner,) = [end for end in ends if isinstance(end, int)]
    assert [end for end in ends if isinstance(end, str)] == [f"user{winner}"]
    after = Workflow.objects.get()
    assert (after.draft_revision, after.draft["steps"]["a"]["config"]) == (2, {"tag": f"t{winner}"})


@pytest.mark.django_db(transaction=True)
def test_the_api_and_an_import_say_who_wrote_and_how(client):
    with transaction.atomic():
        key = access.create_key(name="warehouse", kind="secret", scopes=["workflows:write"], now=clock.now())
        importing.import_document(DRAFT, by="maya", publish=False, now=clock.now())

    def put(name: str, revision: int) -> int:
        return client.put(
            "/api/v1/workflows/journey", {**DRAFT, "name": name}, content_type="application/json",
            headers={"Authorization": f"Bearer {key}", "If-Match": f'"{revision}"'},
        ).status_code  # fmt: skip

    assert (put("New", 1), put("Stale", 1)) == (200, 412)
    assert [(each.by, each.what) for each in revisions.entries(Workflow.objects.get())] == [
        ("key warehouse", "Written over the API"), ("maya", "Imported from a file"),
    ]  # fmt: skip
