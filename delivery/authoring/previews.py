"""What somebody would get, and what somebody got: the words of a version, filled for one person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.http import Http404

from contacts import identifiers, living
from contacts.models import Contact, ContactIdentity
from delivery.authoring import mustache, rendering, tags, templates, utm
from delivery.authoring.rendering import Rendered, UnableToRender, Words
from delivery.authoring.templates import Wording
from delivery.models import Message, SendLogEntry

FIELDS = ("external_id", "email", "phone", "timezone", "locale", "region", "owner_email")
UNSUBSCRIBE, PREFERENCES = "/u/example", "/preferences/example"  # pages that do nothing to anybody
_KINDS = ("external_id", "email")


@dataclass(frozen=True)
class Person:
    """Whom a preview is for. `fields` as in `rendering.merge_data`; `label` names them."""

    fields: Mapping[str, Any]
    attributes: Mapping[str, Any]
    label: str

    @property
    def locale(self) -> str:
        return str(self.fields.get("locale") or "")


@dataclass(frozen=True)
class Shown:
    """A mail as it would arrive. `language`: which of the template's; empty: its own. `problem`: why there is none;
    then the words are empty."""

    rendered: Rendered
    language: str
    person: str
    preheader: str = ""
    problem: str = ""


@dataclass(frozen=True)
class AsSent(Shown):
    """A mail as it was handed over. `at`: when it was claimed. `is_exact`: everything that it was made of is known
    still; not so once the contact was erased or merged into another. Its unsubscribe links lead nowhere."""

    at: datetime | None = None
    version_id: int = 0
    is_exact: bool = True


EXAMPLE = Person(
    fields={"id": "", "email": "ana.ruiz@example.com", "timezone": "Europe/Madrid", "locale": ""},
    attributes={
        "first_name": "Ana",
        "last_name": "Ruiz",
        "company": "Example Ltd",
        "job_title": "Director of Marketing",
        "country": "ES",
        "plan": "trial",
    },
    label="an example person",
)


class NoSuchContact(LookupError):
    """Nobody has this identifier."""


def person(identifier: str) -> Person:
    """The contact with this public id, external id or e-mail address; an example person for none. Raises
    NoSuchContact."""
    if not identifier:
        return EXAMPLE
    contact = _contact(identifier)
    if contact is None:
        raise NoSuchContact(identifier)
    return _person(contact)


def preview(
    words: Words | Wording,
    person: Person = EXAMPLE,
    *,
    locale: str | None = None,
    trigger: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
    channel: str = "email",
    message_class: str = "marketing",
) -> Shown:
    """What the person would get. `locale`: as if that were theirs. `trigger`: the properties of what starts the
    workflow; without it, what the words say of it stands in brackets. `about`: {workflow, step}, for UTM."""
    wording = words if isinstance(words, Wording) else Wording(words)
    spoken = person.locale if locale is None else locale
    language, chosen = wording.language_of(spoken), wording.read_by(spoken)
    given = dict(trigger) if trigger is not None else _in_brackets(chosen)
    data = rendering.merge_data(
        fields={**person.fields, "locale": spoken},
        attributes=person.attributes,
        context={"trigger": given},
        unsubscribe_url=settings.PUBLIC_URL + UNSUBSCRIBE,
        preferences_url=settings.PUBLIC_URL + PREFERENCES,
        confirm_url=f"{settings.PUBLIC_URL}/confirm/example",
    )
    data |= utm.values_of(about or {}, channel=channel, message_class=message_class, options=wording.options)
    is_marketing = message_class == "marketing" and channel == "email"
    try:
        rendered = rendering.render(chosen, data, is_marketing=is_marketing)
        preheader = rendering.one_line(mustache.render(chosen.preheader, data, escape=False))
    except UnableToRender as error:
        return Shown(Rendered("", "", ""), language, person.label, problem=str(error))
    return Shown(rendered, language, person.label, preheader)


def as_sent(message_id: UUID | str) -> AsSent | None:
    """What a message said when it was last handed over, by its public id; None for one that never was, or is not known.

    The version never changes, the language was written down with the outcome, and what the contact was like at the
    claim is read back out of the changes since."""
    message = Message.objects.select_related("template_version__template").filter(public_id=message_id).first()
    claim = message and SendLogEntry.objects.filter(message=message, kind="claimed").order_by("-id").first()
    if not message or not claim:
        return None
    contact = Contact.objects.filter(pk=message.contact_id).first()
    known = _at(contact, claim.at) if contact else Person({}, {}, "a contact that is gone")
    answers = SendLogEntry.objects.filter(message=message, attempt=claim.attempt, id__gt=claim.pk)
    told = answers.order_by("id").values_list("evidence", flat=True)
    language = next((evidence["language"] for evidence in told if evidence.get("language")), "" if told else None)
    context = message.context if isinstance(message.context, dict) else {}
    wording = templates.wordings_of([message.template_version_id])[message.template_version_id]
    if language is None:  # no answer came back, so it was not written down; it followed from the contact's locale
        language = wording.language_of(known.locale)
    shown = preview(
        Wording(wording.locales.get(language, wording.default), options=wording.options),
        known,
        trigger=context.get("trigger") or {},
        about=context.get("about"),
        channel=message.channel,
        message_class=message.message_class,
    )
    return AsSent(
        rendered=shown.rendered,
        language=language,
        person=shown.person,
        preheader=shown.preheader,
        problem=shown.problem,
        at=claim.at,
        version_id=message.template_version_id,
        is_exact=bool(contact and contact.erased_at is None and contact.merged_into_id is None),
    )


def _contact(identifier: str) -> Contact | None:
    if len(identifier) > identifiers.LONGEST or "\x00" in identifier:
        return None
    try:
        return living.find(UUID(identifier))
    except (ValueError, Http404):
        pass
    for kind in _KINDS:
        value = identifiers.canonical(kind, identifier)
        known = ContactIdentity.objects.filter(kind=kind, value=value).values("contact_id")[:1]
        if contact := living.living().filter(pk__in=known).first():
            return contact
    return None


def _person(contact: Contact) -> Person:
    fields = {"id": str(contact.public_id), **{name: getattr(contact, name) for name in FIELDS}}
    attributes = contact.attributes if isinstance(contact.attributes, dict) else {}
    return Person(fields, attributes, str(contact))


def _at(contact: Contact, at: datetime) -> Person:
    """The contact as it was: of each field and attribute that has changed since, the oldest value that it changed
    from."""
    now = _person(contact)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT ON (kind, name) kind, name, old::text FROM contact_changes
             WHERE contact_id = %s AND changed_at > %s AND kind IN ('attribute', 'field') ORDER BY kind, name, id
            """,
            [contact.pk, at],
        )
        was = [(kind, name, json.loads(old) if old else None) for kind, name, old in cursor.fetchall()]
    attributes = dict(now.attributes)
    fields = dict(now.fields)
    for kind, name, old in was:
        if kind == "field":
            fields[name] = old or ""
        elif old is None:
            attributes.pop(name, None)
        else:
            attributes[name] = old
    return Person(fields, attributes, now.label)


def _in_brackets(words: Words) -> dict[str, Any]:
    """Nothing has happened yet: {{trigger.order_id}} shows [order id]."""
    found: dict[str, Any] = {}
    for text in vars(words).values():
        for name in _trigger_names(text):
            found[name] = f"[{name.replace('_', ' ')}]"
    return found


def _trigger_names(text: str) -> Iterator[str]:
    for tag in tags.scan(text):
        head, _, rest = tag.name.partition(".")
        if head == "trigger" and rest and tag.kind in (*tags.VARIABLES, "section", "inverted"):
            yield rest.partition(".")[0]
