"""What each provider is there for, what it can do, and what became of the mail that it was given lately."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from delivery import providers, tallies
from delivery.figures import Counts, share
from delivery.models import Provider

CHANNELS = {"email": "email", "sms": "SMS", "push": "push messages"}
DAYS = 7


def enlist() -> None:
    """A row for each provider that is in use: trouble makes one too, but somebody who looks sees those without any."""
    chosen = dict.fromkeys(name for channel in CHANNELS for name in providers.names(channel))
    Provider.objects.bulk_create([Provider(name=name) for name in chosen], ignore_conflicts=True)


def role(name: str) -> str:
    """For what it is used, as a sentence."""
    parts = []
    for channel, words in CHANNELS.items():
        chosen = providers.names(channel)
        if name in chosen:
            parts.append(words if chosen[0] == name else f"{words}, where {providers.title(chosen[0])} cannot")
    return f"Takes {' and '.join(parts)}" if parts else "Not in use"


def taken_over_by(row: Provider, *, now: datetime) -> str:
    """Who takes what this one would take now; empty: nobody, or it is not needed."""
    if not row.stopped_at and not (row.resting_until and row.resting_until > now):
        return ""
    others = [other for channel in CHANNELS for other in _after(row.name, providers.names(channel))]
    free = Provider.objects.filter(name__in=others)
    busy = {each.name for each in free if each.stopped_at or (each.resting_until and each.resting_until > now)}
    return next((other for other in others if other not in busy), "")


def _after(name: str, chosen: tuple[str, ...]) -> tuple[str, ...]:
    return chosen[chosen.index(name) + 1 :] if name in chosen else ()


def abilities(name: str) -> list[tuple[str, str]]:
    """Labels and words; none for one that is not installed or set up."""
    try:
        provider = providers.named(name)
    except ImproperlyConfigured as error:
        return [("Set up", str(error))]
    known = providers.entries()[name]
    if provider.can_look_up:
        doubts = "It can be asked for a message"
    elif provider.repeats_within:
        doubts = f"It knows our key for {provider.repeats_within / 3600:g} hours"
    else:
        doubts = "Only its reports resolve them"
    return [
        ("Rate", f"{settings.ESP_RATE_LIMIT:,} messages a second" if provider.is_throttled else "Not limited by us"),
        ("Opens and clicks", "It reports them" if provider.does_track else "By our own links and picture"),
        ("Reports", f"At /webhooks/{name}/" if known.vendor else "It sends none"),
        ("Doubts", doubts),
    ]


def lately(names: list[str], *, now: datetime) -> Mapping[str, Counts]:
    """What messages met at each of them in the last DAYS days. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT provider, what, sum(n)::bigint FROM post_tallies WHERE provider = ANY(%s) AND day >= %s"
            " GROUP BY 1, 2",
            [names, tallies.day_of(now) - timedelta(days=DAYS - 1)],
        )
        met: dict[str, dict[str, int]] = {name: {} for name in names}
        for name, what, n in cursor.fetchall():
            met[name][what] = n
    return {name: Counts(each) for name, each in met.items()}


def refused_share(counts: Counts) -> float:
    return share(counts.of("rejected"), counts.sent + counts.of("rejected"))
