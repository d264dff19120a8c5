"""What a batch may cost: tokens of its provider, and of each domain that it is sent from, where that has a rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings

from contacts import outside
from delivery.due import Share
from delivery.providers.base import Provider
from delivery.rates import throttle
from delivery.rates.routes import Way


@dataclass(frozen=True)
class Tokens:
    """`limit` messages may be claimed, by these `shares`; with none, `wait` seconds before asking again. `taken`: how
    many tokens of each bucket, and the classes that they are for."""

    limit: int
    shares: tuple[Share, ...]
    wait: float
    taken: Mapping[str, tuple[int, tuple[str, ...]]]


def take(provider: Provider | None, way: Way, wanted: int, *, lane: str) -> Tokens:
    """Never raises, never waits. A simulation reaches nobody, so it has no rate to keep to."""
    if outside.is_closed():
        return Tokens(wanted, (Share(way.classes, wanted),), 0.0, {})
    taken: dict[str, tuple[int, tuple[str, ...]]] = {}
    limit = wanted
    if provider and (provider.is_throttled or provider.name in settings.PROVIDER_RATES):
        grant = throttle.take(provider.name, wanted, lane=lane)
        if not grant.count:
            return Tokens(0, (), grant.wait, {})
        limit, taken[provider.name] = grant.count, (grant.count, way.classes)
    shares: list[Share] = []
    waits: list[float] = []
    for domain, classes in _by_domain(way).items():
        if not domain:
            shares.append(Share(classes, limit))
            continue
        grant = throttle.take(throttle.of_domain(domain), limit, lane=lane)
        if grant.count:
            shares.append(Share(classes, grant.count))
            taken[throttle.of_domain(domain)] = (grant.count, classes)
        else:
            waits.append(grant.wait)
    found = Tokens(limit if shares else 0, tuple(shares), min(waits, default=0.0), taken)
    if not found.limit:
        give_back(found, ())
    return found


def _by_domain(way: Way) -> dict[str, tuple[str, ...]]:
    """The classes that share a domain with a rate; under no name those whose domain has none."""
    found: dict[str, tuple[str, ...]] = {}
    for each in way.classes:
        domain = way.domains.get(each, "")
        name = domain if domain in settings.SENDING_DOMAIN_RATES else ""
        found[name] = (*found.get(name, ()), each)
    return found


def give_back(tokens: Tokens, classes_used: Iterable[str]) -> None:
    """What was not claimed. `classes_used`: the class of each message that was."""
    used = Counter(classes_used)
    for bucket, (count, classes) in tokens.taken.items():
        throttle.give_back(bucket, count - sum(used[each] for each in classes))
