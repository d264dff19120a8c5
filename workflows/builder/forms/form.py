"""From a model to the fields of a form, and from what was filled in to a definition's settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from django.http import QueryDict
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from workflows.builder.forms import registry
from workflows.builder.forms.control import ABSENT, Control, Field, nothing
from workflows.definition import shown
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown

_JSON = registry.control("json")


def fields(
    model: type[BaseModel], given: Mapping[str, Any], *, below: str, problems: Sequence[Problem] = ()
) -> list[Field]:
    """One for each setting, in their order; behind them one for each that the model does not know, as JSON. `below`:
    the place of the object in its step or definition (`config`), empty for the step itself."""
    known = shown.fields(model)
    asked = {name: each for name, each in known.items() if _constant(each[0]) is ABSENT}
    return [
        *(
            field(
                _place(below, name),
                said,
                given.get(name, _default(info)),
                info=info,
                problems=problems,
            )
            for name, (info, said) in asked.items()
        ),
        *(
            field(_place(below, name), _unknown(name), value, problems=problems)
            for name, value in given.items()
            if name not in known
        ),
    ]


def field(
    place: str, said: Shown, value: Any, *, info: FieldInfo | None = None, problems: Sequence[Problem] = ()
) -> Field:
    """A single setting at `place`."""
    own = registry.control(kind_of(info, said))
    control = own
    while not control.fits(value):
        control = registry.control(control.stand_in)
    inside: dict[str, tuple[str, ...]] = {}
    for problem in problems:
        if problem.field == place or problem.field.startswith(f"{place}."):
            part = problem.field[len(place) + 1 :]
            inside[part] = (*inside.get(part, ()), problem.message)
    wrong = inside.pop("", ())
    if not control.shows_inside:
        wrong = (*wrong, *(message for messages in inside.values() for message in messages))
    return Field(
        name=place,
        shown=said,
        control=control,
        value=value,
        required=info is not None and info.is_required(),
        choices=_named_choices(info, said),
        wrong=tuple(dict.fromkeys(wrong)),
        inside=inside,
        stands_in=control is not own,
    )


def read(
    model: type[BaseModel], data: QueryDict, *, below: str, given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The settings that were filled in: those that apply (`when`), and of the others none. `given`: as they stood
    before; what said nothing then and says nothing now stands as it did (absent, null, empty, or its own default)."""
    before = given or {}
    known = shown.fields(model)
    found: dict[str, Any] = {}
    for name, (info, said) in known.items():
        value = _constant(info)
        if value is ABSENT:
            value = read_field(_place(below, name), said, data, info=info, was=before.get(name, ABSENT))
        if value is not ABSENT:
            found[name] = value
    for name in before:
        if name not in known and (value := _JSON.read(data, _place(below, name))) is not ABSENT:
            found[name] = value
    meant = {name: found.get(name, _default(info)) for name, (info, _) in known.items()}
    return {name: value for name, value in found.items() if name not in known or _applies(known[name][1], meant)}


def read_field(place: str, said: Shown, data: QueryDict, *, info: FieldInfo | None = None, was: Any = ABSENT) -> Any:
    """What was filled in for a single setting; ABSENT for nothing."""
    own = kind_of(info, said)
    named = data.get(f"{place}:as", own)  # the form says where another control stood in
    control: Control = registry.control(named if named in _stand_ins(own) else own)
    value = control.read(data, place)
    default = _default(info)
    return was if _says_nothing(value, default) and _says_nothing(was, default) else value


def kind_of(info: FieldInfo | None, said: Shown) -> str:
    """Which control: as it was said, else by the type."""
    if info is None or said.control != "text":
        return said.control
    if _choices(info):
        return "choice"
    return {bool: "switch", int: "number", float: "number", str: "text"}.get(_plain(info.annotation), "json")


def _place(below: str, name: str) -> str:
    return f"{below}.{name}" if below else name


def _unknown(name: str) -> Shown:
    return Shown(name, control="json", help="This kind of step has no such setting. Empty it to take it away.")


def _stand_ins(key: str) -> tuple[str, ...]:
    found = [key]
    while (following := registry.control(found[-1]).stand_in) not in found:
        found.append(following)
    return tuple(found)


def _says_nothing(value: Any, default: Any) -> bool:
    return nothing(value) or (type(value) is type(default) and value == default)


def _applies(said: Shown, meant: Mapping[str, Any]) -> bool:
    return all(str(meant.get(other, "")) in values for other, values in said.when.items())


def _default(info: FieldInfo | None) -> Any:
    """What an absent setting means, where that can be shown as a value."""
    found = None if info is None or info.is_required() else info.get_default(call_default_factory=True)
    return found if isinstance(found, str | int | float) and found != "" else ABSENT


def _constant(info: FieldInfo) -> Any:
    """The only value that a setting can have: the kind of a trigger. Nobody is asked for it."""
    values = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
    return values[0] if len(values) == 1 else ABSENT


def _plain(annotation: Any) -> Any:
    """`str | None` and `Annotated[str, …] | None` as `str`."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) is not None and len(parts) == 1 and get_origin(annotation) is not list:
        return _plain(parts[0])
    if hasattr(annotation, "__metadata__"):
        return _plain(annotation.__origin__)
    return annotation


def _named_choices(info: FieldInfo | None, said: Shown) -> tuple[tuple[str, str], ...]:
    """What may be chosen, with what it is called; an empty value first where nothing need be chosen."""
    words = _choices(info) if info is not None else ()
    named = tuple((each, said.choices.get(each, each.replace("_", " ").capitalize())) for each in words)
    may_be_empty = info is not None and not info.is_required() and _default(info) is ABSENT
    return (("", said.choices.get("", "")), *named) if named and may_be_empty else named


def _choices(info: FieldInfo) -> tuple[str, ...]:
    found = info.annotation
    for part in (found, *get_args(found)):
        if get_origin(part) is Literal:
            return tuple(str(each) for each in get_args(part))
    return ()
