"""The frequency cap: rolling windows, a contact's own, what counts, and who gets the place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from delivery import caps, outbox
from delivery.caps import Cap, Sent
from delivery.models import Message, OutboxEntry, SendLogEntry
from tests.delivery import making
from tests.delivery.esp import Reaction

pytestmark = pytest.mark.django_db

DAY, WEEK = 24 * 3600, 7 * 24 * 3600  # seconds


@pytest.mark.parametrize(
    ("own", "cap"),
    [
        (None, Cap(1, 3)),
        ({}, Cap(1, 3)),
        ({"per_day": 2, "per_week": 5}, Cap(2, 5)),
        ({"per_day": None, "per_week": 5}, Cap(None, 5)),
        ({"per_day": None, "per_week": None}, Cap(None, None)),
        ({"per_day": 0}, Cap(0, 3)),
        ({"per_day": "many", "per_week": True}, Cap(1, 3)),
        ({"per_day": -1}, Cap(1, 3)),
        ("nonsense", Cap(1, 3)),
    ],
)
def test_a_contacts_own_cap_goes_before_the_installations(own, cap):
    assert caps.cap_of(own) == cap


@pytest.mark.parametrize(
    ("cap", "sent", "left"),
    [
        (Cap(1, 3), Sent(), 1),
        (Cap(1, 3), Sent(1, 1), 0),
        (Cap(1, 3), Sent(0, 3), 0),
        (Cap(5, 3), Sent(1, 1), 2),
        (Cap(None, 3), Sent(9, 9), 0),
        (Cap(None, None), Sent(9, 9), None),
        (Cap(0, None), Sent(), 0),
    ],
)
def test_what_is_left_is_the_least_of_both_windows(cap, sent, left):
    assert caps.places(cap, sent) == left


def sent_before(hours: float, contact_id: int) -> None:
    """One e-mail whose request started at the latest `hours` ago."""
    message = making.message(contact_id, override_cap=True)
    making.deliver()
    at = datetime.now(UTC) - timedelta(hours=hours)
    statement = "UPDATE contact_send_log SET cap_delta = 1, counts_at = %s WHERE message_id = %s AND kind = 'claimed'"
    making.change(statement, [at, message.pk])


@pytest.mark.parametrize(
    ("history", "state"),
    [
        ([], "accepted"),
        ([1], "capped:frequency_cap"),
        ([23.9], "capped:frequency_cap"),
        ([24.1], "accepted"),
        ([25, 50], "accepted"),
        ([25, 50, 75], "capped:frequency_cap"),
        ([25, 50, 167.9], "capped:frequency_cap"),
        ([25, 50, 168.1], "accepted"),
    ],
)
def test_one_a_day_and_three_a_week_in_rolling_windows(history, state):
    who = making.contact()
    for hours in history:
        sent_before(hours, who.pk)
    message = making.message(who.pk)
    making.deliver()
    assert making.state(message) == state


@pytest.mark.parametrize(
    ("history", "window"),
    [([DAY - 30], DAY), ([WEEK - 40, 3 * DAY, 2 * DAY], WEEK), ([WEEK - 40, 3 * DAY, DAY - 20], WEEK)],
)
def test_what_finds_a_place_within_a_minute_is_put_off_until_then(history, window):
    who = making.contact()
    for seconds in history:
        sent_before(seconds / 3600, who.pk)
    message = making.message(who.pk)
    making.deliver()
    assert making.state(message) == "queued:frequency_cap"
    the_first = SendLogEntry.objects.filter(cap_delta=1).earliest("counts_at")
    assert OutboxEntry.objects.get(message=message).due_at == the_first.counts_at + timedelta(seconds=window)
    making.change("UPDATE outbox SET due_at = now() WHERE message_id = %s", [message.pk])
    making.change("UPDATE contact_send_log SET counts_at = counts_at - interval '1 minute' WHERE cap_delta = 1", [])
    making.deliver()
    assert making.state(message) == "accepted"


def test_the_place_is_free_a_window_after_the_claim_also_where_time_runs_faster(settings):
    settings.TIME_SPEED = 2.0
    who = making.contact()
    sent_before((DAY / 2 - 20) / 3600, who.pk)
    message = making.message(who.pk)
    making.deliver()
    the_first = SendLogEntry.objects.get(cap_delta=1)
    assert OutboxEntry.objects.get(message=message).due_at == the_first.counts_at + timedelta(hours=12)


def test_of_two_that_wait_for_one_place_only_the_better_is_put_off():
    who = making.contact()
    sent_before((DAY - 30) / 3600, who.pk)
    good, better = making.message(who.pk, priority=4), making.message(who.pk, priority=6)
    making.deliver()
    assert making.states([good, better]) == ["capped:frequency_cap", "queued:frequency_cap"]


def test_the_windows_run_with_the_time_of_the_installation(settings):
    settings.TIME_SPEED = 24.0  # a day in an hour
    who = making.contact()
    sent_before(1.1, who.pk)
    message = making.message(who.pk)
    making.deliver()
    assert making.state(message) == "accepted"


def test_a_contact_without_a_cap_gets_everything():
    who = making.contact(frequency_cap={"per_day": None, "per_week": None})
    messages = [making.message(who.pk) for _ in range(5)]
    making.deliver()
    assert making.states(messages) == ["accepted"] * 5


def test_transactional_mail_and_overrides_pass_do_not_count_and_say_so():
    who = making.contact()
    exempt = [making.message(who.pk, message_class="transactional"), making.message(who.pk, override_cap=True)]
    making.deliver()
    marketing = making.message(who.pk)
    making.deliver()
    assert making.states([*exempt, marketing]) == ["accepted"] * 3
    claims = {row.message_id: row for row in SendLogEntry.objects.filter(kind="claimed")}
    assert [claims[message.pk].cap_delta for message in (*exempt, marketing)] == [0, 0, 1]
    assert [claims[message.pk].evidence for message in exempt] == [
        {"cap_exempt": "transactional"},
        {"cap_exempt": "override"},
    ]


def test_a_capped_message_is_final_leaves_its_evidence_and_is_told(told):
    who = making.contact()
    first, second = making.message(who.pk), making.message(who.pk)
    making.deliver()
    row = SendLogEntry.objects.get(message=second)
    assert (row.kind, row.reason, row.cap_delta) == ("capped", "frequency_cap", 0)
    cap = {"per_day": 1, "per_week": 3, "sent_day": 0, "sent_week": 0}
    assert row.evidence == cap | {"place_in_line": 2, "ahead": [first.pk]}
    assert [(each.message_id, each.kind) for each in told] == [(second.pk, "capped"), (first.pk, "accepted")]
    assert [name for name, _ in making.events(who.pk)] == ["send_suppressed_frequency_cap", "email_sent"]


def test_the_place_goes_to_the_best_message_of_all_lanes_whoever_claims_first():
    who = making.contact()
    urgent, bulk = making.message(who.pk, priority=3), making.message(who.pk, priority=8, lane="bulk")
    making.deliver("urgent")
    assert making.states([urgent, bulk]) == ["capped:frequency_cap", "queued"]
    making.deliver("bulk")
    assert making.state(bulk) == "accepted"


def test_who_may_not_be_sent_anyway_stands_in_nobodys_way():
    """The better message is about a topic that they refused: it takes no place from the other one."""
    from contacts import consent
    from contacts.consent import Consent

    who = making.contact()
    with transaction.atomic():
        consent.record([Consent(who.pk, "marketing", "denied", "news")], source="api", now=datetime.now(UTC))
    refused = making.message(who.pk, priority=9, topic="news", lane="bulk")
    wanted = making.message(who.pk, priority=1)
    making.deliver("urgent")
    making.deliver("bulk")
    assert making.states([refused, wanted]) == ["suppressed:consent", "accepted"]


def test_a_message_that_is_not_due_yet_takes_no_place():
    who = making.contact()
    later, now_due = making.message(who.pk, priority=9), making.message(who.pk, priority=1)
    making.change("UPDATE outbox SET due_at = due_at + interval '1 hour' WHERE message_id = %s", [later.pk])
    making.deliver()
    assert making.states([later, now_due]) == ["queued", "accepted"]


@pytest.mark.parametrize(("status", "second"), [(400, "accepted"), (None, "capped:frequency_cap")])
def test_a_refused_mail_gives_its_place_back_and_a_doubtful_one_keeps_it(esp, status, second):
    who = making.contact()
    first = making.message(who.pk)
    esp.react = lambda nth, body: Reaction(status=status)
    making.deliver()
    esp.react = lambda nth, body: Reaction()
    other = making.message(who.pk)
    making.deliver()
    assert making.state(first) != "accepted"
    assert making.state(other) == second


def test_a_cancelled_message_leaves_the_line():
    who = making.contact()
    best, other = making.message(who.pk, priority=9, enrolment_id=1), making.message(who.pk, enrolment_id=2)
    with transaction.atomic():
        assert outbox.cancel_queued(enrolment_ids=[1], reason="goal_achieved", now=datetime.now(UTC)) == 1
    making.deliver()
    assert making.states([best, other]) == ["cancelled:goal_achieved", "accepted"]
    assert Message.objects.count() == 2


def reachable() -> int:
    return making.contact(phone="+4930123456").pk


def test_sms_and_push_messages_have_no_cap_unless_the_settings_give_them_one():
    who = reachable()
    messages = [making.message(who, channel=channel) for channel in ("sms", "sms", "push", "push")]
    making.deliver()
    assert set(making.states(messages)) == {"accepted"}
    assert {row.cap_delta for row in SendLogEntry.objects.filter(kind="claimed")} == {0}
    assert {row.evidence["cap_exempt"] for row in SendLogEntry.objects.filter(kind="claimed")} == {"no_cap"}


@pytest.mark.parametrize(("channel", "other"), [("sms", "push"), ("push", "sms")])
def test_each_channel_has_a_cap_of_its_own_in_both_windows(settings, channel, other):
    setattr(settings, f"{channel.upper()}_CAP_PER_DAY", 2)
    setattr(settings, f"{channel.upper()}_CAP_PER_WEEK", 3)
    who = reachable()
    first = [making.message(who, channel=channel) for _ in range(3)]
    others = [making.message(who, channel=other) for _ in range(3)]
    mail = making.message(who)
    making.deliver()
    assert making.states(first) == ["accepted", "accepted", "capped:frequency_cap"]
    assert set(making.states([*others, mail])) == {"accepted"}
    making.change("UPDATE contact_send_log SET counts_at = counts_at - interval '25 hours' WHERE cap_delta = 1", [])
    second = [making.message(who, channel=channel) for _ in range(2)]
    making.deliver()
    assert making.states(second) == ["accepted", "capped:frequency_cap"]


def test_transactional_and_override_messages_pass_the_cap_of_their_channel(settings):
    settings.SMS_CAP_PER_DAY = 0
    who = reachable()
    passing = [
        making.message(who, channel="sms", message_class="transactional"),
        making.message(who, channel="sms", override_cap=True),
    ]
    capped = making.message(who, channel="sms")
    making.deliver()
    assert making.states([*passing, capped]) == ["accepted", "accepted", "capped:frequency_cap"]
