"""What one version says differently from another, in sentences."""

from __future__ import annotations

import pytest

from scoring.rulesets import diff
from scoring.rulesets.parsing import parse_ruleset
from scoring.rulesets.versions import spelled


def written(*rules: dict, **settings: object) -> dict:
    return spelled(parse_ruleset({"rules": list(rules), **settings}))


def opened(**more: object) -> dict:
    return {"name": "Opened", "signal": {"event": "email_opened"}, "points": 5, **more}


def clicked(**more: object) -> dict:
    return {"name": "Clicked", "signal": {"event": "email_clicked"}, "points": 10, **more}


def told(before: dict, after: dict) -> list[tuple]:
    return [(change.kind, change.what, *change.sentences) for change in diff.compare(before, after)]


def test_versions_that_say_the_same_do_not_differ():
    one = written(opened(points=5, decay={"type": "linear", "period": "P3D"}))
    other = written(opened(points=5.0, decay={"period": "P3D", "type": "linear"}))
    assert told(one, other) == []


def test_rules_that_come_and_go_are_told_whole():
    before = written(opened(cap=20))
    after = written(clicked(decay={"type": "half_life", "period": "P14D"}, repeat={"policy": "once"}))
    clicks = "+10 when “email_clicked” happened, each time; halves every 14 days; only the newest counts"
    assert told(before, after) == [
        ("added", "Clicked", clicks),
        ("removed", "Opened", "+5 when “email_opened” happened, each time; 20 points at most"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"points": 15}, "points: +5 → +15"),
        ({"points": -2.5}, "points: +5 → −2.5"),
        (
            {"signal": {"event": "email_opened", "within": "P7D"}},
            "earned when: “email_opened” happened, each time → “email_opened” happened in the last 7 days, each time",
        ),
        ({"decay": {"type": "half_life", "period": "P14D"}}, "fades: never → halves every 14 days"),
        ({"decay": {"type": "step", "period": "PT36H"}}, "fades: never → whole for 36 hours, then nothing"),
        ({"repeat": {"policy": "once_per", "period": "P1D"}}, "repeated: every one counts → at most once a day"),
        ({"cap": 20}, "at most: without a limit → 20 points"),
        ({"group": "Mail"}, "group: none → “Mail”"),
        ({"human_only": False}, "machines: do not count → count, too"),
    ],
)
def test_each_part_of_a_rule_is_told_by_itself(change, sentence):
    groups = [{"name": "Mail", "cap": 9}]
    assert told(written(opened(), groups=groups), written(opened(**change), groups=groups)) == [
        ("changed", "Opened", sentence)
    ]


def test_a_rule_that_is_only_called_otherwise_is_the_same_rule():
    assert told(written(opened(), clicked()), written(opened(name="Read"), clicked())) == [
        ("changed", "Read", "was called “Opened”")
    ]


def test_of_two_rules_of_one_name_each_finds_its_own():
    first, second = opened(points=1), opened(points=2)
    assert told(written(first, second), written(second, first)) == [
        ("moved", "Opened", "stands in another place, which changes no score")
    ]
    assert told(written(first, second), written(first, opened(points=3))) == [("changed", "Opened", "points: +2 → +3")]


def test_only_rules_that_left_the_order_are_moved():
    rules = [opened(name=name) for name in "abcd"]
    moved = told(written(*rules), written(rules[3], *rules[:3]))
    assert [(kind, what) for kind, what, _ in moved] == [("moved", "d")]


def test_settings_are_told_first():
    before = written(opened(), groups=[{"name": "Mail", "cap": 20}, {"name": "Web", "cap": 5}], parts={"fit": 1})
    after = written(
        opened(points=6),
        title="Intent",
        mql_threshold=1500,
        cap=2000,
        groups=[{"name": "Mail", "cap": 30}, {"name": "Shop", "cap": 7}],
        parts={"engagement": 0.5},
        hysteresis=0.25,
        rearm_after="P7D",
        on_activation="rebase",
    )
    assert told(before, after) == [
        ("setting", "Title", "none → Intent"),
        ("setting", "Threshold", "60 points → 1,500 points"),
        ("setting", "Falls below", "10 % under the threshold → 25 % under the threshold"),
        ("setting", "Rests after a turn", "no time → 7 days"),
        ("setting", "All in all at most", "without a limit → 2,000 points"),
        ("setting", "When it becomes active", "crossings are told → crossings are not told"),
        ("setting", "Group “Mail”", "20 points → 30 points"),
        ("setting", "Group “Web”", "is gone"),
        ("setting", "Group “Shop”", "is new: 7 points"),
        ("setting", "Part “fit”", "is gone"),
        ("setting", "Part “engagement”", "is new: 0.5 times"),
        ("changed", "Opened", "points: +5 → +6"),
    ]
