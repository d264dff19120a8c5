"""Producers' clocks: a table of what is corrected, and what is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contacts.collect.clocks import corrected

HERE = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))


@pytest.mark.parametrize(
    ("sent", "happened", "truth"),
    [
        (HERE - 2 * HOUR, HERE - 3 * HOUR, HERE - HOUR),
        (HERE + 2 * HOUR, HERE + HOUR, HERE - HOUR),
        (HERE + 2 * HOUR, HERE + 2 * HOUR, HERE),
        (HERE + 3650 * DAY, HERE + 3649 * DAY, HERE - DAY),
        (HERE - 24 * HOUR, HERE - 30 * HOUR, HERE - 6 * HOUR),
        (HERE - HOUR, HERE - 400 * DAY, HERE - 400 * DAY + HOUR),
    ],
    ids=["slow", "fast", "just now", "ten years fast", "a day slow", "long ago"],
)
def test_a_wrong_clock_is_set_right(sent, happened, truth):
    assert corrected(happened, sent_at=sent, received_at=HERE) == truth


@pytest.mark.parametrize(
    ("sent", "happened"),
    [
        (HERE - 10 * SECOND, HERE - HOUR),
        (HERE + 10 * SECOND, HERE - HOUR),
        (HERE - 24 * HOUR - SECOND, HERE - 25 * HOUR),
        (HERE - HOUR, HERE - HOUR + 11 * SECOND),
        (HERE + HOUR, datetime.min.replace(tzinfo=UTC)),
    ],
    ids=["in transit", "a little fast", "came late", "two clocks", "before the first year"],
)
def test_what_cannot_be_told_stays_as_it_was_said(sent, happened):
    assert corrected(happened, sent_at=sent, received_at=HERE) == happened


def test_without_either_word_there_is_nothing_to_correct():
    assert corrected(None, sent_at=HERE, received_at=HERE + HOUR) is None
    assert corrected(HERE, sent_at=None, received_at=HERE + HOUR) == HERE
