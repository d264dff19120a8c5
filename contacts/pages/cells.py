"""Small pieces that every admin page shows alike: pills, times with their zone, two-line cells, readable JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from contacts import personal

NOTHING = format_html('<span class="cl-faint">{}</span>', "–")

# What a state feels like; a word always stands beside the colour.
TONES = {
    "live": "good", "active": "good", "accepted": "good", "completed": "good", "granted": "good", "running": "good",
    "delivered": "good", "processed": "good", "standing": "bad",
    "draft": "plain", "queued": "plain", "retired": "plain", "archived": "plain", "cancelled": "plain",
    "exited": "plain", "released": "plain", "pending": "plain",
    "sending": "info", "waiting": "info", "claimed": "info",
    "paused": "warn", "capped": "warn", "suppressed": "warn", "in_doubt": "warn", "retry": "warn", "held": "warn",
    "rejected": "bad", "failed": "bad", "undetermined": "bad", "denied": "bad", "stopped": "bad", "revoked": "bad",
}  # fmt: skip


def words(name: str) -> str:
    """`in_doubt` -> `In doubt`."""
    return name.replace("_", " ").strip().capitalize()


def pill(text: str, tone: str = "plain") -> SafeString:
    return format_html('<span class="cl-pill cl-{}">{}</span>', tone, text)


def state_pill(state: str) -> SafeString:
    return pill(words(state), TONES.get(state, "plain"))


def zone(name: str) -> tzinfo | None:
    """The time zone of that name, or None when there is none (a stored zone is taken as it stands, valid or not)."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def moment(at: datetime | None, tz: tzinfo | None = None, *, seconds: bool = False) -> SafeString:
    """An instant, in UTC and saying so; with a zone, what its clocks showed as a title."""
    if at is None:
        return NOTHING
    return format_html(
        '<time class="cl-time" datetime="{}"{}>{} <small>UTC</small></time>',
        at.isoformat(),
        format_html(' title="{}"', f"{at.astimezone(tz):%-d %b %Y, %H:%M:%S} in {tz}") if tz else "",
        f"{at:%-d %b %Y, %H:%M:%S}" if seconds else f"{at:%-d %b %Y, %H:%M}",
    )


def stacked(first: Any, second: Any = "") -> SafeString:
    """Two lines in one cell; the second is quieter."""
    return format_html(
        '<span class="cl-stack"><span>{}</span>{}</span>',
        first,
        format_html("<small>{}</small>", second) if second else "",
    )


def link(text: Any, url: str) -> SafeString:
    return format_html('<a class="cl-link" href="{}">{}</a>', url, text) if url else format_html("{}", text)


def tags(names: Sequence[str], *, shown: int = 3) -> SafeString:
    if not names:
        return NOTHING
    more = format_html(' <small class="cl-faint">+{}</small>', len(names) - shown) if len(names) > shown else ""
    return format_html(
        '<span class="cl-tags">{}{}</span>',
        format_html_join(" ", '<span class="cl-tag">{}</span>', ((name,) for name in names[:shown])),
        more,
    )


def pretty_json(value: Any) -> SafeString:
    """Indented; what is personal in it is masked for who may not see it."""
    return format_html(
        '<pre class="cl-json" tabindex="0" aria-label="JSON">{}</pre>',
        json.dumps(personal.facts(value), indent=2, ensure_ascii=False, default=str),
    )
