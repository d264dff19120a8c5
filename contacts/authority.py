"""Who asks, and what they may: decided where a request comes in, and asked by the doors themselves.

`contacts.who_asks` puts the actor of a request in place: nobody at first, then the member of staff who is logged in, or
the API key that was shown. So a door that is reached by a page, the API or a way that nobody has thought of yet refuses
alike, and no entrance can forget to say who it is. Outside of requests (commands, workers, the demonstration) it is the
installation itself that acts, which may everything.

A deed is named by a permission of Django, `<app>.<codename>`. What a key may follows from its scopes, which the front
desk maps to the same names (`config.roles`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from django.core.exceptions import PermissionDenied

SEE_PERSONAL_DATA = "contacts.see_personal_data"
_EVERYTHING = "admin"  # the scope


class NotAllowed(PermissionDenied):
    """403; the sentence says what is lacking."""


@dataclass(frozen=True)
class Actor:
    """`kind`: staff · key · house · nobody. `name`: a user's or a key's; empty for the others."""

    kind: str
    name: str = ""
    can: Callable[[str], bool] = field(default=lambda permission: False, repr=False, compare=False)

    def may(self, permission: str) -> bool:
        return self.kind == "house" or self.can(permission)

    def __str__(self) -> str:
        """As records of deeds tell it."""
        return {"staff": self.name, "key": f"key {self.name}", "house": "the installation"}.get(self.kind, "nobody")


class Person(Protocol):
    """A user of Django, logged in or not."""

    @property
    def is_authenticated(self) -> bool: ...

    def get_username(self) -> str: ...

    def has_perm(self, perm: str) -> bool: ...


class ScopedKey(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def scopes(self) -> frozenset[str]: ...


class Asking:
    """One request, whose actor may become known while it goes on."""

    def __init__(self, who: Callable[[], Actor], request_id: str) -> None:
        self._who = who
        self._known: Actor | None = None
        self.request_id = request_id

    @property
    def actor(self) -> Actor:
        if self._known is None:
            self._known = self._who()
        return self._known

    def become(self, actor: Actor) -> None:
        self._known = actor


HOUSE = Actor("house")
NOBODY = Actor("nobody")

_asking: ContextVar[Asking | None] = ContextVar("the request that is answered", default=None)
_scopes: dict[str, frozenset[str]] = {}


def current() -> Actor:
    asking = _asking.get()
    return HOUSE if asking is None else asking.actor


def request_id() -> str:
    """Of the request that is answered; empty outside of one."""
    asking = _asking.get()
    return "" if asking is None else asking.request_id


def require(*permissions: str) -> Actor:
    """The actor, who has one of these permissions. Raises NotAllowed."""
    actor = current()
    if not any(actor.may(permission) for permission in permissions):
        raise NotAllowed(f"{str(actor).capitalize()} may not do this: it takes {' or '.join(permissions)}.")
    return actor


@contextmanager
def asking(who: Callable[[], Actor], *, request_id: str = "") -> Iterator[Asking]:
    """While a request is answered; `who` is asked once, and only where somebody wants to know."""
    with resumed(Asking(who, request_id)) as mine:
        yield mine


@contextmanager
def resumed(mine: Asking) -> Iterator[Asking]:
    """While something is done that belongs to a request which was left in between, as a file that is streamed."""
    token = _asking.set(mine)
    try:
        yield mine
    finally:
        _asking.reset(token)


@contextmanager
def as_house() -> Iterator[None]:
    """For what the installation does for itself while somebody's request is answered."""
    with asking(lambda: HOUSE, request_id=request_id()):
        yield


def become(actor: Actor) -> None:
    """This request turned out to be theirs. Outside of requests nothing changes."""
    if (here := _asking.get()) is not None:
        here.become(actor)


def of_user(user: Person) -> Actor:
    return Actor("staff", user.get_username(), user.has_perm) if user.is_authenticated else NOBODY


def of_key(key: ScopedKey) -> Actor:
    """A write key may nothing here: it appends events, and no door of consequence is behind that."""
    if key.kind != "secret":
        return Actor("key", key.name)
    if _EVERYTHING in key.scopes:
        return Actor("key", key.name, lambda permission: True)
    granted = frozenset().union(*(_scopes.get(scope, frozenset()) for scope in key.scopes))
    return Actor("key", key.name, granted.__contains__)


def grant_scopes(permissions: Mapping[str, frozenset[str]]) -> None:
    """What each scope of a key stands for; told once, when the front desk is ready."""
    _scopes.update(permissions)
