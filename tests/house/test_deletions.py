"""No page that asks before a deletion loads what hangs on the thing: whatever is registered, however much there is.

A few thousand rows hang on each thing and the bound is a hundred, so a statement that answers with more of them than
the bound would fetch a million of a million."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from contacts import clock
from contacts.models import AuditEntry, List, Segment, Tag
from contacts.pages import deletions, members
from contacts.pages.changelists import CarillonAdmin
from delivery.models import Template, TemplateVersion
from tests import journeys
from tests.filling import fill
from workflows import publishing
from workflows.models import DraftRevision, Rehearsal

pytestmark = pytest.mark.django_db

ROWS = 2_000
BOUND = 100
MOST_STATEMENTS = 40  # of a page; Django's own answer has as many as rows hang on the thing, over a hundred
FILL = """
INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)
SELECT 'u' || n, '', false, false, true, '', '', '', now() FROM generate_series(1, %(rows)s) n;
INSERT INTO auth_user_groups (user_id, group_id)
SELECT id, %(group)s FROM auth_user WHERE username LIKE 'u%%';
INSERT INTO django_admin_log (action_time, user_id, object_repr, action_flag, change_message)
SELECT now(), %(user)s, 'x', 1, '' FROM generate_series(1, %(rows)s);
INSERT INTO draft_revisions (workflow_id, number, definition, what, by, at, previous_id)
SELECT %(workflow)s, 100 + n, '{}', '', '', now(), %(revision)s FROM generate_series(1, %(rows)s) n;
INSERT INTO template_versions (template_id, number, html)
SELECT %(template)s, n, 'x' FROM generate_series(1, %(rows)s) n;
INSERT INTO rehearsals (workflow_id, since, until, asked, state, asked_at)
SELECT %(workflow)s, now(), now(), '{}', 'done', now() FROM generate_series(1, %(rows)s);
INSERT INTO contacts (external_id, attributes, created_at)
SELECT 'x' || n, '{}', now() FROM generate_series(1, %(rows)s) n;
INSERT INTO contact_tags (contact_id, tag_id, added_at) SELECT id, %(tag)s, now() FROM contacts;
INSERT INTO list_members (contact_id, list_id, joined_at) SELECT id, %(list)s, now() FROM contacts;
INSERT INTO segment_members (contact_id, segment_id, entered_at) SELECT id, %(segment)s, now() FROM contacts
"""


@pytest.fixture
def things(monkeypatch) -> dict[str, Any]:
    """One of everything that may be deleted, on which a few thousand rows hang, by the name of its model."""
    monkeypatch.setattr(deletions, "COUNTED", BOUND)
    monkeypatch.setattr(members, "COUNTED", BOUND)
    draft = publishing.save_draft(definition={"slug": "journey", "name": "Journey"}, now=clock.now())
    found: dict[str, Any] = {
        "auth.User": User.objects.create(username="old"),
        "auth.Group": Group.objects.create(name="Many"),
        "workflows.Workflow": draft,
        "delivery.Template": Template.objects.create(slug="never-sent", name="Never sent", created_at=clock.now()),
        "django_celery_beat.PeriodicTask": PeriodicTask.objects.create(
            name="x", task="y", interval=IntervalSchedule.objects.create(every=1, period="days")
        ),
        "contacts.Tag": Tag.objects.create(name="many"),
        "contacts.List": List.objects.create(slug="many", name="Many"),
        "contacts.Segment": Segment.objects.create(slug="many", name="Many", condition={"all": []}, state="live"),
    }
    ids = {label.split(".")[1].lower(): thing.pk for label, thing in found.items()}
    fill(FILL, {**ids, "rows": ROWS, "revision": draft.draft_entry_id})
    return found


@pytest.fixture
def ada() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


@contextmanager
def fetched() -> Iterator[list[tuple[int, str]]]:
    """Every SELECT, with the number of rows that it answers with."""
    sent: list[tuple[int, str]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        answer = execute(sql, params, many, context)
        if sql.lstrip().upper().startswith(("SELECT", "WITH")):
            sent.append((context["cursor"].rowcount, sql))
        return answer

    with connection.execute_wrapper(note):
        yield sent


def faults(sent: list[tuple[int, str]]) -> list[str]:
    found = [f"{rows} rows: {sql[:300]}" for rows, sql in sent if rows > BOUND]
    return found if len(sent) <= MOST_STATEMENTS else [*found, f"{len(sent)} statements"]


def deletable() -> dict[str, admin.ModelAdmin]:
    """Lists in which Django's page asks before something is deleted: those where a superuser may."""
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    return {
        model._meta.label: each for model, each in admin.site._registry.items() if each.has_delete_permission(request)
    }


def test_every_list_that_lets_delete_counts_what_hangs_on_a_thing(things):
    assert set(deletable()) == set(things) - {"contacts.Tag", "contacts.List", "contacts.Segment"}
    assert all(isinstance(each, CarillonAdmin) for each in deletable().values())


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("auth.User", "Entries of Django&#x27;s own history"),
        ("auth.Group", "People who are in it, and stay"),
        ("workflows.Workflow", "Kept changes of the draft"),
        ("delivery.Template", "Versions"),
        ("django_celery_beat.PeriodicTask", ""),
    ],
)
def test_the_question_and_the_deletion_fetch_nothing_of_what_hangs_on_it(label, told, things, ada):
    thing = things[label]
    url = address(thing, "delete")
    with fetched() as asked:
        page = ada.get(url).content.decode()
    assert f"Delete “{thing}”?" in page and faults(asked) == []
    if told:
        assert f'<dt>{told}</dt><dd class="cl-number">more than {BOUND}</dd>' in page
    with fetched() as done:
        answer = ada.post(url, {"post": "yes"})
    assert answer.status_code == 302 and faults(done) == []
    assert not type(thing).objects.filter(pk=thing.pk).exists()


@pytest.mark.parametrize("label", ["contacts.Tag", "contacts.List", "contacts.Segment"])
def test_the_pages_where_an_audience_is_deleted_count_it(label, things, ada):
    thing = things[label]
    with fetched() as sent:
        page = ada.get(address(thing, "change")).content.decode()
        listed = ada.get(reverse(f"admin:{thing._meta.app_label}_{thing._meta.model_name}_changelist")).content.decode()
    assert faults(sent) == []
    assert f"more than {BOUND}" in page and f"more than {BOUND}" in listed
    assert f"{ROWS:,}" not in page + listed


def test_what_is_chosen_in_a_list_is_deleted_a_page_at_once_at_most(things, ada):
    listed = reverse("admin:auth_user_changelist")
    chosen = {"action": "delete_selected", "_selected_action": [things["auth.User"].pk], "select_across": "1"}
    with fetched() as sent:
        page = ada.post(listed, chosen, follow=True).content.decode()
    assert f"Nothing is deleted: choose {deletions.AT_ONCE} at most." in page and faults(sent) == []
    assert User.objects.count() == ROWS + 2
    some = {"action": "delete_selected", "_selected_action": list(User.objects.values_list("pk", flat=True)[:3])}
    with fetched() as sent:
        assert "Delete these?" in ada.post(listed, some).content.decode()
        ada.post(listed, {**some, "post": "yes"})
    assert faults(sent) == []
    assert User.objects.count() == ROWS - 1


def test_a_cascade_that_is_fetched_is_seen(things, ada, monkeypatch):
    monkeypatch.delattr(CarillonAdmin, "get_deleted_objects")
    with fetched() as sent:
        ada.get(address(things["workflows.Workflow"], "delete"))
    assert any("draft_revisions" in fault for fault in faults(sent))


def test_a_draft_goes_with_all_that_hangs_on_it_and_the_audit_log_knows(things, ada):
    ada.post(address(things["workflows.Workflow"], "delete"), {"post": "yes"})
    assert not DraftRevision.objects.exists() and not Rehearsal.objects.exists()
    entry = AuditEntry.objects.get(what="workflow.deleted")
    assert (entry.actor, entry.object_id, entry.after) == ("ada", "journey", None)
    assert set(entry.before) == {"status", "definition"}


def test_what_bars_a_deletion_is_counted_too(things):
    template = Template.objects.get(pk=TemplateVersion.objects.get(pk=journeys.template("welcome")).template_id)
    found = [(each.model, each.count, each.bars) for each in deletions.hanging(Template, [template.pk])]
    assert found == [(TemplateVersion, 1, True)]


def address(thing: Any, deed: str) -> str:
    return reverse(f"admin:{thing._meta.app_label}_{thing._meta.model_name}_{deed}", args=[thing.pk])
