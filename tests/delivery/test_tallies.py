"""Tallies: exact under repetition, order and death, folded without a gap, and worked out anew from the facts."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import clock, transactions
from delivery import gate, in_doubt, mailboxes, outcomes, recounting, tallies
from delivery.models import PostTally
from delivery.outcomes import Answered
from delivery.providers.base import ACCEPTED, IN_DOUBT, REJECTED, Answer
from tests.delivery import making
from tests.delivery.test_feedback import event, fold, sent

pytestmark = pytest.mark.django_db

FREE = {"per_day": None, "per_week": None}


def counted(*names: str) -> dict[tuple[str, ...], int]:
    """The sums over folded and unfolded rows, by these columns."""
    sums: dict[tuple[str, ...], int] = {}
    for *key, n in PostTally.objects.order_by("id").values_list(*names, "n"):
        sums[tuple(key)] = sums.get(tuple(key), 0) + n
    return {key: n for key, n in sums.items() if n}


def claim(*messages: making.Message) -> tuple[gate.Claim, ...]:
    return transactions.run(lambda now: gate.claim("urgent", limit=len(messages), provider="sendgrid", now=now)).claims


def answer(kind: str, *claims: gate.Claim) -> None:
    transactions.run(lambda now: outcomes.record("sendgrid", [Answered(c, Answer(kind)) for c in claims], now=now))


def test_an_outcome_is_counted_with_where_it_went_from_and_where_to(settings):
    settings.EMAIL_FROM = "Hello@News.Shop.example"
    who = making.contact("Ada@GoogleMail.com")
    making.message(who.pk)
    making.message(who.pk)
    making.deliver()
    assert counted("channel", "provider", "sending", "receiving", "message_class", "what", "reason") == {
        ("email", "sandbox", "news.shop.example", "gmail", "marketing", "accepted", ""): 1,
        ("email", "", "news.shop.example", "gmail", "marketing", "capped", "frequency_cap"): 1,
    }
    assert counted("day") == {(tallies.day_of(clock.now()),): 2}


def test_mail_of_each_class_counts_for_the_domain_that_it_is_sent_from(settings):
    settings.EMAIL_FROM, settings.EMAIL_FROM_TRANSACTIONAL = "a@news.example", "a@mail.example"
    making.message()
    making.message(message_class="transactional")
    making.deliver()
    assert counted("sending", "message_class") == {
        ("news.example", "marketing"): 1,
        ("mail.example", "transactional"): 1,
    }


def test_a_message_by_another_channel_has_neither_domain_nor_mailbox():
    who = making.contact(phone="+4915112345678")
    making.message(who.pk, channel="sms")
    making.deliver()
    assert counted("channel", "sending", "receiving", "what") == {("sms", "", "", "accepted"): 1}


def test_a_report_counts_its_message_once_however_often_it_comes():
    message = sent()
    for timestamp in (1_700_000_000, 1_700_000_100):
        fold(event(message, "delivered"), event(message, "open", timestamp=timestamp))
        fold(event(message, "open", timestamp=timestamp), event(message, "open", timestamp=timestamp + 7))
    found = counted("what")
    assert {found[(what,)] for what in ("accepted", "delivered", "opened")} == {1}
    assert recounting.compare() == []


def test_what_a_machine_opens_is_told_apart():
    message = sent()
    fold(event(message, "open", sg_machine_open=True))
    assert ("machine_opened",) in counted("what")
    assert ("opened",) not in counted("what")


def test_a_transaction_that_is_undone_leaves_no_count():
    claims = claim(making.message())
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        outcomes.record("sendgrid", [Answered(claims[0], Answer(ACCEPTED))], now=clock.now())
        raise KeyboardInterrupt
    assert counted("what") == {}
    answer(ACCEPTED, *claims)
    answer(ACCEPTED, *claims)  # the answer of one who was declared lost, again
    assert counted("what") == {("accepted",): 1}


def test_a_doubt_and_its_end_are_counted_apart():
    first, second = making.message(), making.message()
    answer(IN_DOUBT, *claim(first, second))
    fold(event(first, "delivered"))
    making.age("lease_until", "outbox", "25 hours")
    assert in_doubt.settle_batch()
    assert counted("what", "reason") == {
        ("in_doubt", ""): 2,
        ("accepted", "reported"): 1,
        ("delivered", ""): 1,
        ("undetermined", "deadline"): 1,
    }
    assert recounting.compare() == []


@pytest.mark.parametrize("size", [1, 20])
def test_counting_costs_a_batch_no_statement_of_its_own(size):
    who = [making.contact(f"p{n}@gmail.com", frequency_cap=FREE).pk for n in range(size)]
    claims = claim(*[making.message(each, version_id=making.template()) for each in who])
    with CaptureQueriesContext(connection) as queries:
        answer(ACCEPTED, *claims)
    writing = [each["sql"] for each in queries if "post_tallies" in each["sql"]]
    assert len(writing) == 1
    assert "contact_send_log" in writing[0]
    assert counted("what") == {("accepted",): size}
    assert PostTally.objects.count() == 1


def test_folding_keeps_every_count_and_leaves_a_row_a_day_and_key():
    version = making.template()
    for kind, round_ in itertools.product((ACCEPTED, REJECTED), range(3)):
        who = making.contact(f"{kind}{round_}@web.de")
        answer(kind, *claim(making.message(who.pk, version_id=version)))
        if round_ == 1:
            making.run(tallies.fold_batch)
    before = counted(*tallies.KEY)
    assert PostTally.objects.filter(is_folded=False).count() == 1
    making.run(tallies.fold_batch)
    assert counted(*tallies.KEY) == before
    assert list(PostTally.objects.order_by("what").values_list("what", "receiving", "n", "is_folded")) == [
        ("accepted", "webde", 3, True),
        ("rejected", "webde", 3, True),
    ]


@pytest.mark.django_db(transaction=True)
def test_whoever_folds_passes_over_what_another_one_folds(beside):
    answer(ACCEPTED, *claim(making.message()))
    with transaction.atomic():
        assert tallies.fold() is True
        assert beside(tallies.fold_batch).result(10) is False
    assert counted("what") == {("accepted",): 1}


def test_a_recount_finds_and_mends_what_is_wrong_and_nothing_else(capsys):
    message = sent()
    fold(event(message, "delivered"), event(message, "click"))
    making.run(tallies.fold_batch)
    assert recounting.compare() == []
    PostTally.objects.filter(what="delivered").update(n=7)
    PostTally.objects.filter(what="clicked").delete()
    wrong = {(each.what, each.counted, each.facts) for each in recounting.compare()}
    assert wrong == {("delivered", 7, 1), ("clicked", 0, 1)}
    with pytest.raises(SystemExit):
        call_command("rebuild_tallies", "--check")
    call_command("rebuild_tallies")
    assert "2 tallies were wrong" in capsys.readouterr().out
    assert recounting.compare() == []
    assert recounting.mend() == []
    making.run(tallies.fold_batch)
    assert counted("what") == {("accepted",): 1, ("delivered",): 1, ("clicked",): 1}


def test_what_was_right_keeps_its_domains_when_settings_change_and_people_are_erased(settings):
    settings.EMAIL_FROM = "a@old.example"
    message = sent()
    before = counted("sending", "receiving", "what")
    settings.EMAIL_FROM = "a@new.example"
    making.change("UPDATE addresses SET shown = %s", [""])
    assert recounting.mend() == []
    assert counted("sending", "receiving", "what") == before
    fold(event(message, "delivered"))
    assert counted("sending", "what")[("new.example", "delivered")] == 1


def test_yesterdays_messages_are_counted_for_yesterday():
    message = making.message()
    late = clock.now() - timedelta(days=1)
    with transaction.atomic():
        claims = gate.claim("urgent", limit=1, provider="sendgrid", now=clock.now()).claims
        outcomes.record("sendgrid", [Answered(claims[0], Answer(ACCEPTED))], now=late)
    assert counted("day") == {(tallies.day_of(late),): 1}
    assert recounting.compare() == [], message


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("ada@gmail.com", "gmail"),
        ("ADA@Hotmail.CO.UK", "outlook"),
        ("a@ymail.com", "yahoo"),
        ("a@gmx.net.", "gmx"),
        ("a@gmail.com.evil.example", "other"),
        ("a@notgmail.com", "other"),
        ("gmail.com", "other"),
        ("", "other"),
        ('"a@gmail.com"@shop.example', "other"),
        ("\x00@\ud800", "other"),
    ],
)
def test_a_mailbox_provider_is_known_by_its_domain(address, provider):
    assert mailboxes.of(address) == provider


def test_every_mailbox_provider_has_a_name():
    assert set(mailboxes.BY_DOMAIN.values()) | {mailboxes.OTHER} == set(mailboxes.NAMES)
