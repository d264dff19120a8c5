"""A contact's timeline: everything once, newest first, however it is cut into pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from contacts import changes, timeline
from contacts.changes import Change
from contacts.models import ConsentRecord, ContactChange, ContactEvent
from contacts.timeline import BadCursor
from tests.contacts.merging.conftest import merge, person, undo


def walk(contact_id: int, *, limit: int, only: str = "") -> list[timeline.Entry]:
    entries, cursor = [], ""
    while True:
        page = timeline.page(contact_id=contact_id, only=only, cursor=cursor, limit=limit)
        entries += page.entries
        cursor = page.cursor
        if not cursor:
            return entries


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 30])
def test_pages_of_any_size_tell_the_same_history_once(town, limit):
    at = ContactEvent.objects.filter(contact_id=town.ana.pk).latest("occurred_at").occurred_at
    for n in range(3):  # one instant in several sources
        ContactChange.objects.create(contact_id=town.ana.pk, changed_at=at, kind="field", name=f"f{n}", source="api")
        ConsentRecord.objects.create(
            contact_id=town.ana.pk, category="tracking", state="granted", recorded_at=at, source="api"
        )
    whole = walk(town.ana.pk, limit=1000)
    assert walk(town.ana.pk, limit=limit) == whole
    assert [entry.at for entry in whole] == sorted((entry.at for entry in whole), reverse=True)
    assert len({(entry.type, entry.id) for entry in whole}) == len(whole)


def test_all_floors_tell_their_part(town):
    told = {entry.type.split("_")[0] for entry in walk(town.ana.pk, limit=1000)}
    assert told >= {"page", "message", "journey", "lifecycle", "consent", "attribute", "tag"}


def test_what_one_source_tells_in_detail_is_not_told_twice(town, now):
    sent = ContactEvent(
        contact_id=town.ana.pk, recorded_contact_id=town.ana.pk, type="email_sent", occurred_at=now, recorded_at=now,
        properties={}, context={}, source="own", processed=True, key_hash=b"0" * 16,
    )  # fmt: skip
    sent.save(force_insert=True)
    assert "email_sent" not in {entry.type for entry in walk(town.ana.pk, limit=1000)}
    assert "email_sent" in {entry.type for entry in walk(town.ana.pk, limit=1000, only="events")}


def test_a_page_costs_one_statement_a_source_whatever_the_history(town, django_assert_max_num_queries):
    with django_assert_max_num_queries(len(timeline.sources()) + 3):  # and the names of journeys, steps and stages
        timeline.page(contact_id=town.ana.pk)


@pytest.mark.parametrize("cursor", ["x", "~~", "2026-01-01~events~1", "2026-01-01T00:00:00+00:00~events~x", "a~b~-1"])
def test_a_cursor_that_is_none_is_not_found(maya, town, cursor):
    with pytest.raises(BadCursor):
        timeline.page(contact_id=town.ana.pk, cursor=cursor)
    url = reverse("admin:contacts_contact_timeline", args=[town.ana.pk])
    assert maya.get(url, {"before": cursor}).status_code == 404


def test_the_page_shows_times_in_utc_and_what_the_contact_saw_on_their_clock(maya, town):
    page = maya.get(reverse("admin:contacts_contact_change", args=[town.ana.pk])).content.decode()
    newest = ContactEvent.objects.filter(contact_id=town.ana.pk).latest("occurred_at").occurred_at
    assert f"{newest:%-d %b %Y, %H:%M} <small>UTC</small>" in page
    assert "in Europe/Madrid" in page


def test_the_score_on_the_page_is_the_sum_of_its_rows(maya, town):
    panels = maya.get(reverse("admin:contacts_contact_change", args=[town.ana.pk])).context["panels"]
    score = next(panel.context for panel in panels if panel.title == "Lead score")
    rows = [float(row["points"].replace("−", "-")) for row in (*score["shares"], *score["adjustments"])]
    assert rows and round(sum(rows), 1) == float(score["score"])


def test_a_later_page_holds_what_lies_before_the_earlier_one(maya, town):
    url = reverse("admin:contacts_contact_timeline", args=[town.ana.pk])
    first = timeline.page(contact_id=town.ana.pk, limit=30)
    answer = maya.get(url, {"before": first.cursor})
    shown = answer.context["timeline"].entries
    assert shown[0].at <= first.entries[-1].at
    assert first.entries[-1].at - shown[0].at < timedelta(days=30)


def told(contact_id: int) -> list[tuple[str, str]]:
    return [(entry.title, entry.detail) for entry in walk(contact_id, limit=1000)]


def test_a_merge_and_its_undoing_are_told_on_both_pages(maya, db):
    ada, bob = person("ada", "ada@example.com"), person("bob", "bob@example.com")
    merge_id = merge(ada, bob)
    assert told(ada)[0] == ("Merged with bob@example.com", "over the API")
    undo(merge_id)
    assert ("Merge undone: parted from ada@example.com", "by test") in told(bob)
    assert ("Merged with ada@example.com", "over the API") in told(bob)
    record = reverse("admin:contacts_contactmerge_change", args=[merge_id])
    assert record in maya.get(reverse("admin:contacts_contact_change", args=[ada])).content.decode()


def test_a_device_that_was_recognised_has_no_name_to_tell(db):
    ada = person("ada", "ada@example.com")
    merge(ada, person(anonymous_id="device-1"))
    assert "Merged with a visitor without a name" in dict(told(ada))


def test_changes_are_told_in_words(town, now):
    changes.append(
        [
            Change(town.ana.pk, "list", "news", False, True),
            Change(town.ana.pk, "list", "news", True, False, "workflow:welcome"),
            Change(town.ana.pk, "identity", "email", None, "ana@work.example"),
            Change(town.ana.pk, "attribute", "", None, None, "import"),
        ],
        source="admin",
        now=now,
    )
    assert {
        ("Joined the list news", "in the admin"),
        ("Left the list news", "by the journey welcome"),
        ("Email added", "ana@work.example · in the admin"),
        ("Attribute changed", "what it was is erased · by an import"),
    } <= set(told(town.ana.pk))


def test_entries_lead_to_pages_of_their_own_only_who_may_see_those(staff, town):
    url = reverse("admin:contacts_contact_timeline", args=[town.ana.pk])
    pages = ("contacts.contactevent", "delivery.message", "workflows.enrolment")
    for seen in (*pages, None):
        rights = [f"{seen.replace('.', '.view_')}"] if seen else []
        text = staff("contacts.view_contact", *rights).get(url).content.decode()
        assert [page for page in pages if f"/admin/{page.replace('.', '/')}/" in text] == ([seen] if seen else [])
