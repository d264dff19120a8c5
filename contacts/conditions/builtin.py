"""Nodes of one name, such as {"has_tag": "vip"}: the registry, and the one that the ground floor brings itself. Pure.

`in_list`, `in_segment` and `in_workflow` have the same form; the floor that knows them registers them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from contacts.conditions.fragment import Sql

RESERVED_KEYS = ("all", "any", "not", "field", "event")


@dataclass(frozen=True)
class NodeKind:
    """A question about a contact that one name answers.

    `sql(name, alias, now)` gives a boolean expression over `alias`, a row of contacts, that is never NULL (an EXISTS,
    say); `sentence(name)` completes "the contact …", e.g. `has the tag “vip”`. `reads` and `moves_with_time` tell
    segments when to look again (see `contacts.conditions.reading`); `{name}` in `reads` stands for the node's name.
    """

    sql: Callable[[str, str, datetime], Sql]
    sentence: Callable[[str], str]
    reads: frozenset[str] = frozenset()
    moves_with_time: bool = False


NODES: dict[str, NodeKind] = {}


def register_node(key: str, kind: NodeKind) -> None:
    """Add a kind of node; called once per kind from `AppConfig.ready()`. Raises ValueError for a key that is taken."""
    if key in NODES or key in RESERVED_KEYS:
        raise ValueError(f"the node {key} is registered already")
    NODES[key] = kind


def _has_tag(name: str, alias: str, now: datetime) -> Sql:
    # OFFSET 0 has each contact asked by its own index entry: thousands are asked at a time, and PostgreSQL would else
    # collect everybody who has the tag for them
    return Sql(
        f"EXISTS (SELECT FROM contact_tags AS tagged WHERE tagged.contact_id = {alias}.id "
        "AND tagged.tag_id = (SELECT id FROM tags WHERE name = %s) OFFSET 0)",
        [name],
    )


register_node(
    "has_tag", NodeKind(sql=_has_tag, sentence=lambda name: f"has the tag “{name}”", reads=frozenset({"tag"}))
)
