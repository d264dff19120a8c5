"""How far a chain of causes has come: our event is told to somebody's server, which sends us an event, which is told …
would go round for ever. Every call that leaves us says in a header how many journeys and calls led to it; a server that
passes the header on lets us see that the chain is one. Nothing here costs a statement.

The number is kept in the context of the event, so it is stored with it, and outlives every process. Our own events keep
`via` beside it, the journeys that led to them (`workflows.entry.hops`), which count like calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contacts.events import NewEvent

HEADER = "Carillon-Hops"
KEY = "carillon_hops"  # in the context of an event
VIA = "via"
MOST = 10  # journeys and calls in a row: what comes after them starts nothing, and is told to nobody
_LARGEST = 1_000  # a number that says more says no more than this

_arrived: ContextVar[int] = ContextVar("the hops of the request that is answered", default=0)
_leading: ContextVar[Mapping[int, Mapping[str, Any]] | None] = ContextVar("what led to the facts that follow")


def read(header: str) -> int:
    """The number that a header says. A proxy may have joined several: the largest counts. What is none is not there."""
    found = [text for each in header.split(",") if (text := each.strip()).isascii() and text.isdigit()]
    return max((_LARGEST if len(text) > 4 else min(int(text), _LARGEST) for text in found), default=0)


def stated(context: Mapping[str, Any]) -> int:
    """The number that a context holds; 0 where it is none."""
    value = context.get(KEY)
    return min(value, _LARGEST) if type(value) is int and value > 0 else 0


def names(value: Any) -> tuple[str, ...]:
    """The journeys that a stored `via` names; none where it is not a list of texts."""
    return tuple(value) if isinstance(value, list) and all(isinstance(name, str) for name in value) else ()


def count(context: Mapping[str, Any], *, own: bool) -> int:
    """How many journeys and calls led to an event. Only our own events may say which journeys."""
    return stated(context) + (len(names(context.get(VIA))) if own else 0)


def header(led_by: int) -> dict[str, str]:
    """For a call that so many journeys and calls led to, itself among them."""
    return {HEADER: str(led_by)}


# -- what led to the events that are recorded --------------------------------------------------------------------------


def of_request() -> int:
    """Of the request that is answered; 0 outside of one."""
    return _arrived.get()


@contextmanager
def arriving(said: str) -> Iterator[None]:
    """While a request with this header is answered: every event that it records is one more of its chain."""
    token = _arrived.set(read(said) if said else 0)
    try:
        yield
    finally:
        _arrived.reset(token)


@contextmanager
def leading(contexts: Mapping[int, Mapping[str, Any]]) -> Iterator[None]:
    """While a journey brings facts about: contact id -> what the contexts of our own events about them say."""
    token = _leading.set(contexts)
    try:
        yield
    finally:
        _leading.reset(token)


def of_contact(contact_id: int) -> Mapping[str, Any]:
    """The context of a fact about the contact that we say ourselves."""
    contexts = _leading.get(None)
    return contexts.get(contact_id, {}) if contexts else {}


def carrying(events: Sequence[NewEvent]) -> Sequence[NewEvent]:
    """The same events, each with the number of the request that brings them, unless it says a larger one itself."""
    arrived = _arrived.get()
    if not arrived:
        return events
    return [event._replace(context={**event.context, KEY: max(arrived, stated(event.context))}) for event in events]
