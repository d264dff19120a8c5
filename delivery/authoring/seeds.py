"""The seed list: addresses of ours at many mailbox providers, which get every language of a message just as it would go
out. No contact is involved, so no cap, no counter and no experiment is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from contacts import audit, authority
from contacts.faults import Fault
from contacts.identifiers import canonical, is_email
from delivery import notices
from delivery.authoring import locales, previews, test_sends
from delivery.authoring.test_sends import UnableToTry
from delivery.models import SeedAddress
from delivery.notices import Notice

MOST = 200  # addresses of the list
MOST_MAILS = 2_000  # at once
LONGEST_NOTE = 200
_LANE = "bulk"


class BadSeed(ValueError):
    """The address cannot be added; `faults` say why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.msg for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Sent:
    """How many mails were left with the post office, of how many messages in how many languages."""

    mails: int
    messages: int
    languages: int


def keep(*, email: str, locale: str = "", note: str = "", now: datetime) -> SeedAddress:
    """Add an address to the list, or change what is said of it. `locale` empty: it gets every language. Raises
    BadSeed, NotAllowed."""
    authority.require("delivery.add_seedaddress")
    address, language = canonical("email", email), locales.canonical(locale)
    faults = []
    if not is_email(address):
        faults.append(Fault("no_address", "expected an e-mail address", ("email",)))
    if locale and not language:
        faults.append(Fault("locale", "expected the tag of a language, such as de or pt-BR", ("locale",)))
    if len(note) > LONGEST_NOTE or "\x00" in note:
        faults.append(Fault("note", f"a note has at most {LONGEST_NOTE} characters", ("note",)))
    others = SeedAddress.objects.exclude(email=address).count()
    if not faults and others >= MOST:
        faults.append(Fault("too_many", f"the list has at most {MOST} addresses", ("email",)))
    if faults:
        raise BadSeed(faults)
    seed, is_new = SeedAddress.objects.update_or_create(
        email=address,
        defaults={"locale": language, "note": note},
        create_defaults={"locale": language, "note": note, "created_at": now},
    )
    deed = "added" if is_new else "changed"
    audit.note(f"seed_address.{deed}", of=("seed_address", seed.pk), after={"locale": language})
    return seed


def drop(seed_id: int) -> bool:
    """Take an address off the list, in the caller's transaction; whether it was there. Raises NotAllowed."""
    authority.require("delivery.delete_seedaddress")
    was_there = SeedAddress.objects.filter(pk=seed_id).delete()[0] > 0
    if was_there:
        audit.note("seed_address.removed", of=("seed_address", seed_id))
    return was_there


def send(slugs: Sequence[str], *, now: datetime) -> Sent:
    """Leave every language of these messages with the post office for the list, in the caller's transaction. The
    variants of an experiment are messages of their own: name them all. Raises UnableToTry, and sends nothing then."""
    seeds = list(SeedAddress.objects.order_by("id")[:MOST])
    batch = uuid4().hex
    mails: list[Notice] = []
    languages = 0
    for slug in dict.fromkeys(slugs):
        wording = test_sends.live(slug)
        for language in ("", *wording.locales):
            languages += 1
            shown = previews.preview(wording, locale=language)
            if shown.problem:
                raise UnableToTry([Fault("not_rendered", shown.problem, (slug, *([language] if language else [])))])
            for seed in seeds:
                if seed.locale and seed.locale != language and locales.pick(seed.locale, wording.locales) != language:
                    continue
                mails.append(
                    Notice(
                        contact_id=None,
                        to_address=seed.email,
                        subject=shown.rendered.subject,
                        text=shown.rendered.text,
                        html=shown.rendered.html,
                        headers=test_sends.headers(slug, shown),
                        key=f"seed:{batch}:{len(mails)}",
                        lane=_LANE,
                    )
                )
    if len(mails) > MOST_MAILS:
        raise UnableToTry([Fault("too_many", f"that would be {len(mails)} mails; at most {MOST_MAILS} go out at once")])
    notices.enqueue(mails, now=now)
    return Sent(len(mails), len(set(slugs)), languages)
