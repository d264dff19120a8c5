"""From JSON to a tree of frozen values, or to the list of everything that is wrong with it. Pure: no Django."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from contacts.conditions.builtin import NODES, RESERVED_KEYS
from contacts.conditions.fields import MAX_KEYS, UnknownField, resolve, resolve_path
from contacts.conditions.operators import COUNT_OPERATORS, OPERATORS
from contacts.conditions.tree import (
    MAX_COUNT,
    MAX_DEPTH,
    MAX_NODES,
    All,
    AnyOf,
    BadCondition,
    Comparison,
    Condition,
    EventCount,
    Named,
    Not,
    Problem,
    Ref,
    Target,
    Value,
)
from contacts.conditions.values import BadValue, check_text, check_value, check_window

T = TypeVar("T")

SCOPES = frozenset({"contact", "event", "trigger"})
CONTACT = frozenset({"contact"})
MAX_NAME = 200  # of an event type, a tag, a list …
_COMPARISON_KEYS = frozenset({"field", "op", "value"})
_EVENT_KEYS = frozenset({"event", "op", "count", "within", "where", "message"})
_MESSAGE_KEYS = ("workflow", "step", "template")
_MESSAGE_EVENTS = ("email_", "sms_", "push_", "send_")


def parse(tree: object, *, scope: frozenset[str] = CONTACT, path: str = "") -> Condition:
    """Read a condition as it stands in JSON (dicts, lists, str, int, float, bool, None).

    `scope` holds "contact" and, where such fields can be asked, "event" and "trigger"; `path` is where the tree stands
    in a larger document and begins the path of every problem. Raises BadCondition with all the problems found, and
    ValueError for an unknown scope."""
    if not scope <= SCOPES:
        raise ValueError(f"unknown scope: {', '.join(sorted(scope - SCOPES))}")
    reader = _Reader()
    condition = reader.node(tree, path, scope, depth=1)
    if condition is None or reader.problems:
        raise BadCondition(reader.problems)
    return condition


class _Reader:
    """One walk over one tree. A part with a problem is read as None, and the walk goes on to find the next one."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.nodes = 0
        self.counting = False  # inside the `where` of an event node

    def problem(self, path: str, code: str, message: str) -> None:
        self.problems.append(Problem(path, code, message))

    def node(self, tree: object, path: str, scope: frozenset[str], depth: int) -> Condition | None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.problem(path, "too_wide", f"at most {MAX_NODES} conditions may be combined")
            return None
        if depth > MAX_DEPTH:
            self.problem(path, "too_deep", f"conditions may be nested {MAX_DEPTH} deep")
            return None
        if not isinstance(tree, dict):
            self.problem(path, "not_an_object", "a condition is a JSON object")
            return None
        kinds = [key for key in tree if key in RESERVED_KEYS or key in NODES]
        if len(kinds) != 1:
            self._unclear(tree, kinds, path)
            return None
        match kinds[0]:
            case "field":
                return self.comparison(tree, path, scope)
            case "event":
                return self.event_count(tree, path, scope, depth)
            case "all" | "any" | "not" as key:
                self.only(tree, frozenset({key}), path)
                return self.group(key, tree[key], _at(path, key), scope, depth)
            case key:
                self.only(tree, frozenset({key}), path)
                name = self.text(tree[key], _at(path, key))
                return None if name is None else Named(key, name)

    def _unclear(self, tree: dict, kinds: list[str], path: str) -> None:
        if kinds:
            self.problem(path, "unknown_node", f"one condition cannot be {' and '.join(sorted(kinds))} at once")
            return
        known = ", ".join([*RESERVED_KEYS, *sorted(NODES)])
        found = ", ".join(_clip(key) for key in list(tree)[:3]) or "nothing"
        self.problem(path, "unknown_node", f"a condition has one of the keys {known}; found {found}")

    # -- groups --------------------------------------------------------------------------------------------------------

    def group(self, key: str, inside: object, path: str, scope: frozenset[str], depth: int) -> Condition | None:
        if key == "not":
            part = self.node(inside, path, scope, depth + 1)
            return None if part is None else Not(part)
        if not isinstance(inside, list):
            self.problem(path, "not_a_list", f"{key} takes a list of conditions")
            return None
        parts = []
        for position, item in enumerate(inside):
            if self.nodes > MAX_NODES:
                return None
            parts.append(self.node(item, f"{path}[{position}]", scope, depth + 1))
        read = tuple(part for part in parts if part is not None)
        if len(read) < len(parts):
            return None
        return All(read) if key == "all" else AnyOf(read)

    # -- {"field": …} --------------------------------------------------------------------------------------------------

    def comparison(self, tree: dict, path: str, scope: frozenset[str]) -> Condition | None:
        self.only(tree, _COMPARISON_KEYS, path)
        target = self.target(tree["field"], _at(path, "field"), scope)
        operator = OPERATORS.get(tree["op"]) if isinstance(tree.get("op"), str) else None
        if operator is None:
            code = "unknown_operator" if "op" in tree else "missing_key"
            self.problem(_at(path, "op"), code, f"op is one of {', '.join(OPERATORS)}")
        if target is None or operator is None:
            return None
        if target.type not in operator.sql:
            message = f"{operator.name} does not go with {'.'.join(target.keys)}, which is {_type_words(target.type)}"
            self.problem(_at(path, "op"), "wrong_operator", message)
            return None
        if operator.takes != "nothing" and tree.get("value") is None:
            message = f"{operator.name} needs a value; whether there is one is asked with exists or not_exists"
            self.problem(_at(path, "value"), "wrong_value" if "value" in tree else "missing_key", message)
            return None
        raw = tree.get("value")
        value: Value
        if operator.may_refer and isinstance(raw, dict):
            value = self.reference(raw, _at(path, "value"), scope)
        else:
            value = self.checked(lambda: check_value(operator, target.type, raw), _at(path, "value"))
        return Comparison(target, operator.name, value)

    def target(self, name: Any, path: str, scope: frozenset[str]) -> Target | None:
        if not isinstance(name, str) and not _is_texts(name):
            self.problem(path, "unknown_field", "a field is named by a text, or by a list of texts")
            return None
        try:
            return resolve(name, scope) if isinstance(name, str) else resolve_path(name, scope)
        except UnknownField as error:
            self.problem(path, error.code, str(error))
            return None

    def reference(self, raw: dict, path: str, scope: frozenset[str]) -> Ref | None:
        name: Any = raw.get("ref")
        named = isinstance(name, str) and name.startswith("trigger.")
        if set(raw) != {"ref"} or not (named or (_is_texts(name) and name[:1] == ["trigger"])):
            self.problem(path, "wrong_value", 'a value may be taken from the entry event: {"ref": "trigger.NAME"}')
            return None
        target = self.target(name, _at(path, "ref"), scope)
        return None if target is None else Ref(target)

    # -- {"event": …} --------------------------------------------------------------------------------------------------

    def event_count(self, tree: dict, path: str, scope: frozenset[str], depth: int) -> Condition | None:
        self.only(tree, _EVENT_KEYS, path)
        if self.counting:
            self.problem(path, "nested_event", "the where of an event cannot count other events")
            return None
        kind = self.text(tree["event"], _at(path, "event"))
        op = _given(tree, "op", "gte")
        if op not in COUNT_OPERATORS:
            self.problem(_at(path, "op"), "unknown_operator", f"op is one of {', '.join(COUNT_OPERATORS)}")
        count = _given(tree, "count", 1)
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MAX_COUNT:
            self.problem(_at(path, "count"), "wrong_value", f"count is a whole number from 0 to {MAX_COUNT}")
        within = _given(tree, "within", None)
        if within is not None:
            within = self.checked(lambda: check_window(within), _at(path, "within"))
        where = _given(tree, "where", None)
        if where is not None:
            self.counting = True
            where = self.node(where, _at(path, "where"), scope | {"event"}, depth + 1)
            self.counting = False
        message = self.message(_given(tree, "message", {}), kind or "", _at(path, "message"))
        return None if kind is None else EventCount(kind, op, count, within, where, message)

    def message(self, raw: object, kind: str, path: str) -> tuple[tuple[str, str], ...]:
        if not isinstance(raw, dict):
            self.problem(path, "not_an_object", f"message is an object with {', '.join(_MESSAGE_KEYS)}")
            return ()
        self.only(raw, frozenset(_MESSAGE_KEYS), path)
        if raw and not kind.startswith(_MESSAGE_EVENTS):
            self.problem(path, "wrong_value", f"only events of messages ({', '.join(_MESSAGE_EVENTS)}…) tell which one")
        named = [(key, raw[key]) for key in _MESSAGE_KEYS if raw.get(key) is not None]
        return tuple((key, self.text(value, _at(path, key)) or "") for key, value in named)

    # -- small parts ---------------------------------------------------------------------------------------------------

    def only(self, tree: dict, keys: frozenset[str], path: str) -> None:
        for key in tree:
            if key not in keys:
                message = f"unknown key {_clip(key)}; known here: {', '.join(sorted(keys))}"
                self.problem(_at(path, _clip(key)), "unknown_key", message)
                return  # one is enough: a bomb of keys makes no bomb of problems

    def text(self, value: object, path: str) -> str | None:
        return self.checked(lambda: check_text(value, most=MAX_NAME), path)

    def checked(self, check: Callable[[], T], path: str) -> T | None:
        try:
            return check()
        except BadValue as error:
            self.problem(f"{path}{error.suffix}", error.code, str(error))
            return None


def _is_texts(value: object) -> bool:
    """Long lists are not walked: no path is that long."""
    return isinstance(value, list) and len(value) <= MAX_KEYS and all(isinstance(part, str) for part in value)


def _given(tree: dict, key: str, default: object):
    """An optional key; null is the same as leaving it out."""
    value = tree.get(key)
    return default if value is None else value


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _clip(key: object) -> str:
    return str(key)[:60]


def _type_words(kind: str) -> str:
    return {"text": "text", "number": "a number", "boolean": "true or false", "instant": "an instant"}[kind]
