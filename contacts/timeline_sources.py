"""What the ground floor knows of a contact's history: the event log, the changes, consent, and merges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.urls import reverse

from contacts import personal, timeline
from contacts.consent import CHANNELS
from contacts.timeline import Before, Entry, Source

# How our own events and the usual ones of a web site read; any other type is shown by its own words.
_KNOWN: Mapping[str, tuple[str, str, str]] = {
    "page_viewed": ("Viewed a page", "language", "sky"),
    "form_submitted": ("Submitted a form", "assignment_turned_in", "violet"),
    "email_sent": ("Email handed to the provider", "send", "indigo"),
    "email_delivered": ("Email delivered", "mark_email_read", "indigo"),
    "email_opened": ("Opened an email", "drafts", "emerald"),
    "email_clicked": ("Clicked in an email", "ads_click", "emerald"),
    "email_bounced": ("Email bounced", "unsubscribe", "rose"),
    "email_complained": ("Marked an email as spam", "report", "rose"),
    "email_unsubscribed": ("Unsubscribed", "unsubscribe", "rose"),
    "email_deferred": ("Email deferred by the mailbox", "schedule_send", "amber"),
    "email_rejected": ("Email refused", "block", "rose"),
    "workflow_entered": ("Entered a journey", "login", "violet"),
    "workflow_exited": ("Left a journey", "logout", "violet"),
    "segment_entered": ("Entered a segment", "group_add", "violet"),
    "segment_left": ("Left a segment", "group_remove", "violet"),
    "list_joined": ("Joined a list", "list", "emerald"),
    "subscription_confirmed": ("Confirmed a subscription", "verified", "emerald"),
    "score_threshold_crossed": ("Crossed a score threshold", "trending_up", "rose"),
}
_TELLING = (
    "name",
    "title",
    "path",
    "url",
    "template",
    "form",
    "plan",
    "product",
    "total",
    "amount",
    "link",
    "threshold",
)
_MACHINERY = frozenset({"message_id", "enrolment_id", "workflow_id", "version_id", "step", "is_machine"})
_SHOWN_VALUES = 3
_LONGEST_VALUE = 60

_BY = {
    "api": "over the API",
    "import": "by an import",
    "event": "with an event",
    "admin": "in the admin",
    "preferences": "on the preference page",
    "confirm": "by the link in a mail",
    "merge": "by a merge",
    "merge_undone": "by undoing a merge",
}
_BY_NAME = {"workflow": "by the journey", "key": "with the key"}
_CHANGE_ICONS = {"tag": "sell", "identity": "badge", "identity_conflict": "warning", "list": "list"}
_CHANGE_TONES = {"tag": "emerald", "list": "emerald", "identity_conflict": "amber"}


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _by(source: str) -> str:
    """Of whoever said or did it: a source, or an actor such as `staff:maya`."""
    kind, _, name = source.partition(":")
    if name:
        return f"{_BY_NAME.get(kind, 'by')} {name}"
    return _BY.get(source) or (f"by {source}" if source else "")


def summary(properties: Mapping[str, Any]) -> str:
    """The few properties that say most about an event, on one line."""
    scalars = {
        name: value
        for name, value in personal.facts(properties).items()
        if name not in _MACHINERY and value is not None and not isinstance(value, list | dict)
    }
    telling = [name for name in _TELLING if name in scalars]
    chosen = (telling + [name for name in scalars if name not in telling])[:_SHOWN_VALUES]
    return " · ".join(f"{name.replace('_', ' ')}: {_value(scalars[name])}" for name in chosen)


def describe(event_type: str) -> tuple[str, str, str]:
    """An event type's words, icon and tone."""
    known = _KNOWN.get(event_type)
    return known or (event_type.replace("_", " ").capitalize(), "bolt", "sky")


def events(*, contact_id: int, before: Before, limit: int, alone: bool) -> list[Entry]:
    hidden = [] if alone else sorted(timeline.told_elsewhere())
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, type, occurred_at, properties::text, source, processed FROM contact_events
             WHERE contact_id = %s AND (occurred_at, id) < (%s, %s) AND type <> ALL(%s)
             ORDER BY occurred_at DESC, id DESC LIMIT %s
            """,
            [contact_id, before.at, before.id, hidden, limit],
        )
        rows = cursor.fetchall()
    return [_event(row) for row in rows]


def _event(row: tuple[Any, ...]) -> Entry:
    id, event_type, at, properties, source, processed = row
    title, icon, tone = describe(event_type)
    stored = json.loads(properties)
    return Entry(
        at=at,
        id=id,
        type=event_type,
        title=title,
        detail=summary(stored if isinstance(stored, dict) else {}) or ("" if source == "own" else f"from {source}"),
        icon=icon,
        tone=tone,
        badge="" if processed else "Held: no consent",
        badge_tone="warn",
        url=reverse("admin:contacts_contactevent_change", args=[id]),
        url_shows="contacts.contactevent",
        data={"properties": stored, "processed": processed, "from": source},
    )


def changes(*, contact_id: int, before: Before, limit: int, alone: bool) -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, changed_at, kind, name, old::text, new::text, source FROM contact_changes
             WHERE contact_id = %s AND (changed_at, id) < (%s, %s)
             ORDER BY changed_at DESC, id DESC LIMIT %s
            """,
            [contact_id, before.at, before.id, limit],
        )
        rows = cursor.fetchall()
    return [_change(row) for row in rows]


def _change(row: tuple[Any, ...]) -> Entry:
    id, at, kind, name, old, new, source = row
    was, is_now = (None if text is None else json.loads(text) for text in (old, new))
    if not name:
        title, detail = f"{kind.replace('_', ' ').capitalize()} changed", "what it was is erased"
    elif kind == "tag":
        title, detail = (f"Tag removed: {name}", "") if is_now in (None, False) else (f"Tag added: {name}", "")
    elif kind == "list":
        title, detail = (f"Left the list {name}", "") if is_now in (None, False) else (f"Joined the list {name}", "")
    elif kind == "identity":
        title, detail = f"{name.replace('_', ' ').capitalize()} added", _value(is_now)
    elif kind == "identity_conflict":
        title, detail = f"Conflicting identifier: {name}", "kept apart, nothing was merged"
    elif kind == "left_apart":
        title, detail = f"Shares {name.replace('_', ' ')} with another contact", "and is somebody else"
    else:
        title = f"{name.replace('_', ' ').capitalize()} changed"
        detail = f"{_value(was)} → {_value(is_now)}"
    return Entry(
        at=at,
        id=id,
        type=f"{kind}_changed",
        title=title,
        detail=" · ".join(part for part in (detail, _by(source)) if part),
        icon=_CHANGE_ICONS.get(kind, "edit"),
        tone=_CHANGE_TONES.get(kind, "plain"),
        data={"name": name, "old": was, "new": is_now, "from": source},
    )


def consent(*, contact_id: int, before: Before, limit: int, alone: bool) -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, recorded_at, category, topic, state, source FROM consent_records
             WHERE contact_id = %s AND (recorded_at, id) < (%s, %s)
             ORDER BY recorded_at DESC, id DESC LIMIT %s
            """,
            [contact_id, before.at, before.id, limit],
        )
        rows = cursor.fetchall()
    return [
        Entry(
            at=at,
            id=id,
            type="consent_recorded",
            title=f"{category.replace('_', ' ').capitalize()} consent {state}",
            detail=" · ".join(part for part in (_whole(topic), _by(source)) if part),
            icon="verified_user" if state == "granted" else "gpp_bad",
            tone="emerald" if state == "granted" else "rose",
            data={"category": category, "topic": topic, "state": state, "from": source},
        )
        for id, at, category, topic, state, source in rows
    ]


def _whole(topic: str) -> str:
    return f"{'channel' if topic in CHANNELS else 'topic'} {topic}" if topic else ""


def merges(*, contact_id: int, before: Before, limit: int, alone: bool) -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.id, m.at, m.undone, m.asked_by, c.public_id::text,
                   COALESCE(NULLIF(c.email, ''), NULLIF(c.external_id, ''), NULLIF(c.phone, ''))
              FROM (SELECT id, merged_at AS at, FALSE AS undone, survivor_id, absorbed_id, source AS asked_by
                      FROM contact_merges WHERE survivor_id = %(contact)s OR absorbed_id = %(contact)s
                     UNION ALL
                    SELECT id, undone_at, TRUE, survivor_id, absorbed_id, undone_by
                      FROM contact_merges
                     WHERE (survivor_id = %(contact)s OR absorbed_id = %(contact)s) AND undone_at IS NOT NULL) m
              JOIN contacts c ON c.id = CASE WHEN m.survivor_id = %(contact)s THEN m.absorbed_id ELSE m.survivor_id END
             WHERE (m.at, m.id) < (%(at)s, %(id)s) ORDER BY m.at DESC, m.id DESC LIMIT %(limit)s
            """,
            {"contact": contact_id, "at": before.at, "id": before.id, "limit": limit},
        )
        rows = cursor.fetchall()
    return [
        Entry(
            at=at,
            id=id,
            type="merge_undone" if undone else "contact_merged",
            title=f"{'Merge undone: parted from' if undone else 'Merged with'} {other or 'a visitor without a name'}",
            detail=_by(asked_by),
            icon="call_split" if undone else "merge",
            tone="amber" if undone else "indigo",
            url=reverse("admin:contacts_contactmerge_change", args=[id]),
            url_shows="contacts.contactmerge",
            data={"merge": id, "with": other_id, "from": asked_by},
        )
        for id, at, undone, asked_by, other_id, other in rows
    ]


timeline.register(Source("events", "Events", events))
timeline.register(Source("changes", "Changes", changes, tells=frozenset({"tag_added", "list_joined"})))
timeline.register(Source("consent", "Consent", consent))
timeline.register(Source("merges", "Merges", merges))
