"""What the ground floor holds of a person, beside the profile itself."""

from __future__ import annotations

from contacts.holdings import DROP, KEEP, STAY, UNITE, Holding, register

EMPTY = "'{}'::jsonb"


def declare() -> None:
    """Called once, when the app is ready."""
    register(
        Holding("contact_identities", "Identifiers", ("kind", "value", "first_seen_at"), erase=None),
        Holding(
            "pending_events",
            "Events to be matched",
            ("recorded_at",),
            erase=None,
            merge=STAY,
            contact="",
            key="event_id",
            where="event_id IN (SELECT id FROM contact_events WHERE contact_id = ANY(%(contacts)s))",
        ),
        Holding(
            "contact_events",
            "Events",
            ("type", "occurred_at", "recorded_at", "properties", "context", "source", "processed"),
            erase={"properties": EMPTY, "context": EMPTY},
            append_only=True,
        ),
        Holding(
            "contact_changes",
            "Changes of the profile",
            ("changed_at", "kind", "name", "old", "new", "source"),
            erase={"old": "NULL", "new": "NULL", "name": "''"},
            append_only=True,
        ),
        Holding(
            "consent_records",
            "Consents",
            ("category", "topic", "state", "recorded_at", "source", "evidence"),
            erase={"evidence": "NULL"},
            append_only=True,
        ),
        Holding("opt_in_requests", "Double opt-in", ("topics", "requested_at", "confirmed_at", "evidence"), erase=None),
        Holding(
            "contact_tags",
            "Tags",
            ("(SELECT name FROM tags WHERE tags.id = tag_id) AS tag", "added_at"),
            erase=None,
            once=("tag_id",),
        ),
        Holding(
            "list_members",
            "Lists",
            ("(SELECT slug FROM lists WHERE lists.id = list_id) AS list", "joined_at"),
            erase=None,
            once=("list_id",),
        ),
        Holding(
            "segment_members",
            "Segments",
            ("(SELECT slug FROM segments WHERE segments.id = segment_id) AS segment", "entered_at"),
            erase=None,
            merge=UNITE,
            once=("segment_id",),
        ),
        Holding("segment_checks", "Segments to look at again", ("about",), erase=None, merge=DROP),
        Holding(
            "contact_merges",
            "Merges",
            ("merged_at", "source", "undone_at"),
            erase={"before": EMPTY},
            merge=STAY,
            contact="",
            where="(survivor_id = ANY(%(contacts)s) OR absorbed_id = ANY(%(contacts)s))",
        ),
        Holding(
            "audit_entries",
            "Deeds about them",
            ("what", "at"),
            erase=KEEP,
            merge=STAY,
            contact="",
            where="(object_type = 'contact' AND object_id = ANY(%(contacts)s::bigint[]::text[]))",
            append_only=True,
        ),
        Holding("privacy_deeds", "Exports and erasures", ("deed", "at"), erase=KEEP, merge=STAY, append_only=True),
    )
