"""The language of conditions: fields, nodes and operators."""

from __future__ import annotations

from config.reference.markdown import code, page, table
from contacts.conditions import tree
from contacts.conditions.builtin import NODES
from contacts.conditions.fields import EVENT_COLUMNS, FAMILIES, FIELDS
from contacts.conditions.operators import COUNT_OPERATORS, OPERATORS


def conditions_page() -> str:
    fields = [(code(name), field.label, field.type) for name, field in sorted(FIELDS.items())]
    fields += [(code(f"{prefix}.NAME"), f"one for each {prefix} there is", "number") for prefix in sorted(FAMILIES)]
    fields += [
        (code("NAME") + " or " + code("attributes.NAME"), "an attribute of the contact", "json"),
        *((code(f"event.{name}"), "of the event, where a condition is about one", kind)
          for name, kind in EVENT_COLUMNS.items()),
        (code("event.NAME"), "a property of the event, where a condition is about one", "json"),
        (code("trigger.NAME"), "a property of the event that started the journey", "json"),
    ]  # fmt: skip
    nodes = [
        (code(f'{{"{key}": "NAME"}}'), kind.sentence("NAME").replace("“NAME”", "NAME"))
        for key, kind in sorted(NODES.items())
    ]
    operators = [(code(each.name), each.words, each.takes, ", ".join(each.sql)) for each in OPERATORS.values()]
    limits = [
        ("levels deep", str(tree.MAX_DEPTH)),
        ("questions in one condition", str(tree.MAX_NODES)),
        ("values in a list", str(tree.MAX_LIST)),
        ("characters in a text", str(tree.MAX_TEXT)),
        ("times in a count", str(tree.MAX_COUNT)),
    ]
    return page(
        "Conditions",
        "One language asks about contacts and events: in segments, branches, exits, triggers, scoring rules, `skip_if`."
        ' `{"all": […]}`, `{"any": […]}` and `{"not": …}` join questions.',
        "## Questions about a field",
        '`{"field": NAME, "op": OPERATOR, "value": VALUE}`',
        table(("Field", "What it is", "Type"), fields),
        "### Operators",
        table(("Operator", "In words", "Takes", "Fits"), operators),
        "A field that is missing makes every operator false but those that deny (`ne`, `not_in`, `not_contains`, "
        "`not_exists`, `not_within_last`).",
        "## Questions about what happened",
        '`{"event": TYPE, "op": OPERATOR, "count": N, "within": DURATION, "where": CONDITION}`: how often, '
        f"since when, and of which; the operators are {', '.join(code(each) for each in COUNT_OPERATORS)}. "
        'Alone, `{"event": TYPE}` means at least once.',
        "## Questions that one name answers",
        table(("Question", "The contact …"), nodes),
        "## Limits",
        table(("What", "At most"), limits),
    )
