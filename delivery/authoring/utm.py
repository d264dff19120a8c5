"""utm_source, utm_medium, utm_campaign and utm_content on the links to our own sites, so that their statistics tell
where a visitor came from.

Each link is marked once per text with a Mustache tag at its end, which is filled per message: so a message that tells
nothing (a transactional one) goes out as it was written. What a link says of itself is never overwritten, and links
to others, or whose host comes from a variable, are left alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from delivery.authoring.rendering import Words

FIRST, MORE = "utm_first", "utm_more"  # what the tags are called: at a link without a query, and with one
_HREF = re.compile(r"(<a\b[^>]*?\bhref\s*=\s*)(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_TEXT_LINK = re.compile(r"https?://[^\s<>()\[\]\"']+[^\s<>()\[\]\"'.,;:!?]")
_TAG = re.compile(r"\{\{\{.*?\}\}\}|\{\{.*?\}\}", re.DOTALL)


def marked(words: Words) -> Words:
    """The words with the tags in their links. A text with delimiters of its own is left alone."""
    hosts = _hosts()
    return replace(words, html=_html(words.html, hosts), text=_text(words.text, hosts))


def values(*, medium: str, campaign: str, content: str) -> dict[str, Any]:
    """What the tags show. `campaign` empty: the message belongs to no journey, and nothing is told."""
    if not campaign:
        return {}
    query = _query(settings.UTM_SOURCE, medium, campaign, content)
    return {FIRST: f"?{query}", MORE: f"&{query}"}


@lru_cache(maxsize=1024)
def _query(source: str, medium: str, campaign: str, content: str) -> str:
    told = {"utm_source": source, "utm_medium": medium, "utm_campaign": campaign, "utm_content": content}
    return urlencode({name: value for name, value in told.items() if value})


def values_of(about: object, *, channel: str, message_class: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a message: `about` says of which journey and step it is."""
    if message_class != "marketing" or options.get("utm") is False or not isinstance(about, Mapping):
        return {}
    return values(medium=channel, campaign=str(about.get("workflow") or ""), content=str(about.get("step") or ""))


def _hosts() -> frozenset[str]:
    """UTM_DOMAINS; without it the domain that we write from, and the host that we answer at."""
    named = {word.lower().strip(".") for word in settings.UTM_DOMAINS}
    own = {settings.EMAIL_FROM.rpartition("@")[2].lower(), (urlsplit(settings.PUBLIC_URL).hostname or "").lower()}
    return frozenset(named or own - {""})


def is_ours(url: str, hosts: frozenset[str]) -> bool:
    """Whether a link leads to one of these hosts, or to one below it."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and any(host == ours or host.endswith(f".{ours}") for ours in hosts)


@lru_cache(maxsize=512)
def _html(html: str, hosts: frozenset[str]) -> str:
    def link(found: re.Match[str]) -> str:
        quote, url = found[2][0], found[2][1:-1]
        return f"{found[1]}{quote}{_tagged(url, hosts, escaped=True)}{quote}"

    return html if "{{=" in html else _HREF.sub(link, html)


@lru_cache(maxsize=512)
def _text(text: str, hosts: frozenset[str]) -> str:
    return text if "{{=" in text else _TEXT_LINK.sub(lambda found: _tagged(found[0], hosts, escaped=False), text)


def _tagged(url: str, hosts: frozenset[str], *, escaped: bool) -> str:
    bare = _TAG.sub("x", url)  # a variable in the path or the query says nothing of where it leads
    head = url.split("{{", 1)[0]
    plain = unescape(bare) if escaped else bare
    if "{{" in url and not re.match(r"https?://[^/?#]+[/?#]", head):
        return url
    if not is_ours(plain, hosts) or "utm_" in plain or _is_of_ours_alone(plain):
        return url
    address, hash_sign, fragment = _cut(url)
    query = "?" in _TAG.sub("", address)
    return f"{address}{{{{{MORE if query else FIRST}}}}}{hash_sign}{fragment}"


def _is_of_ours_alone(url: str) -> bool:
    """Unsubscribe and preference pages are no campaign's."""
    return url.startswith(f"{settings.PUBLIC_URL}/") and bool(
        re.match(r"/(?:u|preferences|confirm|c|o)/", urlsplit(url).path)
    )


def _cut(url: str) -> tuple[str, str, str]:
    """The address and its fragment; a # within a tag begins a section."""
    masked = _TAG.sub(lambda found: "x" * len(found[0]), url)
    at = masked.find("#")
    return (url, "", "") if at < 0 else (url[:at], "#", url[at + 1 :])
