"""Lists cost the same whatever the tables hold, and find people by what is known of them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.models import Contact, Tag
from contacts.pages.changelists import COUNTED, BoundedPaginator

LISTS = [
    "contacts_contact", "contacts_contactevent", "contacts_tag", "workflows_workflow", "workflows_enrolment",
    "workflows_entryrefusal", "delivery_message", "delivery_suppression", "delivery_template",
    "delivery_sandboxmail", "scoring_lifecycleevent",
]  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_as_many_statements_for_many_rows_as_for_few(maya, name, monkeypatch):
    url = reverse(f"admin:{name}_changelist")
    maya.get(url)

    def statements(rows: int) -> int:
        from django.contrib import admin

        for model_admin in admin.site._registry.values():
            monkeypatch.setattr(model_admin, "list_per_page", rows)
        with CaptureQueriesContext(
            connection,
        ) as seen:
            shown = len(maya.get(url).context["cl"].result_list)
        assert shown
        return len(seen)

    assert statements(50) <= statements(2)


def test_no_list_counts_a_whole_table(maya):
    for name in LISTS:
        with CaptureQueriesContext(connection) as seen:
            maya.get(reverse(f"admin:{name}_changelist"))
        counts = [query["sql"] for query in seen if query["sql"].upper().startswith("SELECT COUNT(")]
        assert counts, name
        assert all(f"LIMIT {COUNTED + 1}" in sql for sql in counts), counts


def test_beyond_a_bound_rows_are_not_counted_and_pages_go_on(maya):
    Contact.objects.bulk_create(Contact(email=f"n{n}@example.com") for n in range(COUNTED + 10))
    paginator = BoundedPaginator(Contact.objects.order_by("id"), 50)
    assert not paginator.is_counted
    answer = maya.get(reverse("admin:contacts_contact_changelist"), {"p": 20})
    assert "More than 1000 contacts" in answer.content.decode()
    assert 'rel="next"' in answer.content.decode()
    last = maya.get(reverse("admin:contacts_contact_changelist"), {"p": 21})
    assert 'rel="next"' not in last.content.decode()


def test_few_rows_are_counted(maya, town):
    answer = maya.get(reverse("admin:contacts_contact_changelist"))
    assert "24 contacts" in answer.content.decode()


@pytest.mark.parametrize(
    "asked", ["ana.ruiz0@example.com", "ANA.Ruiz0@EXAMPLE.com", "crm-1000", "ana.ruiz0", "  crm-1000 "]
)
def test_a_contact_is_found_by_an_identifier_or_its_beginning(maya, town, asked):
    answer = maya.get(reverse("admin:contacts_contact_changelist"), {"q": asked})
    assert [row.pk for row in answer.context["cl"].result_list] == [town.ana.pk]


@pytest.mark.parametrize(
    "name", ["contacts_contactevent", "delivery_message", "workflows_enrolment", "scoring_lifecycleevent"]
)
def test_what_happened_to_a_contact_is_found_by_their_identifier(maya, town, name):
    url = reverse(f"admin:{name}_changelist")
    found = maya.get(url, {"q": town.ana.email.upper()}).context["cl"].result_list
    assert {row.contact_id for row in found} == {town.ana.pk}
    assert maya.get(url, {"q": "nobody@example.com"}).context["cl"].result_list == []


def test_filters_narrow_and_nonsense_in_the_address_is_harmless(maya, town):
    def rows(name: str, **query: object) -> list:
        return maya.get(reverse(f"admin:{name}_changelist"), query).context["cl"].result_list

    assert {row.type for row in rows("contacts_contactevent", type="form_submitted")} == {"form_submitted"}
    assert {row.processed for row in rows("contacts_contactevent", held="yes")} == {False}
    assert rows("contacts_contactevent", recorded="today")
    assert {row.shown_state[0] for row in rows("delivery_message", state="capped")} == {"capped"}
    assert {row.shown_state[0] for row in rows("delivery_message", state="queued")} == {"queued"}
    assert {row.state for row in rows("workflows_enrolment", state="here")} <= {"pending", "active", "waiting"}
    assert {row.released_at is None for row in rows("delivery_suppression", standing="yes")} == {True}
    tag = Tag.objects.get(name="vip")
    assert {tuple(row.shown_tags) for row in rows("contacts_contact", tag=tag.pk)} <= {
        tags for tags in {tuple(row.shown_tags) for row in rows("contacts_contact")} if "vip" in tags
    }
    for name, query in {
        "contacts_contact": {"tag": "x"},
        "workflows_enrolment": {"workflow": "x"},
        "contacts_contactevent": {"recorded": "x", "held": "x"},
        "delivery_message": {"state": "x"},
    }.items():
        assert maya.get(reverse(f"admin:{name}_changelist"), query).status_code == 200


@pytest.mark.parametrize("pk", ["0", "x", "99999999999999999999999", "1%2F2"])
def test_what_is_not_there_is_not_found_and_not_an_error(maya, pk):
    for name in (*LISTS, "contacts_apikey", "delivery_provider", "scoring_ruleset"):
        answer = maya.get(f"/admin/{name.replace('_', '/', 1)}/{pk}/change/")
        assert answer.status_code in {302, 404}, name
