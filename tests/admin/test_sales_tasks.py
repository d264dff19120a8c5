"""Sales tasks in the admin: mine and everybody's, done and to be done again."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse

from contacts import clock
from tests.inhabited.people import HOSTILE
from workflows.errands import sales
from workflows.errands.sales import NewTask
from workflows.models import SalesTask

LIST = "admin:workflows_salestask_changelist"


def ask(contact_id: int, workflow_id: int, message: str, owner: str = "", *, seq: int = 1) -> SalesTask:
    with transaction.atomic():
        sales.make([NewTask(1, seq, contact_id, workflow_id, owner, message)], now=clock.now())
    return SalesTask.objects.latest("id")


def change(task: SalesTask) -> str:
    return reverse("admin:workflows_salestask_change", args=[task.pk])


def deed(task: SalesTask, name: str) -> str:
    return reverse("admin:workflows_salestask_deed", args=[task.pk, name])


@pytest.fixture
def task(town) -> SalesTask:
    """The only one: those of the town are done away with."""
    SalesTask.objects.all().delete()
    return ask(town.ana.pk, town.journey.pk, f"Call {HOSTILE}\n\nSoon", "maya@example.com")


def test_the_list_shows_what_is_to_be_done_and_whose_it_is(maya, town, task):
    done = ask(town.ana.pk, town.journey.pk, "Was done", seq=2)
    sales.finish([done.pk], by="maya", now=clock.now())
    page = maya.get(reverse(LIST)).content.decode()
    assert "maya@example.com" in page and "Soon" in page
    assert HOSTILE not in page
    assert "Was done" not in page
    assert "Was done" in maya.get(reverse(LIST), {"state": "done"}).content.decode()
    everything = maya.get(reverse(LIST), {"state": "any"}).content.decode()
    assert "Was done" in everything and "Soon" in everything


def test_mine_are_those_of_my_address(maya, town, task):
    ask(town.ana.pk, town.journey.pk, "Somebody else's", "otto@example.com", seq=2)
    ask(town.ana.pk, town.journey.pk, "Everybody's", seq=3)
    User.objects.filter(pk=town.superuser.pk).update(email="Maya@Example.com")
    mine = maya.get(reverse(LIST), {"whose": "mine"}).content.decode()
    assert "Soon" in mine and "Somebody else's" not in mine and "Everybody&#x27;s" not in mine
    nobodys = maya.get(reverse(LIST), {"whose": "nobody"}).content.decode()
    assert "Everybody&#x27;s" in nobodys and "Soon" not in nobodys


def test_a_task_leads_to_its_contact_and_is_done_with_a_button(maya, town, task):
    page = maya.get(change(task)).content.decode()
    assert reverse("admin:contacts_contact_change", args=[town.ana.pk]) in page
    assert HOSTILE not in page
    assert maya.post(deed(task, "finish")).status_code == 302
    task.refresh_from_db()
    assert task.done_at is not None and task.done_by == town.superuser.username
    assert "To be done again" in maya.get(change(task)).content.decode()
    maya.post(deed(task, "reopen"))
    task.refresh_from_db()
    assert (task.done_at, task.done_by) == (None, "")


def test_many_are_done_at_once(maya, town, task):
    other = ask(town.ana.pk, town.journey.pk, "Other", seq=2)
    maya.post(reverse(LIST), {"action": "finish_selected", "_selected_action": [task.pk, other.pk]})
    assert not SalesTask.objects.filter(done_at=None).exists()


def test_who_may_only_look_can_do_nothing(staff, task):
    viewer = staff("workflows.view_salestask")
    assert "Mark as done" not in viewer.get(change(task)).content.decode()
    assert viewer.post(deed(task, "finish")).status_code == 403
    assert viewer.get(deed(task, "finish")).status_code == 403
    assert staff("workflows.view_workflow").get(reverse(LIST)).status_code == 403


def test_a_deed_that_is_none_is_not_found(maya, task):
    assert maya.post(deed(task, "burn")).status_code == 404
