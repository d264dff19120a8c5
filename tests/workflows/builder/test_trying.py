"""Test contact: somebody goes through a draft by the production engine, and nothing of the live schema changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from contacts import clock, consent, transactions
from contacts.audiences import tags
from contacts.audiences.tags import Tagging
from contacts.consent import Consent
from delivery import suppression
from tests import journeys
from tests.journeys import definition, step
from workflows import publishing, scratch
from workflows.models import Workflow
from workflows.pages.builder import trying_path
from workflows.rehearsal import running
from workflows.rehearsal.asked import Piece
from workflows.trying import playing
from workflows.trying.asked import OPENS, CannotTry, Happening, Trial

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NOON = datetime(2027, 1, 11, 12, 0, tzinfo=UTC)
HELLO = {"hello": step("send_email", template="hello")}


@pytest.fixture(autouse=True)
def bells() -> None:
    """Doorbells ring here: a scratch answers them itself."""


def branch(condition: dict[str, Any], yes: str | None, otherwise: str | None) -> dict[str, Any]:
    return step("branch", {"yes": yes, "else": otherwise}, arms=[{"key": "yes", "if": condition}])


def drafted(steps: dict[str, Any], **changes: Any) -> Workflow:
    journeys.template("hello")
    return publishing.save_draft(definition=definition(steps, **changes), now=clock.now())


def trial(workflow: Workflow, **said: Any) -> Trial:
    found = {"workflow_id": workflow.pk, "slug": workflow.slug, "definition": workflow.draft, "at": NOON, **said}
    if "contact_id" not in found:
        found.setdefault("invented", {"email": "zoe@example.com"})
    return Trial(**found)


def tried(workflow: Workflow, **said: Any) -> dict[str, Any]:
    asked = trial(workflow, **said)
    scope = running.scope_of(Piece(workflow.pk, workflow.slug, workflow.slug, workflow.draft, None))
    with scratch.open_scratch(now=LONG_AGO) as room:
        return playing.play(room, asked, scope)


def steps_of(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(stop["step"], stop["tone"], stop["said"]) for stop in told["stops"]]


def live_rows() -> dict[str, tuple[int, str]]:
    """Of every live table, how many rows there are, and a digest of them all."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.django_table_names(only_existing=True):
            cursor.execute(
                f"SELECT count(*), COALESCE(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM {table} t"
            )
            found[table] = cursor.fetchone()
    return found


def test_the_path_has_every_card_with_its_time_and_every_line_that_was_taken():
    morning = step("wait", {"next": "asked"}, mode="local_time", at="09:00")
    steps = {
        "hello": step("send_email", {"next": "morning"}, template="hello"),
        "morning": morning,
        "asked": branch({"field": "attributes.plan", "op": "eq", "value": "trial"}, "tag", None),
        "tag": step("add_tag", tag="seen"),
    }
    told = tried(
        drafted(steps),
        invented={"timezone": "Europe/Madrid", "email": "z@example.com", "attributes": {"plan": "trial"}},
    )
    assert told["zone"] == "Europe/Madrid" and told["answer"] == "Comes to the end of the journey."
    assert [(stop["step"], stop["at"]) for stop in told["stops"]] == [
        (".trigger", "2027-01-11T12:00:00+00:00"),
        ("hello", "2027-01-11T12:00:00+00:00"),
        ("morning", "2027-01-11T12:00:00+00:00"),
        ("asked", "2027-01-12T08:00:00+00:00"),
        ("tag", "2027-01-12T08:00:00+00:00"),
    ]
    assert told["stops"][2]["until"] == "2027-01-12T08:00:00+00:00"
    assert told["ways"] == [
        [".trigger", "start"],
        ["hello", "next"],
        ["morning", "next"],
        ["asked", "yes"],
        ["tag", "next"],
    ]
    assert [value for _, value in told["stops"][3]["read"]] == ["trial"]


def test_times_are_told_on_their_own_clock_with_the_place():
    workflow = drafted({"nine": step("wait", mode="local_time", at="09:00")})
    told = tried(workflow, invented={"timezone": "America/New_York"})
    path = trying_path.path(told, workflow.draft, now=NOON)
    assert path.stops[1].mark == "Mon 11 Jan, 07:00 New York"
    assert path.stops[1].said == "Waits 2 h, until Mon 11 Jan 2027, 09:00 New York"


def test_a_real_contact_comes_with_their_tags_and_nothing_of_the_live_schema_changes():
    steps = {"vip": branch({"has_tag": "vip"}, "hello", None), **HELLO}
    workflow = drafted(steps)
    ada = journeys.contact(timezone="Europe/Berlin")
    transactions.run(lambda now: tags.add_tags([Tagging(ada.pk, "vip", "api")], now=now))
    before = live_rows()
    told = tried(workflow, contact_id=ada.pk)
    assert told["contact"] == "ada@example.com" and told["zone"] == "Europe/Berlin"
    assert ["vip", "yes"] in told["ways"]
    assert steps_of(told)[-1] == ("hello", "went", "Would be sent")
    assert live_rows() == before


def test_an_unsubscribed_contact_would_be_skipped_and_goes_on():
    workflow = drafted(
        {"hello": step("send_email", {"next": "tag"}, template="hello"), "tag": step("add_tag", tag="t")}
    )
    ada = journeys.contact()
    suppression.suppress(
        channel="email", address="ada@example.com", scope="email", reason="unsubscribe", source="page", now=clock.now()
    )
    told = tried(workflow, contact_id=ada.pk)
    assert steps_of(told)[1:] == [
        ("hello", "skipped", "Would be skipped: they unsubscribed"),
        ("tag", "went", "Tag added"),
    ]


def test_without_consent_and_beyond_the_cap_it_says_so(settings):
    workflow = drafted({"hello": step("send_email", {"next": "again"}, template="hello"), "again": HELLO["hello"]})
    ada, bob = journeys.contact(), journeys.contact("bob@example.com", frequency_cap={"max": 1, "period_hours": 24})
    said = Consent(ada.pk, "marketing", "denied")
    transactions.run(lambda now: consent.record([said], source="api", now=now))
    assert steps_of(tried(workflow, contact_id=ada.pk))[1][2] == "Would be skipped: there is no consent to marketing"
    found = steps_of(tried(workflow, contact_id=bob.pk))
    assert found[1][2] == "Would be sent" and found[2][2] == "Would be skipped: the frequency cap was reached"


def test_quiet_hours_put_a_message_off_until_they_end():
    quiet = {"from": "10:00", "to": "15:00", "policy": "defer"}
    workflow = drafted(HELLO, settings={"quiet_hours": quiet})
    told = tried(workflow, invented={"email": "zoe@example.com", "timezone": "Europe/Madrid"})
    path = trying_path.path(told, workflow.draft, now=NOON)
    assert path.stops[1].said == "Would be sent"
    assert "until Mon 11 Jan 2027, 15:00 Madrid" in path.stops[1].more[0]
    assert path.stops[1].mark.startswith("Mon 11 Jan, 15:00 Madrid")


def test_whoever_opens_emails_goes_the_way_of_those_who_do():
    steps = {
        "hello": step("send_email", {"next": "opened"}, template="hello"),
        "opened": step("wait_for_event", {"happened": "tag", "timed_out": None}, event="email_opened", timeout="P1D"),
        "tag": step("add_tag", tag="reads"),
    }
    workflow = drafted(steps)
    assert ["opened", "timed_out"] in tried(workflow)["ways"]
    assert ["opened", "happened"] in tried(workflow, habit=OPENS)["ways"]


def test_an_event_that_was_chosen_happens_at_its_time():
    waiting = step("wait_for_event", {"happened": "tag", "timed_out": None}, event="ordered", timeout="P3D")
    workflow = drafted({"order": waiting, "tag": step("add_tag", tag="bought")})
    told = tried(workflow, happenings=(Happening("ordered", "P1D"),))
    assert told["stops"][-1]["step"] == "tag" and told["stops"][-1]["at"] == (NOON + timedelta(days=1)).isoformat()
    late = tried(workflow, happenings=(Happening("ordered", "P4D"),))
    assert late["ways"][-1] == ["order", "timed_out"]


def test_who_would_not_be_let_in_is_told_why_and_may_go_anyway():
    entry = {
        "trigger": {"type": "event", "event": "signed_up"},
        "audience": {"field": "attributes.plan", "op": "eq", "value": "paid"},
        "re_entry": {"policy": "never"},
    }
    workflow = drafted(HELLO, entry=entry)
    told = tried(workflow)
    assert not told["entered"] and "audience" in told["answer"] and told["ways"] == []
    assert tried(workflow, anyway=True)["entered"]


def test_who_has_been_in_it_is_refused_by_their_own_past():
    workflow = drafted(HELLO)
    journeys.publish(workflow.draft)
    ada = journeys.contact()
    journeys.track(ada.pk, "signed_up")
    journeys.run()
    assert journeys.enrolment(ada.pk).state == "completed"
    told = tried(Workflow.objects.get(pk=workflow.pk), contact_id=ada.pk)
    assert not told["entered"] and "may not enter again" in told["answer"]


def test_conditions_of_the_trigger_read_what_the_event_says():
    entry = {
        "trigger": {"type": "event", "event": "ordered", "where": {"field": "event.total", "op": "gte", "value": 50}},
        "re_entry": {"policy": "never"},
    }
    workflow = drafted(HELLO, entry=entry)
    assert tried(workflow, properties={"total": 60})["entered"]
    assert not tried(workflow, properties={"total": 40})["entered"]


def test_what_cannot_be_tried_is_said_in_a_sentence():
    workflow = drafted(HELLO)
    with pytest.raises(CannotTry, match="Nobody can be like that"):
        tried(workflow, invented={"email": "no address"})
    with pytest.raises(CannotTry, match="not there any more"):
        tried(workflow, contact_id=4711)
    with pytest.raises(CannotTry, match="no length of time"):
        Happening("ordered", "soon")
