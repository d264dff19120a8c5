"""Rules to begin a score with, as `parsing.parse_ruleset` takes them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Starter:
    """`name` is the score that it would become, `title` what people call it."""

    key: str
    name: str
    title: str
    hint: str
    icon: str
    written: Mapping[str, Any]

    def begin(self, name: str) -> dict[str, Any]:
        """The same for a score of another name."""
        return deepcopy({**self.written, "name": name, "title": self.title if name == self.name else ""})


def _half_life(days: int) -> dict[str, str]:
    return {"type": "half_life", "period": f"P{days}D"}


_ENGAGEMENT: list[dict[str, Any]] = [
    {
        "name": "Opened an email",
        "signal": {"event": "email_opened"},
        "points": 3,
        "decay": _half_life(30),
        "group": "Email",
    },
    {
        "name": "Clicked a link in an email",
        "signal": {"event": "email_clicked"},
        "points": 8,
        "decay": _half_life(30),
        "group": "Email",
    },
    {
        "name": "Visited the website",
        "signal": {"event": "page_viewed"},
        "points": 2,
        "decay": _half_life(14),
        "cap": 15,
        "repeat": {"policy": "once_per", "period": "P1D"},
    },
    {
        "name": "Looked at the prices",
        "signal": {"event": "page_viewed", "where": {"field": "event.path", "op": "contains", "value": "pricing"}},
        "points": 15,
        "decay": _half_life(14),
        "repeat": {"policy": "once_per", "period": "P1D"},
    },
    {
        "name": "Sent a form",
        "signal": {"event": "form_submitted"},
        "points": 20,
        "decay": {"type": "linear", "period": "P90D"},
        "cap": 40,
    },
    {
        "name": "Unsubscribed",
        "signal": {"event": "email_unsubscribed"},
        "points": -30,
        "decay": {"type": "step", "period": "P180D"},
        "repeat": {"policy": "once"},
    },
]
_FIT: list[dict[str, Any]] = [
    {
        "name": "Decides about budgets",
        "signal": {
            "any": [
                {"field": "job_title", "op": "contains", "value": each}
                for each in ("Director", "Head of", "Chief", "VP")
            ]
        },
        "points": 20,
    },
    {
        "name": "Company of a good size",
        "signal": {"field": "company_size", "op": "gte", "value": 50},
        "points": 15,
    },
    {
        "name": "Student",
        "signal": {"field": "job_title", "op": "contains", "value": "Student"},
        "points": -20,
    },
]
_EMAIL = [{"name": "Email", "cap": 40}]

STARTERS = (
    Starter(
        "lead",
        "lead",
        "Lead score",
        "Who they are and what they do, in one number: the usual one",
        "speed",
        {"mql_threshold": 60, "groups": _EMAIL, "rules": [*_ENGAGEMENT, *_FIT]},
    ),
    Starter(
        "engagement",
        "engagement",
        "Engagement",
        "Only what they do, and it fades",
        "ads_click",
        {"mql_threshold": 40, "groups": _EMAIL, "rules": _ENGAGEMENT},
    ),
    Starter("fit", "fit", "Fit", "Only who they are", "person_check", {"mql_threshold": 30, "rules": _FIT}),
    Starter(
        "combined",
        "combined",
        "Fit and engagement together",
        "Adds other scores, each with its weight",
        "merge",
        {"mql_threshold": 60, "parts": {"engagement": 1, "fit": 1}, "rules": []},
    ),
    Starter("empty", "lead", "", "No rule yet", "add_box", {"rules": []}),
)
BY_KEY = {starter.key: starter for starter in STARTERS}
