"""Pages of a long list follow each other by place, not by number, and no row is met twice or left out."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import clock
from contacts.models import Contact, ContactEvent, ContactMerge
from contacts.pages import changelists, keyset
from workflows.models import Enrolment, Workflow

SIZE = 7


@pytest.fixture
def long_list(monkeypatch):
    """Contacts of three instants, in pages of seven; twenty rows are counted, and the rest is not."""
    from django.contrib import admin

    monkeypatch.setattr(changelists, "COUNTED", 20)
    monkeypatch.setattr(admin.site.get_model_admin(Contact), "list_per_page", SIZE)
    now = clock.now()
    Contact.objects.bulk_create(
        Contact(email=f"n{n}@example.com", created_at=now - timedelta(days=1 + n % 3)) for n in range(60)
    )
    return reverse("admin:contacts_contact_changelist")


def walk(client, url: str, rel: str) -> list[list[int]]:
    """The rows of each page from here on, in the direction of its link."""
    pages = []
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, url
        pages.append([row.pk for row in answer.context["cl"].result_list])
        found = re.search(rf'rel="{rel}" href="([^"]*)"', answer.content.decode())
        url = answer.request["PATH_INFO"] + unescape(found[1]) if found else ""
    return pages


def last_page(client, url: str) -> str:
    while found := re.search(r'rel="next" href="([^"]*)"', client.get(url).content.decode()):
        url = url.partition("?")[0] + unescape(found[1])
    return url


@pytest.mark.parametrize("filtered", [False, True])
def test_the_pages_of_a_list_have_every_row_once_in_either_direction(maya, long_list, filtered):
    rows = Contact.objects.filter(merged_into=None, erased_at=None).order_by("-created_at", "-id")
    query = "?q=n" if filtered else ""
    if filtered:
        rows = rows.filter(email__startswith="n")
    expected = list(rows.values_list("pk", flat=True))
    forwards = walk(maya, long_list + query, "next")
    assert [pk for page in forwards for pk in page] == expected and len(expected) > 20
    backwards = walk(maya, last_page(maya, long_list + query), "prev")
    assert backwards[::-1] == forwards


def test_no_page_is_found_by_counting_the_rows_before_it(maya, long_list):
    with CaptureQueriesContext(connection) as seen:
        assert len(walk(maya, long_list, "next")) > 8
    skipped = [int(found) for query in seen for found in re.findall(r"OFFSET (\d+)", query["sql"])]
    assert max(skipped, default=0) <= 20
    far = maya.get(long_list, {"p": 9})
    assert far.status_code == 302 and far["Location"].endswith("?e=1")


def test_rows_that_come_in_meanwhile_shift_no_page(maya, long_list):
    first = maya.get(long_list)
    following = unescape(re.search(r'rel="next" href="([^"]*)"', first.content.decode())[1])
    expected = [row.pk for row in maya.get(long_list + following).context["cl"].result_list]
    Contact.objects.bulk_create(Contact(email=f"new{n}@example.com") for n in range(5))
    assert [row.pk for row in maya.get(long_list + following).context["cl"].result_list] == expected


@pytest.mark.parametrize(
    "asked",
    ["2.", "x.after.W10", "2.over.W10", "2.after.W10", "2.after.%%%", "2.after.WyJ4IiwgInkiXQ", "2.after.eyJhIjogMX0",
     "1" * 5000, "2.after.WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsICJcdTAwMDAiXQ"],
)  # fmt: skip
def test_a_place_that_nobody_gave_is_no_error(maya, long_list, asked):
    answer = maya.get(long_list, {"p": asked})
    assert answer.status_code in {200, 302}
    assert answer.status_code == 200 or answer["Location"].endswith("?e=1")


def test_a_place_is_written_and_read_alike():
    place = keyset.Place(3, "before", ("2026-03-04T05:06:07.000008+00:00", "12", "ä"))
    assert keyset.read(str(place)) == place


def test_only_columns_that_are_never_empty_mark_a_place():
    assert keyset.fields(Contact.objects.order_by("-created_at", "-id")) == (("created_at", True), ("id", True))
    assert keyset.fields(Enrolment.objects.order_by("finished_at", "id")) is None
    assert keyset.fields(ContactEvent.objects.order_by("type")) is None
    assert keyset.fields(Enrolment.objects.order_by("workflow__name", "id")) is None


def test_a_filter_without_an_index_looks_through_the_newest_and_says_so(maya, town, monkeypatch):
    monkeypatch.setattr(changelists, "LOOKED_THROUGH", 3)
    at = clock.now()
    ContactMerge.objects.bulk_create(
        ContactMerge(survivor_id=town.ana.pk, absorbed_id=10_000 + n, merged_at=at, source="api", before={})
        for n in range(5)
    )
    url = reverse("admin:contacts_contactmerge_changelist")
    everything, some = maya.get(url), maya.get(url, {"source": "api"})
    assert len(everything.context["cl"].result_list) >= 5 and "among the newest" not in everything.content.decode()
    assert len(some.context["cl"].result_list) == 3 and "among the newest 3" in some.content.decode()


def test_the_people_of_an_old_journey_are_found_behind_those_of_others(maya, town, monkeypatch):
    from workflows.pages import enrolments

    monkeypatch.setattr(changelists, "LOOKED_THROUGH", 2)
    monkeypatch.setattr(enrolments, "LOOKED_THROUGH", 1000)
    for journey in Workflow.objects.all():
        own = set(Enrolment.objects.filter(workflow=journey, state="waiting").values_list("pk", flat=True))
        shown = maya.get(
            reverse("admin:workflows_enrolment_changelist"), {"workflow": journey.pk, "state": "waiting"}
        ).context["cl"]
        assert {row.pk for row in shown.result_list} == own
