"""The gate's decision as a table: no database."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from delivery import verdicts
from delivery.caps import Cap, Sent
from delivery.verdicts import Candidate, Known, Standing


def candidate(message_id: int, priority: int = 5, **changes: object) -> Candidate:
    given_ = {
        "contact_id": 1, "address_id": 1, "channel": "email", "message_class": "marketing", "topic": "",
        "priority": priority, "override_cap": False,
    }  # fmt: skip
    return Candidate(message_id=message_id, **(given_ | changes))  # type: ignore[arg-type]


def kinds(candidates: list[Candidate], known: Known, cap: Cap) -> dict[int, str]:
    return {each.message_id: each.kind for each in verdicts.decide(candidates, known, caps={1: cap})}


def test_the_line_is_by_priority_and_then_by_age():
    line = [candidate(3, 9), candidate(1, 5), candidate(2, 5)]
    assert kinds(line, Known(waiting=line), Cap(2, None)) == {3: "claimed", 1: "claimed", 2: "capped"}


def test_somebody_elses_message_in_the_line_counts_though_it_is_not_decided_here():
    here, elsewhere = candidate(1, 5), candidate(2, 9)
    assert kinds([here], Known(waiting=[here, elsewhere]), Cap(1, None)) == {1: "capped"}
    assert kinds([here], Known(waiting=[here, elsewhere]), Cap(2, None)) == {1: "claimed"}


def test_the_reason_is_the_first_suppression_that_applies():
    known = Known(suppressions={1: [Standing("news", "unsubscribe"), Standing("all", "complaint")]})
    (verdict,) = verdicts.decide([candidate(1)], known, caps={1: Cap(1, 3)})
    assert (verdict.kind, verdict.reason) == ("suppressed", "complaint")


@given(
    priorities=st.lists(st.integers(1, 10), min_size=1, max_size=12),
    taken=st.sets(st.integers(0, 11)),
    per_day=st.integers(0, 5),
    sent=st.integers(0, 5),
)
def test_never_more_go_out_than_there_are_places_and_only_the_best(priorities, taken, per_day, sent):
    line = [candidate(number, priority) for number, priority in enumerate(priorities)]
    mine = [each for each in line if each.message_id in taken]
    known = Known(waiting=line, sent={1: Sent(sent, sent)})
    decided = kinds(mine, known, Cap(per_day, None))
    claimed = [each for each in mine if decided[each.message_id] == "claimed"]
    capped = [each for each in mine if decided[each.message_id] == "capped"]
    assert len(claimed) <= max(per_day - sent, 0)
    assert all(one.priority >= other.priority for one in claimed for other in capped)
    best = sorted(line, key=lambda each: (-each.priority, each.message_id))[: max(per_day - sent, 0)]
    assert {each.message_id for each in claimed} == {each.message_id for each in best} & {m.message_id for m in mine}
