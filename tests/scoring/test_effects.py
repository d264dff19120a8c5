"""What rules that are being written would do, before they hold."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from scoring.crossings import comparing, recheck
from scoring.models import ScoreCrossing
from scoring.rulesets import effects
from scoring.rulesets.parsing import parse_ruleset
from tests.scoring.conftest import rule, write_history
from tests.scoring.oracle import Happened

pytestmark = pytest.mark.django_db


def written(*rules: dict, **settings: object):
    return parse_ruleset({"rules": list(rules), **settings})


def asked(person, now, times: int, type_: str = "asked") -> int:
    contact_id = person()
    write_history(contact_id, [Happened(type_, now - timedelta(minutes=each)) for each in range(times)])
    return contact_id


def settle(now) -> None:
    busy = True
    while busy:
        with transaction.atomic():
            busy = comparing.check_batch(now=now, lane="bulk") or recheck.ask_batch(now=now)


def test_a_contact_has_the_score_that_holds_and_the_one_that_would(person, activated, now):
    activated(rule("asked", 10))
    one, other = asked(person, now, 3), asked(person, now, 1)
    found = effects.effect(written(rule("asked", 25), rule("left", -1)), contact_ids=[other, one, 10**12], now=now)
    assert [(row.contact_id, row.before, row.after, row.crosses) for row in found] == [
        (other, 10.0, 25.0, ""),
        (one, 30.0, 75.0, "up"),
    ]


def test_sides_count_not_only_scores(person, activated, now):
    """Who is above falls only below the hysteresis; and who was never above does not fall."""
    activated(rule("asked", 10))
    above, never = asked(person, now, 6), asked(person, now, 5)
    settle(now)

    def crosses(points: float, **settings: object) -> list[str]:
        draft = written(rule("asked", points), **settings)
        return [row.crosses for row in effects.effect(draft, contact_ids=[above, never], now=now)]

    assert crosses(9.5) == ["", ""]  # 57 is not yet below 54
    assert crosses(9.5, hysteresis=0) == ["down", ""]
    assert crosses(8) == ["down", ""]
    assert crosses(12) == ["", "up"]
    assert crosses(10, mql_threshold=50) == ["", "up"]
    assert crosses(10, mql_threshold=70) == ["down", ""]


def test_parts_count_in_a_draft_that_combines(person, activated, now):
    activated(rule("asked", 10), name="engagement")
    contact_id = asked(person, now, 2)
    draft = written(rule("asked", 1), parts={"engagement": 0.5})
    (row,) = effects.effect(draft, contact_ids=[contact_id], now=now)
    assert (row.before, row.after) == (0.0, 12.0)


def test_the_number_of_statements_does_not_depend_on_the_contacts(
    person, activated, now, django_assert_num_queries, django_assert_max_num_queries
):
    activated(rule("asked", 10))
    people = [asked(person, now, each) for each in range(8)]
    draft = written(rule("asked", 11))
    with django_assert_max_num_queries(6) as few:
        effects.effect(draft, contact_ids=people[:1], now=now)
    with django_assert_num_queries(len(few.captured_queries)):
        effects.effect(draft, contact_ids=people, now=now)


def test_who_tells_something_stands_around_the_threshold_at_the_top_and_below_nothing(person, activated, now):
    activated(rule("asked", 10), rule("left", -5))
    by_score = {10 * times: asked(person, now, times) for times in range(30)}
    negative = [asked(person, now, times, "left") for times in (1, 2, 3)]
    chosen = effects.telling(written(rule("asked", 1)), now=now)
    assert len(chosen) == effects.SHOWN == len(set(chosen))
    scores = [score for score in by_score if by_score[score] in chosen]
    assert sorted(scores, reverse=True)[:2] == [290, 280]
    assert {80, 70, 60, 50, 40, 30} <= set(scores)
    assert [each for each in negative if each in chosen] == negative[-2:]
    assert list(chosen).index(by_score[290]) == 0 and chosen[-1] == negative[-1]


def test_without_active_rules_the_written_ones_choose(person, now):
    best, _ = asked(person, now, 9), asked(person, now, 1)
    assert effects.telling(written(rule("asked", 10)), now=now)[0] == best


def test_nobody_tells_anything_where_there_is_nobody(now):
    assert effects.telling(written(rule("asked", 10)), now=now) == ()
    assert effects.effect(written(rule("asked", 10)), contact_ids=[], now=now) == ()


def test_everybody_who_would_change_sides_is_counted_as_the_crossings_then_are(person, activated, now):
    active = activated(rule("asked", 10))
    for times in (0, 1, 4, 5, 6, 7, 8):
        asked(person, now, times)
    settle(now)
    draft = {"rules": [rule("asked", 12), rule("bought", 1)], "mql_threshold": 60}
    found = effects.consequences(parse_ruleset(draft), now=now)
    assert (found.rise, found.fall, found.estimated, found.looked_at, found.contacts) == (1, 0, False, 7, 7)
    fewer = {**draft, "rules": [rule("asked", 8)]}
    assert effects.consequences(parse_ruleset(fewer), now=now).fall == 1  # 48 is below 54, 56 and 64 are not
    activated(*draft["rules"])
    settle(now)
    assert ScoreCrossing.objects.exclude(ruleset_id=active).filter(upward=True).count() == found.rise
    assert not ScoreCrossing.objects.exclude(ruleset_id=active).filter(upward=False).exists()


def test_where_counting_takes_too_long_a_sample_says_what_it_is(person, activated, now, monkeypatch):
    activated(rule("asked", 10))
    for times in (6, 7):
        asked(person, now, times)
    exact: list[int] = []
    whole = effects.row_within

    def impatient(milliseconds, statement, params):
        exact.append(milliseconds)
        return None if len(exact) == 1 else whole(milliseconds, statement, params)

    monkeypatch.setattr(effects, "row_within", impatient)
    found = effects.consequences(written(rule("asked", 10)), now=now)
    assert found.estimated and found.looked_at == 2
    monkeypatch.setattr(effects, "row_within", lambda *_: None)
    silent = effects.consequences(written(rule("asked", 10)), now=now)
    assert (silent.rise, silent.fall, silent.estimated) == (None, None, True)
