"""What somebody would get of a draft, and what is wrong with it, each finding at the place that it leads to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contacts.faults import Fault
from delivery.authoring import blocks, checks, previews, templates
from delivery.authoring.blocks import BadBlocks
from delivery.authoring.checks import Finding
from delivery.authoring.layouts import SLOT
from delivery.authoring.previews import NoSuchContact, Person
from delivery.authoring.sources import Manuscript, Version
from delivery.authoring.templates import BadTemplate, Wording
from delivery.pages.editor import draft as editor_draft
from delivery.pages.editor import places as editor_places
from delivery.pages.editor.draft import DEFAULT, Draft, Part

TONES = {"error": "bad", "warning": "warn", "hint": "info"}  # the worst first
GOES_WITHOUT_SAYING = frozenset({"no_text"})  # the field says so itself
_SLOT_TAG = f"{{{{{{{SLOT}}}}}}}"
_IN_A_LAYOUT = {
    "html": "<h1>A message</h1><p>This is where a message stands.</p>",
    "mjml": "<mj-section><mj-column><mj-text>This is where a message stands.</mj-text></mj-column></mj-section>",
}


def person(identifier: str) -> tuple[Person, str]:
    """Whom a preview is for, and who that is in words."""
    try:
        found = previews.person(identifier)
    except NoSuchContact:
        return previews.EXAMPLE, "an example person: there is no such contact"
    return found, found.label


@dataclass(frozen=True)
class Made:
    """Each language of a draft as it would be saved; `faults` of those that would not."""

    versions: Mapping[str, Version]
    faults: Sequence[dict[str, Any]]


def made(draft: Draft) -> Made:
    """What every language of a draft comes to."""
    versions: dict[str, Version] = {}
    faults: list[dict[str, Any]] = []
    whole = editor_draft.manuscript(draft)
    for locale, part in draft.words.items():
        try:
            alone = replace(whole, writing=editor_draft.writing(draft, part), locales={})
            versions[locale] = templates.made(_complete(alone))
        except BadTemplate as error:
            faults += placed(error.faults, draft, locale)
    return Made(versions, faults)


def shown(draft: Draft, locale: str, whom: Person) -> dict[str, Any]:
    """One language of a draft as the person would get it: {subject, preheader, html, text, mjml, made, size, problem,
    faults, findings}. With a problem there are no words."""
    result = made(draft)
    faults = list(result.faults)
    version = result.versions.get(locale)
    if version is None:
        own = [fault["words"] for fault in faults if fault["locale"] == locale]
        return {"problem": "; ".join(own[:3]), "faults": faults, "findings": []}
    options = editor_draft.options(draft)
    wording = templates.wording_of(version, options)
    seen = previews.preview(wording, whom, locale=locale or None, channel=draft.channel)
    html = seen.rendered.html
    size = len(html.encode("utf-8", "replace"))
    return {
        "subject": seen.rendered.subject,
        "preheader": seen.preheader,
        "html": html,
        "text": seen.rendered.text,
        "mjml": mjml_of(draft.words[locale]),
        "made": version.default.words.html,
        "size": f"{max(size / 1024, 1):.0f} kB" if size else "",
        "problem": seen.problem,
        "faults": faults,
        "findings": _findings(draft, result.versions, options),
    }


def _findings(draft: Draft, versions: Mapping[str, Version], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a reader would mind, in every language that can be made."""
    if draft.kind != "message" or DEFAULT not in versions:
        return []
    words = {locale: version.default.words for locale, version in versions.items()}
    wording = Wording(words.pop(DEFAULT), words, options)
    found_ = found(checks.findings(wording, channel=draft.channel), draft)
    for locale, part in draft.words.items():
        if part.source.kind == "blocks" and draft.channel == "email":
            for place, said in editor_places.unfinished(part.source.body):
                found_.append(finding(("blocks", *place), said, "unfinished", "warn", draft=draft, locale=locale))
    order = list(TONES.values())
    return sorted(
        (each for each in found_ if each["code"] not in GOES_WITHOUT_SAYING or draft.channel != "email"),
        key=lambda each: order.index(each["tone"]),
    )


def found(findings: Iterable[Finding], draft: Draft, locale: str = DEFAULT) -> list[dict[str, Any]]:
    """What the checks found, as the editor shows it."""
    rows = []
    for each in findings:
        language = each.locale or locale
        part = draft.words.get(language) or draft.words[DEFAULT]
        loc: tuple[str | int, ...] = (each.part,)
        words = each.message
        if each.part == "html" and part.source.kind == "blocks":
            loc = ("blocks", *editor_places.about(part.source.body, each.message))
        elif each.part == "html" and each.place:
            words = f"{each.message} ({each.place})"
        rows.append(finding(loc, words, each.code, TONES[each.level], draft=draft, locale=language))
    return rows


def mjml_of(part: Part) -> str:
    """The MJML of a part that has some; empty where it has none, or none that can be made."""
    if part.source.kind != "blocks":
        return str(part.source.body) if part.source.kind == "mjml" else ""
    try:
        return blocks.mjml_of(part.source.body)
    except BadBlocks:
        return ""


def placed(faults: Iterable[Fault], draft: Draft, locale: str = DEFAULT) -> list[dict[str, Any]]:
    """Faults as the editor shows them: {locale, place, words, code, tone}."""
    return [finding(fault.loc, fault.msg, fault.code, "bad", draft=draft, locale=locale) for fault in faults]


def finding(
    loc: Sequence[str | int], words: str, code: str, tone: str, *, draft: Draft, locale: str = DEFAULT
) -> dict[str, Any]:
    """One finding; `loc` as the post office names places: ("locales", "de", "source", "body", 2, "text")."""
    steps = list(loc)
    if len(steps) > 1 and steps[0] in ("locales", "words"):
        locale, steps = str(steps[1]), steps[2:]
    part = draft.words.get(locale) or draft.words[DEFAULT]
    return {
        "locale": locale if locale in draft.words else DEFAULT,
        "place": _place(steps, part),
        "words": words[:1].upper() + words[1:],
        "code": code,
        "tone": tone,
    }


def _place(steps: Sequence[str | int], part: Part) -> str:
    is_blocks = part.source.kind == "blocks"
    if steps[:1] in (["blocks"], ["options"]):
        return ".".join(map(str, steps if steps[0] == "blocks" else steps[1:2]))
    if steps[:2] == ["source", "body"] or steps[:1] == ["html"]:
        inside = steps[2:] if steps[0] == "source" else []
        if not is_blocks:
            return "body"
        return (
            ".".join(map(str, ["blocks", *inside]))
            if inside
            else ".".join(map(str, editor_places.unreadable(part.source.body)))
        )
    if steps[:1] == ["source"]:
        return str(steps[1]) if len(steps) > 1 else "body"
    return str(steps[0]) if steps else ""


def _complete(manuscript: Manuscript) -> Manuscript:
    """A layout or a partial as it looks in a message: a layout around a few words, a partial by itself."""
    if manuscript.kind == "message" or manuscript.channel != "email":
        return manuscript
    templates.made(manuscript)
    source = dict(manuscript.writing.source)
    body = str(source["body"])
    if manuscript.kind == "layout":
        body = body.replace(_SLOT_TAG, _IN_A_LAYOUT[source["kind"]])
    elif source["kind"] == "mjml" and not body.lstrip().startswith("<mjml"):
        is_section = body.lstrip().startswith(("<mj-section", "<mj-wrapper", "<mj-hero"))
        around = "{}" if is_section else "<mj-section><mj-column>{}</mj-column></mj-section>"
        body = f"<mjml><mj-body>{around.format(body)}</mj-body></mjml>"
    writing = replace(manuscript.writing, source={**source, "body": body})
    return replace(manuscript, kind="message", writing=writing)
