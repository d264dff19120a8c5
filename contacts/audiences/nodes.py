"""What conditions may ask about lists and segments: the nodes `in_list` and `in_segment`."""

from __future__ import annotations

from datetime import datetime

from contacts.conditions import NodeKind, Sql, register_node
from contacts.conditions.reading import about_segment

# OFFSET 0 has each contact asked by its own few rows. Where the statistics are older than the members, PostgreSQL may
# else go through all the members of a list or segment for every contact.


def register() -> None:
    """Called once, when the app is ready."""
    register_node(
        "in_list",
        NodeKind(sql=_in_list, sentence=lambda slug: f"is in the list “{slug}”", reads=frozenset({"list"})),
    )
    register_node(
        "in_segment",
        NodeKind(
            sql=_in_segment,
            sentence=lambda slug: f"is in the segment “{slug}”",
            reads=frozenset({about_segment("{name}")}),
        ),
    )


def _in_list(slug: str, alias: str, now: datetime) -> Sql:
    return Sql(
        f"EXISTS (SELECT FROM (SELECT list_id FROM list_members WHERE contact_id = {alias}.id OFFSET 0) AS joined "
        "WHERE joined.list_id = (SELECT id FROM lists WHERE slug = %s))",
        [slug],
    )


def _in_segment(slug: str, alias: str, now: datetime) -> Sql:
    return Sql(
        f"EXISTS (SELECT FROM (SELECT segment_id FROM segment_members WHERE contact_id = {alias}.id OFFSET 0) AS kept "
        "WHERE kept.segment_id = (SELECT id FROM segments WHERE slug = %s))",
        [slug],
    )
