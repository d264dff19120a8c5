"""Two workers that fold what happened to one address, arranged by hand: whoever comes second sees what the first one
wrote, or nobody comes second."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from contacts import transactions
from delivery.webhooks import feedback
from tests.delivery.test_gate_races import somebody_waits_for_a_lock, wait_until
from tests.delivery.webhooks.test_every_order import read, sendgrid, sent, standing

pytestmark = pytest.mark.django_db(transaction=True)

Elements = list[dict[str, Any]]


def fold(elements: Elements) -> None:
    transactions.run(lambda now: feedback.fold(read("sendgrid", elements), now=now))


def fold_two(beside: Any, first: Elements, second: Elements) -> None:
    """The second is begun after the first has done all its work, and before it is committed."""
    with transaction.atomic():
        fold(first)
        other = beside(fold, second)
        wait_until(lambda: other.done() or somebody_waits_for_a_lock())
    other.result(10)


def bounced(messages: list[Any], **more: Any) -> Elements:
    return [sendgrid(each, "bounce", n, type="blocked", **more) for n, each in enumerate(messages)]


def five_bounces_and_a_delivery_among_them() -> tuple[Elements, Elements]:
    messages = sent(6)
    return bounced(messages[:5]), [sendgrid(messages[5], "delivered", 2)]


def test_bounces_that_are_folded_beside_a_delivery_see_it(beside):
    bounces, delivery = five_bounces_and_a_delivery_among_them()
    fold_two(beside, delivery, bounces)
    assert standing() == set()


def test_a_delivery_that_is_folded_beside_bounces_sees_them(beside):
    bounces, delivery = five_bounces_and_a_delivery_among_them()
    fold_two(beside, bounces, delivery)
    assert standing() == set()


@pytest.mark.parametrize("comes_first", [0, 1])
def test_folds_that_hold_only_what_was_reported_would_suppress_whom_a_message_reached(beside, monkeypatch, comes_first):
    """The mutant: what the two tests above would let through if they could not fail."""
    monkeypatch.setattr(feedback, "_bounced_for_now", lambda found: set())
    both = five_bounces_and_a_delivery_among_them()
    fold_two(beside, both[comes_first], both[1 - comes_first])
    assert standing() == {("email", "soft_bounce")}


@pytest.mark.parametrize("of_the_first", [1, 4])
def test_bounces_of_an_address_that_nobody_knew_are_counted_together(beside, of_the_first):
    """Where the provider says that it wrote to another address than we did, its row is made by the fold."""
    bounces = bounced(sent(5), email="forwarded@example.com")
    fold_two(beside, bounces[:of_the_first], bounces[of_the_first:])
    assert standing() == {("email", "soft_bounce")}
