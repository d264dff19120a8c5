"""The one language for questions about a contact. Its doors; README.md beside this file has the grammar."""

from contacts.conditions.builtin import NodeKind, register_node
from contacts.conditions.explain import explain
from contacts.conditions.fields import Family, Field, register_family, register_field
from contacts.conditions.fragment import Sql
from contacts.conditions.grammar import parse
from contacts.conditions.sql import Aliases, compile_condition, matching_contacts
from contacts.conditions.tree import BadCondition, Condition, Problem

__all__ = [
    "Aliases",
    "BadCondition",
    "Condition",
    "Family",
    "Field",
    "NodeKind",
    "Problem",
    "Sql",
    "compile_condition",
    "explain",
    "matching_contacts",
    "parse",
    "register_family",
    "register_field",
    "register_node",
]
