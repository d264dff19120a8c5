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
    say); `sentence(name)` completes "the contact …", e.g. `has the tag “vip”`.
    """

    sql: Callable[[str, str, datetime], Sql]
    sentence: Callable[[str], str]


NODES: dict[str, NodeKind] = {}


def register_node(key: str, kind: NodeKind) -> None:
    """Add a kind of node; called once per kind from `AppConfig.ready()`. Raises ValueError for a key that is taken."""
    if key in NODES or key in RESERVED_KEYS:
        raise ValueError(f"the node {key} is registered already")
    NODES[key] = kind


def _has_tag(name: str, alias: str, now: datetime) -> Sql:
    return Sql(
        "EXISTS (SELECT FROM contact_tags AS tagged JOIN tags AS tag ON tag.id = tagged.tag_id "
        f"WHERE tagged.contact_id = {alias}.id AND tag.name = %s)",
        [name],
    )


register_node("has_tag", NodeKind(sql=_has_tag, sentence=lambda name: f"has the tag “{name}”"))
