"""What a reader, a mail program or a spam filter would mind in a template. Nothing here keeps a template from being
saved; what does is in `templates.made`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import wait
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from contacts import catalogue
from delivery.authoring import markup, previews, tags
from delivery.authoring.markup import Markup
from delivery.authoring.rendering import Words
from delivery.authoring.templates import Wording
from delivery.outgoing import calls
from delivery.outgoing.calls import Answered, Request

CLIPPED_ABOVE = 102 * 1024  # bytes of HTML, beyond which Gmail hides the rest, footer and all
WIDEST = 1200  # pixels by its attributes; twice the width that mails are read at
FEW_WORDS = 40  # characters, below which a mail is its images
MOST_LINKS = 50  # that are tried
LOOKED_AT = 2_000  # contacts, the newest, whose attributes are known names
SHORTENERS = frozenset(
    {
        *("bit.ly", "buff.ly", "cutt.ly", "goo.gl", "is.gd", "lnkd.in", "ow.ly"),
        *("rb.gy", "rebrand.ly", "shorturl.at", "t.co", "tiny.cc", "tinyurl.com"),
    }
)
OURS = frozenset(
    {
        *("contact", "trigger", "preheader", "brand_name", "postal_address"),
        *("unsubscribe_url", "preferences_url", "confirm_url"),
    }
)
FIELDS = frozenset({"id", *previews.FIELDS})
_LEVELS = ("error", "warning", "hint")
_HOST = re.compile(r"(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?:[/?#:].*)?", re.IGNORECASE)
_LOCATED = re.compile(r"https?:|mailto:|tel:|sms:|#|\{\{", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """`level`: error (it will go wrong), warning, hint. `part`: subject · preheader · html · text; `locale` empty: the
    default language. `place`: where in the part, for people."""

    level: str
    code: str
    part: str
    message: str
    place: str = ""
    locale: str = ""

    def as_json(self) -> dict[str, str]:
        return dict(vars(self))


def findings(wording: Wording, *, channel: str = "email", event_type: str = "") -> list[Finding]:
    """Errors first. A few statements, which look up the names of attributes and properties; `event_type`: the type of
    the event that starts the journey, where that is known."""
    found: list[Finding] = []
    known = _known(event_type)
    for locale, words in {"": wording.default, **wording.locales}.items():
        told = [*_headline(words, channel), *_names(words, known)]
        if channel == "email":
            read = markup.read(words.html)
            told += [*_mail(words, read), *_links(read), *_images(read), *_size(wording, locale)]
        found += [Finding(**{**vars(each), "locale": locale}) for each in told]
    return sorted(found, key=lambda each: _LEVELS.index(each.level))


def broken_links(words: Words) -> list[Finding]:
    """Ask every link of the HTML whether it is there: HEAD requests to the public internet, within the time limit of
    one request. Links with variables are left out. Talks to others: never in a transaction."""
    places: dict[str, str] = {}
    for link in markup.read(words.html).links:
        if link.href.startswith(("http://", "https://")) and "{{" not in link.href:
            places.setdefault(link.href.split("#", 1)[0], _line(link.line))
    asked = {url: calls.start(Request("HEAD", url)) for url in list(places)[:MOST_LINKS]}
    wait(asked.values(), timeout=settings.WEBHOOK_TIMEOUT_SECONDS + 1)
    found = []
    for url, future in asked.items():
        answer = future.result() if future.done() else None
        if isinstance(answer, Answered):
            if answer.status in (404, 410) or answer.status >= 500:
                said = f"{url} answers {answer.status}"
                found.append(Finding("error", "broken_link", "html", said, places[url]))
        elif answer is None or not answer.refused:
            said = f"{url} does not answer: {answer.reason if answer else 'timeout'}".replace("_", " ")
            found.append(Finding("warning", "broken_link", "html", said, places[url]))
        else:
            said = f"{url} cannot be looked up from here: {answer.reason}".replace("_", " ")
            found.append(Finding("hint", "unchecked_link", "html", said, places[url]))
    return found


def _headline(words: Words, channel: str) -> Iterator[Finding]:
    if channel == "sms":
        if not words.text.strip():
            yield Finding("error", "no_text", "text", "an SMS is its text, and there is none")
        return
    plain = "".join(words.subject[end:start] for end, start in _between(words.subject))
    letters = [letter for letter in plain if letter.isalpha()]
    if not words.subject.strip():
        yield Finding("warning", "no_subject", "subject", "there is no subject")
    if len(letters) >= 8 and sum(letter.isupper() for letter in letters) >= 0.8 * len(letters):
        yield Finding("warning", "shouting", "subject", "most of the subject is in capitals, as spam has it")
    if plain.count("!") > 1 or "!!" in words.preheader:
        part = "subject" if plain.count("!") > 1 else "preheader"
        yield Finding("warning", "exclamation_marks", part, "several exclamation marks, as spam has them")
    if channel == "email" and not words.preheader.strip():
        said = "without a preheader, lists of mails show how the mail begins beside the subject"
        yield Finding("hint", "no_preheader", "preheader", said)


def _between(text: str) -> list[tuple[int, int]]:
    """Where the words between the tags are."""
    found = tags.scan(text)
    ends = [0, *(tag.end for tag in found)]
    return list(zip(ends, [*(tag.start for tag in found), len(text)], strict=True))


def _mail(words: Words, read: Markup) -> Iterator[Finding]:
    if not words.html.strip():
        yield Finding("hint", "no_html", "html", "the mail is plain text")
        return
    if not words.text.strip():
        yield Finding("hint", "no_text", "text", "the plain text is made of the HTML")
    if read.images and len(read.words.replace("x", "").replace(" ", "")) < FEW_WORDS:
        said = "the mail is its images: many programs do not show them, and filters mind it"
        yield Finding("warning", "images_only", "html", said)
    if not read.has_color_scheme:
        said = "nothing is said of dark mode (<meta name=color-scheme>): programs will choose the colours"
        yield Finding("hint", "no_dark_mode", "html", said)
    for wrong in read.wrong[:20]:
        yield Finding("warning", "nesting", "html", wrong.said, _line(wrong.line))


def _links(read: Markup) -> Iterator[Finding]:
    for link in read.links:
        place = _line(link.line)
        href = link.href
        scheme = href.partition(":")[0].lower().strip()
        if not href or href == "#":
            yield Finding("warning", "empty_link", "html", f"the link “{link.words[:60]}” leads nowhere", place)
            continue
        if scheme in ("javascript", "data", "vbscript", "file"):
            said = f"a link begins with {scheme}:, which no mail program follows"
            yield Finding("error", "bad_link", "html", said, place)
            continue
        if not _LOCATED.match(href):
            said = f"{href[:80]} is no whole address: it begins with https://"
            yield Finding("error", "bad_link", "html", said, place)
            continue
        host = _host_of(href)
        if href.lower().startswith(("http://", "https://")) and "{{" not in href and (not host or " " in href):
            yield Finding("error", "bad_link", "html", f"{href[:80]} cannot be read as an address", place)
            continue
        if href.lower().startswith("http://") and host != _host_of(settings.PUBLIC_URL):
            yield Finding("warning", "insecure_link", "html", f"{href[:80]} is not encrypted: https", place)
        if host in SHORTENERS:
            yield Finding("warning", "shortened_link", "html", f"{host} hides where it leads, as spam does", place)
        shown = _HOST.fullmatch(link.words)
        if shown and host and not _is_same_site(shown[1].lower(), host):
            said = f"the link says {shown[1]} and leads to {host}, as phishing does"
            yield Finding("warning", "link_says_otherwise", "html", said, place)
        if not link.words and not link.has_image:
            yield Finding("warning", "empty_link", "html", f"the link to {href[:80]} has no words", place)


def _images(read: Markup) -> Iterator[Finding]:
    for image in read.images:
        place = _line(image.line)
        name = image.src.rsplit("/", 1)[-1][:60]
        if image.alt is None:
            said = f'the image {name} has no alt text; alt="" if it is decoration'
            yield Finding("warning", "no_alt", "html", said, place)
        if not image.src:
            yield Finding("warning", "bad_image", "html", "an image without an address", place)
        elif image.src.startswith("data:"):
            said = "an image within the mail itself: Gmail and Outlook do not show it"
            yield Finding("warning", "bad_image", "html", said, place)
        elif image.src.startswith("http://") and _host_of(image.src) != _host_of(settings.PUBLIC_URL):
            yield Finding("warning", "insecure_link", "html", f"the image {name} is not encrypted: https", place)
        if any(size.isdecimal() and int(size[:9]) > WIDEST for size in (image.width, image.height)):
            said = f"the image {name} is {image.width or '?'} by {image.height or '?'}: larger than mails are read at"
            yield Finding("hint", "large_image", "html", said, place)


def _size(wording: Wording, locale: str) -> Iterator[Finding]:
    words = wording.locales[locale] if locale else wording.default
    shown = previews.preview(Wording(words, options=wording.options), previews.EXAMPLE, locale=locale)
    if shown.problem:
        part, _, said = shown.problem.partition(": ")
        yield Finding("error", "not_rendered", part, said)
    elif (size := len(shown.rendered.html.encode())) > CLIPPED_ABOVE:
        said = f"the HTML is {size / 1024:.0f} kB; above 102 kB Gmail hides the rest, the unsubscribe link with it"
        yield Finding("warning", "too_large", "html", said)


def _names(words: Words, known: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    told: set[tuple[str, str]] = set()
    for part, text in vars(words).items():
        for name, around, tag in tags.names(text):
            inside = any(each.kind == "section" for each in around)  # then it may be an item's
            head, _, rest = name.partition(".")
            said = _doubt(name, head, rest.partition(".")[0], known, inside=inside)
            if said and (name, part) not in told:
                told.add((name, part))
                yield Finding("warning", "unknown_tag", part, said, _line(tags.line(text, tag.start)))


def _doubt(name: str, head: str, rest: str, known: Mapping[str, Collection[str]], *, inside: bool) -> str:
    """What is odd about a name; empty: nothing."""
    if head == "contact" and rest:
        return "" if rest in FIELDS or rest in known["attributes"] else f"no contact has {name}"
    if head == "trigger" and rest:
        properties = known["properties"]
        return f"no event was seen with the property {rest}" if properties and rest not in properties else ""
    if name == "." or head in OURS or head in known["attributes"] or (inside and head not in FIELDS):
        return ""
    if head in FIELDS:
        return f"{name} is a field of the contact: {{{{contact.{name}}}}}"
    return f"no contact has the attribute {head}"


def _known(event_type: str) -> dict[str, Collection[str]]:
    """The names that attributes and properties have, as far as they were seen."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT jsonb_object_keys(attributes) FROM (
                   SELECT attributes FROM contacts WHERE jsonb_typeof(attributes) = 'object'
                    ORDER BY created_at DESC, id DESC LIMIT %s) AS newest
            """,
            [LOOKED_AT],
        )
        attributes = {row[0] for row in cursor.fetchall()}
        if event_type:
            properties = set(catalogue.properties(event_type))
        else:
            cursor.execute("SELECT DISTINCT property FROM seen_events WHERE property <> ''")
            properties = {row[0] for row in cursor.fetchall()}
    return {"attributes": attributes | previews.EXAMPLE.attributes.keys(), "properties": properties}


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _is_same_site(one: str, other: str) -> bool:
    one, other = one.removeprefix("www."), other.removeprefix("www.")
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _line(number: int) -> str:
    return f"line {number}"
