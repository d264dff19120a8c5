"""Trying a template: one mail to oneself or a colleague, through the post office as any other, counted nowhere.

It goes to addresses of ours alone: of those who work here, of the seed list, and of TEST_SEND_DOMAINS; to any while the
sandbox takes the mail, which nothing leaves. An address that is suppressed gets nothing, unless it is that of whoever
asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import get_user_model

from contacts.faults import Fault
from contacts.identifiers import canonical, is_email
from delivery import notices
from delivery.authoring import previews, templates
from delivery.authoring.previews import EXAMPLE, Person, Shown
from delivery.authoring.templates import Wording
from delivery.models import SeedAddress, Template
from delivery.notices import Notice
from delivery.public import unsubscribing

MARK = "[Test]"
HEADER = "X-Carillon-Test"  # the template's slug, and the language where it has one
MOST = 20  # addresses at once
_LANE = "urgent"


class UnableToTry(ValueError):
    """Nothing was sent; `faults` say why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.msg for fault in faults))
        self.faults = tuple(faults)


def send(
    slug: str,
    to: Sequence[str],
    *,
    person: Person = EXAMPLE,
    locale: str | None = None,
    wording: Wording | None = None,
    trigger: Mapping[str, Any] | None = None,
    asked_by: str = "",
    now: datetime,
) -> list[str]:
    """Leave a test mail with the post office for each address, in the caller's transaction; returns the addresses.

    `person`, `locale` and `trigger` as in `previews.preview`; `wording`: words that are not saved yet. `asked_by`: the
    address of whoever asks, as their account has it. Raises UnableToTry."""
    given = [canonical("email", each) if isinstance(each, str) else "" for each in to]
    if not 1 <= len(given) <= MOST:
        raise UnableToTry([Fault("count", f"between 1 and {MOST} addresses", ("to",))])
    own = canonical("email", asked_by) if asked_by else ""
    allowed = allowed_of(given, own=own)
    if faults := [_fault(at, each) for at, each in enumerate(given) if each not in allowed]:
        raise UnableToTry(faults)
    shown = previews.preview(wording or live(slug), person, locale=locale, trigger=trigger)
    if shown.problem:
        raise UnableToTry([Fault("not_rendered", shown.problem)])
    batch = uuid4().hex
    addresses = list(dict.fromkeys(given))
    notices.enqueue(
        [
            Notice(
                contact_id=None,
                to_address=address,
                subject=f"{MARK} {shown.rendered.subject}",
                text=shown.rendered.text,
                html=shown.rendered.html,
                headers=headers(slug, shown),
                key=f"test:{batch}:{at}",
                lane=_LANE,
                asked_by_reader=address == own,
            )
            for at, address in enumerate(addresses)
        ],
        now=now,
    )
    return addresses


def live(slug: str) -> Wording:
    """The words of a mail's live version. Raises UnableToTry for what is no mail."""
    template = Template.objects.filter(slug=slug).first()
    if template is None or template.live_version_id is None:
        raise UnableToTry([Fault("no_template", f"there is no template {slug!r}", ("slug",))])
    if template.kind != "message" or template.channel != "email":
        said = f"{slug!r} is a {template.kind if template.kind != 'message' else template.channel + ' message'}"
        raise UnableToTry([Fault("no_mail", f"{said}; only e-mails can be tried", ("slug",))])
    return templates.wordings_of([template.live_version_id])[template.live_version_id]


def headers(slug: str, shown: Shown) -> dict[str, str]:
    """Those of a marketing mail, whose link unsubscribes nobody, and our own."""
    about = f"{slug} {shown.language}" if shown.language else slug
    return {**unsubscribing.headers(settings.PUBLIC_URL + previews.UNSUBSCRIBE), HEADER: about}


def allowed_of(addresses: Collection[str], *, own: str = "") -> set[str]:
    """Those of these addresses (canonical) that test mails may go to."""
    domains = {word.lower().lstrip("@") for word in settings.TEST_SEND_DOMAINS}
    known = {each for each in addresses if is_email(each)}
    if settings.EMAIL_PROVIDER == "sandbox":
        return known
    allowed = {each for each in known if each == own or each.rpartition("@")[2] in domains}
    if left := known - allowed:
        staff = get_user_model().objects.filter(is_staff=True, is_active=True).exclude(email="")
        colleagues = {canonical("email", email) for email in staff.values_list("email", flat=True)}
        allowed |= left & colleagues
        allowed |= set(SeedAddress.objects.filter(email__in=left).values_list("email", flat=True))
    return allowed


def _fault(at: int, address: str) -> Fault:
    if not is_email(address):
        return Fault("no_address", "expected an e-mail address", ("to", at))
    said = "test mails go to those who work here, to the seed list and to TEST_SEND_DOMAINS alone"
    return Fault("not_allowed", said, ("to", at))
