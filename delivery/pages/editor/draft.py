"""What the editor holds of a template, as it travels between the browser and us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from contacts.collect import strict_json
from contacts.collect.strict_json import NotJson, TooManyValues
from contacts.faults import Fault
from delivery.authoring import sources
from delivery.authoring.blocks.starters import FIRST_NAME, Starter
from delivery.authoring.sources import Manuscript, Writing
from delivery.models import Template, TemplateVersion

LARGEST = 3_000_000  # bytes of a draft
LONGEST_PART = 500_000  # characters
MOST_LOCALES = 60
DEFAULT = ""  # the name of the words for everybody whose language has none of their own

Locale = Annotated[str, StringConstraints(pattern=r"^([a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,3})?$")]


class NotReadable(ValueError):
    """What was posted is no draft; `faults` say where."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, fault.loc))}: {fault.msg}" for fault in faults))
        self.faults = tuple(faults)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Source(_Shape):
    """What somebody wrote. `body`: a list of blocks, or text. `layout`: the slug of what is put around it."""

    kind: Literal["html", "mjml", "blocks"]
    body: Any
    layout: Annotated[str, StringConstraints(max_length=100)] | None = None


class Part(_Shape):
    """The words of one language."""

    subject: Annotated[str, StringConstraints(max_length=1000)] = ""
    preheader: Annotated[str, StringConstraints(max_length=1000)] = ""
    text: Annotated[str, StringConstraints(max_length=LONGEST_PART)] = ""
    source: Source = Source(kind="html", body="")


class Options(_Shape):
    utm: bool = True
    allow_personal: Annotated[list[Annotated[str, StringConstraints(max_length=200)]], Field(max_length=200)] = []


class Draft(_Shape):
    """`base`: the number of the version that it began from, 0 for none."""

    name: Annotated[str, StringConstraints(max_length=200)] = ""
    slug: Annotated[str, StringConstraints(max_length=100)] = ""
    channel: Literal["email", "sms", "push"] = "email"
    kind: Literal["message", "layout", "partial"] = "message"
    base: Annotated[int, Field(ge=0, le=2_000_000_000)] = 0
    words: Annotated[dict[Locale, Part], Field(max_length=MOST_LOCALES)]
    options: Options = Options()


def body_of(body: bytes) -> dict[str, Any]:
    """The JSON object of a request. Raises NotReadable."""
    if len(body) > LARGEST:
        raise NotReadable([Fault("too_large", f"is longer than {LARGEST:,} bytes")])
    try:
        value = strict_json.read(body)
    except (NotJson, TooManyValues) as error:
        raise NotReadable([Fault("not_json", f"is not JSON: {error}")]) from error
    if flaw := strict_json.fault_in(value, strict_json.DOCUMENT):
        raise NotReadable([flaw])
    if not isinstance(value, dict):
        raise NotReadable([Fault("not_an_object", "has to be a JSON object")])
    return value


def read(value: Any) -> Draft:
    """A draft out of JSON. Raises NotReadable."""
    try:
        draft = Draft.model_validate(value)
    except ValidationError as error:
        raise NotReadable(
            [
                Fault(each["type"], each["msg"][:1].lower() + each["msg"][1:], tuple(each["loc"]))
                for each in error.errors(include_url=False, include_input=False)
            ]
        ) from error
    faults = []
    if DEFAULT not in draft.words:
        faults.append(Fault("missing_key", "the words for everybody are missing", ("words", DEFAULT)))
    for name, part in draft.words.items():
        wanted = list if part.source.kind == "blocks" else str
        if not isinstance(part.source.body, wanted):
            said = "a list of blocks" if wanted is list else "text"
            faults.append(Fault("wrong_value", f"has to be {said}", ("words", name, "source", "body")))
        elif wanted is str and len(part.source.body) > LONGEST_PART:
            faults.append(Fault("too_long", f"is longer than {LONGEST_PART:,}", ("words", name, "source", "body")))
    if faults:
        raise NotReadable(faults)
    return draft


def of_version(template: Template, version: TemplateVersion | None) -> dict[str, Any]:
    """A stored version as the editor opens it: as it was written."""
    version = version or TemplateVersion(template=template, number=0)
    version.template = template
    written = sources.manuscript_of(version)
    words = {DEFAULT: _part(vars(written.writing))}
    words |= {name: _part(part) for name, part in written.locales.items()}
    return {
        "name": template.name,
        "slug": template.slug,
        "channel": template.channel,
        "kind": template.kind,
        "base": version.number,
        "words": words,
        "options": {
            "utm": written.options.get("utm") is not False,
            "allow_personal": list(written.options.get("allow_personal") or []),
        },
    }


def manuscript(draft: Draft) -> Manuscript:
    """A draft as the post office takes it."""
    default = draft.words[DEFAULT]
    return Manuscript(
        kind=draft.kind,
        channel=draft.channel,
        writing=writing(draft, default),
        locales={name: vars(writing(draft, part)) for name, part in draft.words.items() if name != DEFAULT},
        options=options(draft),
    )


def writing(draft: Draft, part: Part) -> Writing:
    """One language of it. Only an email has a source; a text message is its text."""
    if draft.channel != "email":
        return Writing(subject=part.subject if draft.channel == "push" else "", text=part.text)
    source = {"kind": part.source.kind, "body": part.source.body, "layout": part.source.layout or None}
    return Writing(subject=part.subject, preheader=part.preheader, text=part.text, source=source)


def options(draft: Draft) -> dict[str, Any]:
    """What differs from what goes without saying."""
    said: dict[str, Any] = {} if draft.options.utm else {"utm": False}
    return said | ({"allow_personal": draft.options.allow_personal} if draft.options.allow_personal else {})


def of_starter(starter: Starter | None, *, channel: str, kind: str, code: str) -> dict[str, Any]:
    """A new template, from a layout or from nothing."""
    source: dict[str, Any] = {"kind": "html", "body": "", "layout": None}
    subject = preheader = text = ""
    if starter is not None:
        source |= {"kind": "blocks", "body": [dict(block) for block in starter.blocks]}
        subject, preheader = starter.subject, starter.preheader
    elif channel != "email":
        text = f"Hello {FIRST_NAME}"
    elif code in BEGINNINGS:
        source |= {
            "kind": code,
            "body": (LAYOUTS if kind == "layout" else PARTIALS if kind == "partial" else BEGINNINGS)[code],
        }
    else:
        source |= {"kind": "blocks", "body": [dict(block) for block in BLANK]}
    part = {"subject": subject, "preheader": preheader, "text": text, "source": source}
    return {
        "name": "",
        "slug": "",
        "channel": channel,
        "kind": kind,
        "base": 0,
        "words": {DEFAULT: part},
        "options": {"utm": True, "allow_personal": []},
    }


BLANK: tuple[dict[str, Any], ...] = ({"type": "theme"}, {"type": "heading", "text": "A heading"}, {"type": "footer"})
BEGINNINGS = {
    "html": "<!doctype html>\n<html>\n  <body>\n    <h1>Welcome, {{first_name}}</h1>\n  </body>\n</html>\n",
    "mjml": (
        "<mjml>\n  <mj-body>\n    <mj-section>\n      <mj-column>\n"
        "        <mj-text>Welcome, {{first_name}}</mj-text>\n"
        "      </mj-column>\n    </mj-section>\n  </mj-body>\n</mjml>\n"
    ),
}
LAYOUTS = {
    "html": "<!doctype html>\n<html>\n  <body>\n    {{{body}}}\n  </body>\n</html>\n",
    "mjml": '<mjml>\n  <mj-body background-color="#eef2ff">\n    {{{body}}}\n  </mj-body>\n</mjml>\n',
}
PARTIALS = {
    "html": "<p>Questions? Answer this mail.</p>\n",
    "mjml": (
        "<mj-section>\n  <mj-column>\n    <mj-text>Questions? Answer this mail.</mj-text>\n"
        "  </mj-column>\n</mj-section>\n"
    ),
}


def _part(written: Mapping[str, Any]) -> dict[str, Any]:
    source = written.get("source") or {"kind": "html", "body": written.get("html") or ""}
    return {
        "subject": written.get("subject") or "",
        "preheader": written.get("preheader") or "",
        "text": written.get("text") or "",
        "source": {"kind": source["kind"], "body": source["body"], "layout": source.get("layout") or None},
    }
