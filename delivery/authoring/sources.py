"""What somebody wrote, and what is made of it when it is saved: source, layout, MJML, CSS. Per send only Mustache runs.

    html     HTML, whose style sheets are inlined
    mjml     MJML
    blocks   a list of blocks (`blocks.mjml_of`)

Words without a source (`html` as it stands) are taken as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contacts.faults import Fault
from delivery.authoring import blocks, inlining, layouts, locales, mjml
from delivery.authoring.layouts import Shelf, Unresolved, Uses
from delivery.authoring.rendering import Words
from delivery.models import TemplateVersion

PARTS = ("subject", "preheader", "html", "text")
KINDS = ("html", "mjml", "blocks")
LARGEST = 1_000_000  # characters of a source
MOST_LOCALES = 100
_EMPTY_MJML = "<mjml><mj-body>{}</mj-body></mjml>"


@dataclass(frozen=True)
class Writing:
    """One language of a template as it was written. `source`: {} where `html` is what was written."""

    subject: str = ""
    preheader: str = ""
    html: str = ""
    text: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manuscript:
    """A template as it was written. `kind`: message · layout · partial. `locales`: by tag, each as a mapping of
    `Writing`'s fields; a subject or preheader that it does not have is the default language's, and so are html, text
    and source together if it has none of them. `slug`: of a partial, which may not come to name itself."""

    kind: str = "message"
    channel: str = "email"
    writing: Writing = field(default_factory=Writing)
    locales: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    slug: str = ""


@dataclass(frozen=True)
class Made:
    """One language as it is rendered, with what it was made of."""

    words: Words
    source: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {**vars(self.words), "source": dict(self.source)}


@dataclass(frozen=True)
class Version:
    """What is stored: the default language, and the others by tag."""

    default: Made
    locales: Mapping[str, Made]


class BadSource(ValueError):
    """`faults` name the part, the language and the line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.msg for fault in faults))
        self.faults = tuple(faults)


def made(manuscript: Manuscript) -> Version:
    """Everything that is rendered. A few statements, which read layouts and partials. Raises BadSource."""
    faults: list[Fault] = []
    writings = {"": manuscript.writing} | dict(_languages(manuscript, faults))
    for locale, writing in writings.items():
        faults += [_placed(fault, locale) for fault in _faults_of(writing, manuscript)]
    if faults:
        raise BadSource(faults)
    shelf = layouts.shelf({slug for writing in writings.values() for slug in _named(writing)})
    done: dict[str, Made] = {}
    for locale, writing in writings.items():
        try:
            done[locale] = _made(writing, manuscript, shelf, locale)
        except BadSource as error:
            faults += [_placed(fault, locale) for fault in error.faults]
    if faults:
        raise BadSource(faults)
    return Version(done.pop(""), done)


def manuscript_of(version: TemplateVersion) -> Manuscript:
    """A stored version as it was written: to make it anew."""
    own = {name: getattr(version, name) for name in (*PARTS, "source")}
    return Manuscript(
        kind=version.template.kind,
        channel=version.template.channel,
        slug=version.template.slug,
        writing=_writing_of(own),
        locales={locale: vars(_writing_of(words)) for locale, words in version.locales.items()},
        options=version.options,
    )


def _writing_of(words: Mapping[str, Any]) -> Writing:
    source = dict(words.get("source") or {})
    told = {part: str(words.get(part) or "") for part in PARTS} | dict(source.pop("parts", {}))
    source.pop("uses", None)
    return Writing(**told, source=source)


def _languages(manuscript: Manuscript, faults: list[Fault]) -> Iterator[tuple[str, Writing]]:
    if len(manuscript.locales) > MOST_LOCALES:
        faults.append(Fault("too_many", f"a template has at most {MOST_LOCALES} languages", ("locales",)))
        return
    seen: set[str] = set()
    for given, words in manuscript.locales.items():
        tag = locales.canonical(given)
        if not tag or tag in seen:
            said = f"{given!r} is there twice" if tag else "expected the tag of a language, such as de or pt-BR"
            faults.append(Fault("locale", said, ("locales", given)))
            continue
        seen.add(tag)
        if not isinstance(words, Mapping):
            faults.append(Fault("type", "expected an object", ("locales", given)))
            continue
        if unknown := sorted(words.keys() - {*PARTS, "source"}):
            faults.append(Fault("unknown_key", f"there is no {unknown[0]!r} here", ("locales", given, unknown[0])))
            continue
        if wrong := [part for part in PARTS if not isinstance(words.get(part, ""), str)]:
            faults.append(Fault("type", "expected a text", ("locales", given, wrong[0])))
            continue
        yield tag, _completed(words, manuscript.writing)


def _completed(words: Mapping[str, Any], default: Writing) -> Writing:
    body = words if any(words.get(part) for part in ("html", "text", "source")) else vars(default)
    return Writing(
        subject=words.get("subject") or default.subject,
        preheader=words.get("preheader") or default.preheader,
        html=body.get("html") or "",
        text=body.get("text") or "",
        source=body.get("source") or {},
    )


def _faults_of(writing: Writing, manuscript: Manuscript) -> Iterator[Fault]:
    for part in PARTS:
        text = getattr(writing, part)
        if "\x00" in text:
            yield Fault("control_character", "contains a NUL character", (part,))
    source: Any = writing.source
    if not source:
        return
    if not isinstance(source, Mapping):
        yield Fault("type", "expected an object", ("source",))
        return
    if unknown := sorted(source.keys() - {"kind", "body", "layout", "uses", "parts"}):
        yield Fault("unknown_key", f"there is no {unknown[0]!r} here", ("source", unknown[0]))
    kind, body, layout = source.get("kind"), source.get("body"), source.get("layout")
    allowed = KINDS if manuscript.kind == "message" else KINDS[:2]
    if kind not in allowed:
        yield Fault("choice", f"expected one of {', '.join(allowed)}", ("source", "kind"))
    elif kind == "blocks" and not isinstance(body, list):
        yield Fault("type", "expected a list of blocks", ("source", "body"))
    elif kind != "blocks" and not isinstance(body, str):
        yield Fault("type", "expected a text", ("source", "body"))
    elif len(body if isinstance(body, str) else json.dumps(body)) > LARGEST:
        yield Fault("too_long", f"is longer than {LARGEST} characters", ("source", "body"))
    elif "\x00" in body if isinstance(body, str) else "\\u0000" in json.dumps(body):
        yield Fault("control_character", "contains a NUL character", ("source", "body"))
    if manuscript.channel != "email":
        yield Fault("channel", "only an e-mail has a source; this message is its text", ("source",))
    if layout and (not isinstance(layout, str) or manuscript.kind != "message"):
        yield Fault("layout", "a message has a layout: its slug", ("source", "layout"))


def _named(writing: Writing) -> set[str]:
    """Layouts and partials that a writing names itself."""
    source = writing.source
    body = source.get("body") if source else None
    texts = [writing.subject, writing.preheader, writing.html, writing.text, body if isinstance(body, str) else ""]
    if isinstance(body, list):
        texts.append(json.dumps(body, ensure_ascii=False))
    slugs = set().union(*(layouts.partials_in(text) for text in texts))
    return slugs | ({source["layout"]} if source and source.get("layout") else set())


def _made(writing: Writing, manuscript: Manuscript, shelf: Shelf, locale: str) -> Made:
    kind, path = manuscript.kind, [manuscript.slug] if manuscript.kind == "partial" and manuscript.slug else []
    uses: Uses = {}
    faults: list[Fault] = []
    parts: dict[str, str] = {}
    for part in ("subject", "preheader", "text"):
        try:
            said = getattr(writing, part)
            parts[part] = layouts.filled(said, shelf, locale=locale, uses=uses, part="text", path=path)
        except Unresolved as error:
            faults.append(error.fault.below(part))
    source = {name: value for name, value in writing.source.items() if name in ("kind", "body", "layout")}
    html = writing.html
    place: tuple[str, ...] = ("source", "body") if source else ("html",)
    if not source and (kind != "message" or layouts.partials_in(html)):
        source = {"kind": "html", "body": html}
    try:
        if source:
            html = _html(source, kind, shelf, locale=locale, uses=uses, path=path)
    except Unresolved as error:
        is_layouts = error.fault.code in ("no_layout", "layout_of_another_kind", "no_slot") and kind == "message"
        faults.append(error.fault.below(*(("source", "layout") if is_layouts else place)))
    except blocks.BadBlocks as error:
        faults += [Fault(fault.code, fault.msg, (*place, *fault.loc[1:])) for fault in error.faults]
    except mjml.BadMjml as error:
        faults.append(error.fault.below(*place))
    except inlining.UnableToInline as error:
        faults.append(error.fault.below(*place))
    if faults:
        raise BadSource(faults)
    changed = {part: getattr(writing, part) for part in parts if getattr(writing, part) != parts[part]}
    if source or changed:
        source = {"kind": "html", "body": writing.html} | source
        source |= {"layout": source.get("layout") or None, "uses": dict(sorted(uses.items()))}
        source |= {"parts": changed} if changed else {}
    if source.get("kind") == "html" and source["body"] == html and not (source["layout"] or uses or changed):
        source = {}
    return Made(Words(parts["subject"], parts["preheader"], html, parts["text"]), source)


def _html(source: Mapping[str, Any], kind: str, shelf: Shelf, *, locale: str, uses: Uses, path: Sequence[str]) -> str:
    markup = "html" if source["kind"] == "html" else "mjml"
    body = blocks.mjml_of(source["body"]) if source["kind"] == "blocks" else source["body"]
    text = layouts.filled(body, shelf, locale=locale, uses=uses, path=path)
    if kind == "partial":
        return body
    if kind == "layout":
        _tried(text, markup)
        return body
    if source.get("layout"):
        text = layouts.around(text, source["layout"], shelf, markup=markup, locale=locale, uses=uses)
    return mjml.to_html(text) if markup == "mjml" else inlining.inlined(text)


def _tried(frame: str, markup: str) -> None:
    """A layout has one place for the message, and can be made with something in it."""
    slots = [tag for tag in layouts.tags.scan(frame) if layouts.is_slot(tag)]
    if len(slots) != 1:
        raise Unresolved(Fault("no_slot", "a layout has one place for the message: {{{body}}}"))
    slot = slots[0]
    if markup == "mjml":
        mjml.to_html(frame[: slot.start] + frame[slot.end :])
    else:
        inlining.inlined(frame)


def _placed(fault: Fault, locale: str) -> Fault:
    return fault.below("locales", locale) if locale else fault
