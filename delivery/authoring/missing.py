"""Which merge tags would show nothing, and to how many: asked of the real audience before anything is sent.

A tag is handled where its author has thought of it: inside of a section of its own name, or beside an inverted one with
other words (`{{first_name}}{{^first_name}}there{{/first_name}}`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contacts.conditions import Sql
from contacts.conditions.fragment import TRUE
from contacts.patience import row_within
from delivery.authoring import previews, tags
from delivery.authoring.tags import Tag
from delivery.authoring.templates import Wording

LOOKED_AT = 100_000  # contacts of the audience, the newest
EVENTS = 1_000  # of the type that starts the journey, the latest
SEARCHED = 50_000  # events of any type, the latest, among which those are looked for
SAMPLE = 5
MOST_TAGS = 100
PATIENCE_MS = 10_000
_OURS = frozenset({"unsubscribe_url", "preferences_url", "postal_address", "brand_name", "confirm_url", "preheader"})


@dataclass(frozen=True)
class Gap:
    """`missing` of those who were asked have nothing for the tag, at one of its places at least. `sample`: public ids
    of some of them; empty for a property of the event."""

    name: str
    parts: tuple[str, ...]
    missing: int
    sample: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """`audience`: how many contacts were asked; `is_part`: there are more, and the newest were. `events`: how many
    events, for `trigger.…`. `gaps`: the tags that somebody lacks, the worst first; `handled`: those with words of their
    own for whoever lacks them. `is_patient` False: it took too long, and nothing is known."""

    audience: int
    is_part: bool
    events: int
    gaps: tuple[Gap, ...]
    handled: tuple[str, ...]
    is_patient: bool = True


@dataclass(frozen=True)
class _Place:
    """One place of a tag, and the sections that have to be shown for it to be."""

    part: str
    around: tuple[Tag, ...]


def report(wordings: Iterable[Wording], *, where: Sql = TRUE, event_type: str = "") -> Report:
    """Of the contacts (called c) of whom `where` is true, whatever language they read. Two statements, which give up
    after PATIENCE_MS each; in the caller's transaction."""
    places, handled = _open_places(wordings)
    asked = {name: found for name, found in places.items() if not name.startswith("trigger.")}
    told = {name: found for name, found in places.items() if name.startswith("trigger.")}
    people = row_within(PATIENCE_MS, *_of_contacts(asked, where))
    events = row_within(PATIENCE_MS, *_of_events(told, event_type)) if told and event_type else ()
    if people is None or events is None:
        return Report(0, False, 0, (), tuple(sorted(handled)), is_patient=False)
    gaps = []
    total, rest = people[0], people[1:]
    for at, (name, found) in enumerate(asked.items()):
        count, sample = rest[2 * at], rest[2 * at + 1]
        if count:
            gaps.append(Gap(name, _parts(found), count, tuple(map(str, sample or ()))))
    for (name, found), count in zip(told.items(), events[1:] if events else (), strict=False):
        if count:
            gaps.append(Gap(name, _parts(found), count, ()))
    gaps.sort(key=lambda gap: (-gap.missing, gap.name))
    is_part = total > LOOKED_AT
    return Report(
        min(total, LOOKED_AT), is_part, events[0] if events else 0, tuple(gaps), tuple(sorted(handled - places.keys()))
    )


def _parts(found: Sequence[_Place]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(place.part for place in found))


def _open_places(wordings: Iterable[Wording]) -> tuple[dict[str, list[_Place]], set[str]]:
    """The places of each tag where nobody has thought of its being empty, and the names of those that are handled."""
    found: dict[str, list[_Place]] = {}
    handled: set[str] = set()
    for wording in wordings:
        for words in (wording.default, *wording.locales.values()):
            for part, text in vars(words).items():
                for name, place, is_handled in _places(part, text):
                    if is_handled:
                        handled.add(name)
                    elif len(found) < MOST_TAGS or name in found:
                        places = found.setdefault(name, [])
                        if place not in places:
                            places.append(place)
    return found, handled


def _places(part: str, text: str) -> Iterator[tuple[str, _Place, bool]]:
    if "{{" not in text:
        return
    beside = _with_other_words(text)
    for name, around, tag in tags.names(text):
        head = name.partition(".")[0]
        if name == "." or head in _OURS:
            continue
        sections = tuple(Tag(each.kind, each.name, 0, 0) for each in around if each.kind in ("section", "inverted"))
        own = {_path(each.name) for each in sections if each.kind == "section"}
        path = _path(name)
        handled = any(path[: len(known)] == known for known in own) or tag.start in beside
        yield _spelled(path), _Place(part, sections), handled


def _with_other_words(text: str) -> set[int]:
    """Where the variables begin that stand beside an inverted section of their own name."""
    found = tags.scan(text)
    beside: set[int] = set()
    for at, tag in enumerate(found):
        if tag.kind not in tags.VARIABLES:
            continue
        after = found[at + 1] if at + 1 < len(found) else None
        if after and after.kind == "inverted" and after.name == tag.name and not text[tag.end : after.start].strip():
            beside.add(tag.start)
        before = found[at - 1] if at else None
        if before and before.kind == "end" and before.name == tag.name and not text[before.end : tag.start].strip():
            beside.add(tag.start)
    return beside


def _path(name: str) -> tuple[str, ...]:
    """`contact.plan` and `plan` are one attribute; a field of the contact keeps its prefix."""
    parts = tuple(name.split("."))
    return parts[1:] if parts[0] == "contact" and len(parts) > 1 and parts[1] not in _FIELDS else parts


def _spelled(path: Sequence[str]) -> str:
    return ".".join(path)


_FIELDS = frozenset({"id", *previews.FIELDS})


def _of_contacts(asked: Mapping[str, Sequence[_Place]], where: Sql) -> tuple[str, list[Any]]:
    columns, params = ["(SELECT count(*) FROM audience)"], []
    for name, places in asked.items():
        lacking = _lacks(name, places)
        columns.append(f"(SELECT count(*) FROM audience AS c WHERE {lacking.text})")
        columns.append(
            f"ARRAY(SELECT public_id FROM audience AS c WHERE {lacking.text} ORDER BY id DESC LIMIT {SAMPLE})"
        )
        params += [*lacking.params, *lacking.params]
    fields = ", ".join(f"c.{name}" for name in previews.FIELDS)
    statement = (
        f"WITH audience AS MATERIALIZED (SELECT c.id, c.public_id, c.attributes, {fields} FROM contacts AS c"
        f" WHERE c.merged_into_id IS NULL AND c.erased_at IS NULL AND {where.text} ORDER BY c.id DESC"
        f" LIMIT {LOOKED_AT + 1}) SELECT {', '.join(columns)}"
    )
    return statement, [*where.params, *params]


def _of_events(told: Mapping[str, Sequence[_Place]], event_type: str) -> tuple[str, list[Any]]:
    columns, params = ["count(*)"], []
    for name in told:
        columns.append("count(*) FILTER (WHERE NULLIF(properties #>> %s::text[], '') IS NULL)")
        params.append(name.split(".")[1:])
    statement = (
        f"SELECT {', '.join(columns)} FROM (SELECT properties FROM ("
        f"SELECT type, properties, processed FROM contact_events ORDER BY id DESC LIMIT {SEARCHED}) AS latest"
        f" WHERE type = %s AND processed LIMIT {EVENTS}) AS chosen"
    )
    return statement, [*params, event_type]


def _lacks(name: str, places: Sequence[_Place]) -> Sql:
    """Whether a contact sees nothing at one of the places."""
    empty = _empty(name)
    ways: list[Sql] = []
    for place in places:
        guards = [guard for tag in place.around if (guard := _guard(tag)) is not None]
        ways.append(
            Sql(
                " AND ".join([empty.text, *(guard.text for guard in guards)]),
                [*empty.params, *(param for guard in guards for param in guard.params)],
            )
        )
    return Sql(
        "(" + " OR ".join(f"({way.text})" for way in ways) + ")", [param for way in ways for param in way.params]
    )


def _empty(name: str) -> Sql:
    path = name.split(".")
    if path[0] == "contact" and len(path) > 1 and path[1] in _FIELDS:
        return Sql("FALSE", []) if path[1] == "id" else Sql(f"COALESCE(c.{path[1]}, '') = ''", [])
    return Sql("NULLIF(c.attributes #>> %s::text[], '') IS NULL", [path])


def _guard(tag: Tag) -> Sql | None:
    """Whether what is within the section is shown. Not asked of sections about the event; and within a section over a
    list, names are those of its items."""
    path = _path(tag.name)
    if path[0] in _OURS or path[0] in ("trigger", "contact") or tag.name == ".":
        return None
    if tag.kind == "section":
        return Sql(
            "COALESCE(jsonb_typeof(c.attributes #> %s::text[]) IN ('string', 'number', 'boolean')"
            " AND c.attributes #>> %s::text[] NOT IN ('', 'false'), FALSE)",
            [list(path), list(path)],
        )
    return Sql(
        "COALESCE(c.attributes #>> %s::text[] IN ('', 'false', '[]', '{}'), TRUE)",
        [list(path)],
    )
