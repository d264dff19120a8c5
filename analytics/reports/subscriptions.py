"""Who gets which report by mail, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from analytics.models import ReportSubscription
from analytics.reports import asked, register, rhythm
from analytics.reports.asked import BadFilters
from analytics.reports.rhythm import Rhythm
from contacts.faults import Fault
from contacts.identifiers import canonical, is_email
from contacts.zones import known
from delivery.models import StaffNotice

MOST = 200  # that are active
BY_READER, NO_ACCOUNT = "unsubscribed", "account_gone"
BY_HAND = "stopped"
_FAILED = ("rejected", "suppressed", "in_doubt")


class BadSubscription(ValueError):
    """It cannot be; `faults` name the fields."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.msg for fault in faults))
        self.faults = faults


def subscribe(
    report: str, filters: Mapping[str, str], *, email: str, rhythm: Rhythm, by: str, now: datetime
) -> ReportSubscription:
    """In the caller's transaction. `by`: the name of the account that it is for: without that there are no mails.
    Raises BadSubscription."""
    to = canonical("email", email.strip())
    faults = list(_faults(report, filters, to, rhythm))
    if not faults and ReportSubscription.objects.filter(is_active=True).count() >= MOST:
        faults.append(Fault("too_many", f"There are {MOST} already; stop one first.", ()))
    if faults:
        raise BadSubscription(faults)
    at = next_owed(rhythm, now)
    return ReportSubscription.objects.create(
        report=report,
        filters=dict(filters),
        email=to,
        every=rhythm.every,
        on_day=rhythm.on_day,
        at_hour=rhythm.at_hour,
        timezone=rhythm.timezone,
        next_at=at,
        try_at=at,
        created_by=by,
    )


def _faults(report: str, filters: Mapping[str, str], email: str, given: Rhythm) -> Sequence[Fault]:
    faults = []
    described = register.named(report)
    if described is None:
        return [Fault("unknown", "There is no such report.", ("report",))]
    try:
        asked.read(described, filters)
    except BadFilters as error:
        faults += [fault.below("filters") for fault in error.faults]
    if not is_email(email):
        faults.append(Fault("invalid", "Enter an email address.", ("email",)))
    if given.every not in rhythm.LAST_DAY:
        faults.append(Fault("invalid", "Choose day, week or month.", ("every",)))
    elif not 1 <= given.on_day <= rhythm.LAST_DAY[given.every]:
        faults.append(Fault("invalid", f"Choose 1 to {rhythm.LAST_DAY[given.every]}.", ("on_day",)))
    if not 0 <= given.at_hour <= 23:
        faults.append(Fault("invalid", "Choose an hour from 0 to 23.", ("at_hour",)))
    if given.timezone not in known():
        faults.append(Fault("invalid", "Enter a time zone such as Europe/Berlin.", ("timezone",)))
    return faults


def next_owed(given: Rhythm, now: datetime) -> datetime:
    return rhythm.next_after(given, now)


def rhythm_of(subscription: ReportSubscription) -> Rhythm:
    return Rhythm(subscription.every, subscription.on_day, subscription.at_hour, subscription.timezone)


def stop(public_id: UUID, *, because: str) -> bool:
    """No mail is made any more; returns whether there was one to stop. `because`: BY_READER, BY_HAND or NO_ACCOUNT."""
    going = ReportSubscription.objects.filter(public_id=public_id, is_active=True)
    return going.update(is_active=False, stopped_because=because) > 0


def last_mails(subscriptions: Sequence[ReportSubscription]) -> Mapping[int, tuple[str, str]]:
    """Of each that had one, the state and the reason of its last mail. One statement."""
    keys = {each.last_notice: each.pk for each in subscriptions if each.last_notice}
    found = StaffNotice.objects.filter(idempotency_key__in=keys).values_list("idempotency_key", "state", "reason")
    return {keys[key]: (state, reason) for key, state, reason in found}


def trouble(subscription: ReportSubscription, last: tuple[str, str] | None) -> str:
    """What is the matter, in a sentence; empty: nothing."""
    if subscription.problem:
        return subscription.problem
    state, reason = last or ("", "")
    if state not in _FAILED:
        return ""
    why = f" ({reason.replace('_', ' ')})" if reason else ""
    return f"The last mail was not delivered: {state.replace('_', ' ')}{why}."


def shown(subscription: ReportSubscription) -> dict[str, Any]:
    """What pages say of it."""
    described = register.named(subscription.report)
    return {
        "title": described.title if described else subscription.report,
        "when": rhythm.words(rhythm_of(subscription)),
        "filters": subscription.filters,
    }
