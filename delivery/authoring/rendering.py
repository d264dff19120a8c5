"""From a template version and a contact to the words of one mail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from django.conf import settings

from delivery import branding
from delivery.authoring import mustache, plain_text
from delivery.authoring.footer import Footer
from delivery.public.languages import language

LONGEST_SUBJECT = 900  # characters; RFC 5322 allows a line of 998 octets
_CONTROLS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_BODY_OPENS = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_PREHEADER = (
    '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">{}</div>'  # shown beside the subject in a list
)


class UnableToRender(ValueError):
    """This template with this contact gives no mail, now or later; the message says which part and why."""


@dataclass(frozen=True)
class Words:
    """A template version's own words."""

    subject: str
    preheader: str
    html: str
    text: str


@dataclass(frozen=True)
class Rendered:
    """A mail's words. `subject` is one line."""

    subject: str
    html: str
    text: str


def merge_data(
    *,
    fields: Mapping[str, Any],
    attributes: Mapping[str, Any],
    context: Mapping[str, Any],
    unsubscribe_url: str,
    preferences_url: str = "",
    confirm_url: str = "",
) -> dict[str, Any]:
    """What a template may name: an attribute by its name or as `contact.NAME`, a field of the contact as
    `contact.email`, what started the workflow as `trigger.NAME`, `unsubscribe_url`, `preferences_url`,
    `postal_address`, `brand_name`, and in the mail of a double opt-in `confirm_url`. Where names collide, ours win."""
    return {
        **attributes,
        "contact": {**attributes, **fields},
        "trigger": context.get("trigger") or {},
        "unsubscribe_url": unsubscribe_url,
        "preferences_url": preferences_url,
        "postal_address": branding.postal_address(),
        "brand_name": settings.BRAND_NAME,
        **({"confirm_url": confirm_url} if confirm_url else {}),
    }


def render(words: Words, data: Mapping[str, Any], *, is_marketing: bool) -> Rendered:
    """Fill the template. Raises UnableToRender.

    A marketing mail that does not show what it must (`footer`) gets a footer that does, in the contact's language;
    without a text part, one is made of the HTML."""
    subject = one_line(_fill("subject", words.subject, data, escape=False))[:LONGEST_SUBJECT]
    preheader = one_line(_fill("preheader", words.preheader, data, escape=False))
    data = {**data, "preheader": preheader}
    html = _fill("html", words.html, data, escape=True)
    text = _fill("text", words.text, data, escape=False)
    if html and preheader and "preheader" not in words.html:
        html = _after(_BODY_OPENS, html, _PREHEADER.format(escape(preheader)))
    if not text.strip():
        source = plain_text.template_of(words.html)
        made = None if source is None else plain_text.tidied(_fill("text", source, data, escape=False))
        text = plain_text.from_html(html) if made is None else made
    if is_marketing:
        footer = _footer(data)
        html, text = footer.below_html(html) if html else "", footer.below_text(text)
    return Rendered(subject, html, text)


def one_line(text: str) -> str:
    """What may stand in a header: no line breaks, no control characters, so no value begins a header of its own."""
    return _CONTROLS.sub(" ", text).encode("utf-8", "replace").decode("utf-8").strip()


def _fill(part: str, source: str, data: Mapping[str, Any], *, escape: bool) -> str:
    try:
        return mustache.render(source, data, escape=escape)
    except mustache.BadMustache as error:
        raise UnableToRender(f"{part}: {error}") from error


def _after(place: re.Pattern[str], html: str, piece: str) -> str:
    found = place.search(html)
    at = found.end() if found else 0
    return html[:at] + piece + html[at:]


def _footer(data: Mapping[str, Any]) -> Footer:
    return Footer(
        unsubscribe_url=data["unsubscribe_url"],
        preferences_url=data["preferences_url"],
        postal_address=data["postal_address"],
        language=language(str(data["contact"].get("locale") or "")),
    )
