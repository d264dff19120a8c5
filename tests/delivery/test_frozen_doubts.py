"""Doubts while something is frozen: of everything nobody is asked; of one journey it is still asked what became of its
messages (docs/decisions/0057)."""

from __future__ import annotations

import pytest

from contacts import clock, freezing
from delivery import inquiries
from tests.delivery import making
from tests.delivery.providers.stub import Stub
from tests.delivery.test_inquiries import doubtful, found, postmark, sends, stub  # noqa: F401  (two are fixtures)

pytestmark = pytest.mark.django_db


def freeze(workflow_id: int | None = None) -> None:
    freezing.freeze(reason="the wrong template", workflow_id=workflow_id, now=clock.now())


def questions(asked: Stub) -> int:
    return sum(1 for each in asked.received if each.method == "GET")


def test_while_everything_is_frozen_nobody_is_even_asked(postmark):  # noqa: F811
    message = doubtful(postmark)
    postmark.react = found
    freeze()
    assert inquiries.inquire_batch() is False
    assert questions(postmark) == 0 and making.state(message) == "in_doubt:no_answer"
    freezing.release(now=clock.now())
    assert inquiries.inquire_batch() is True
    assert questions(postmark) > 0 and making.state(message) == "accepted:looked_up"


def test_of_a_frozen_workflow_it_is_still_asked_what_became_of_its_messages(postmark):  # noqa: F811
    message = doubtful(postmark, workflow_id=7)
    postmark.react = found
    freeze(workflow_id=7)
    assert inquiries.inquire_batch() is True
    assert making.state(message) == "accepted:looked_up" and len(sends(postmark, message)) == 1


def test_a_look_that_was_begun_before_a_freeze_ends_its_questions_and_believes_its_answers(
    postmark,  # noqa: F811
    monkeypatch,
):
    message = doubtful(postmark)
    postmark.react = found
    ask = inquiries._inquire

    def freeze_first(*about):
        freeze()
        ask(*about)

    monkeypatch.setattr(inquiries, "_inquire", freeze_first)
    inquiries.inquire_batch()
    assert making.state(message) == "accepted:looked_up" and len(sends(postmark, message)) == 1
