"""What the floors above contribute to the pages of the floors below: they register here, nobody imports upwards.

A name: what an id of an upper floor is called, and where its page is (`workflow`, `enrolment`); a slug: whose it is.
A stage: the lifecycle stage of contacts, for the list. A panel: a card on the contact's page. An action: a page on
which something is done with a contact, in the menu of the contact's page; other rooms of this floor add theirs, too. A
sample: where an empty list leads (`gallery`: sample journeys)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse


@dataclass(frozen=True)
class Name:
    text: str
    url: str = ""


@dataclass(frozen=True)
class Panel:
    """`context(contact_id=…, now=…, asked=…)` is what `template` is rendered with, or None for nothing to show.
    `asked` is what the page's address asks for; a panel looks for names of its own there."""

    title: str
    template: str
    context: Callable[..., Mapping[str, Any] | None]
    place: int = 50  # lower stands higher


@dataclass(frozen=True)
class ShownPanel:
    title: str
    template: str
    context: Mapping[str, Any]


@dataclass(frozen=True)
class Action:
    """`url_name` takes the contact's id; it is a page that asks before it acts. `permission`: who sees it. `place`:
    lower stands higher; `danger`: it cannot be taken back."""

    title: str
    url_name: str
    permission: str
    icon: str
    place: int = 50
    danger: bool = False


@dataclass(frozen=True)
class ShownAction:
    title: str
    url: str
    icon: str
    danger: bool


@dataclass(frozen=True)
class Sample:
    """Where something can be seen or begun: `words` lead to the page of `url_name`, at `anchor`, for whoever has the
    `permission` (empty: everybody)."""

    words: str
    url_name: str
    permission: str = ""
    anchor: str = ""

    @property
    def url(self) -> str:
        return reverse(self.url_name) + self.anchor


Namer = Callable[[Collection[int]], Mapping[int, Name]]
Stages = Callable[[Collection[int]], Mapping[int, str]]

Owner = Callable[[str], int | None]

_namers: dict[str, Namer] = {}
_owners: dict[str, Owner] = {}
_panels: dict[str, Panel] = {}
_stages: dict[str, Stages] = {}
_actions: dict[str, Action] = {}
_samples: dict[str, Sample] = {}


def register_names(kind: str, namer: Namer) -> None:
    _namers[kind] = namer


def names(kind: str, ids: Collection[int | None]) -> Mapping[int, Name]:
    """The names of these ids in one call; an id nobody knows is missing from the answer."""
    wanted = {id for id in ids if id is not None}
    namer = _namers.get(kind)
    return namer(wanted) if namer and wanted else {}


def register_slugs(kind: str, owner: Owner) -> None:
    _owners[kind] = owner


def by_slug(kind: str, slug: str) -> int | None:
    """The id of what is called so; None: nothing is."""
    owner = _owners.get(kind)
    return owner(slug) if owner else None


def register_panel(panel: Panel) -> None:
    _panels[panel.title] = panel


def panels(*, contact_id: int, now: datetime, asked: Mapping[str, str]) -> list[ShownPanel]:
    shown = []
    for panel in sorted(_panels.values(), key=lambda panel: panel.place):
        context = panel.context(contact_id=contact_id, now=now, asked=asked)
        if context is not None:
            shown.append(ShownPanel(panel.title, panel.template, context))
    return shown


def register_action(
    title: str, url_name: str, permission: str, icon: str, *, place: int = 50, danger: bool = False
) -> None:
    _actions[url_name] = Action(title, url_name, permission, icon, place, danger)


def actions(request: HttpRequest, contact_id: int) -> list[ShownAction]:
    """What whoever asks may do with this contact."""
    return [
        ShownAction(action.title, reverse(action.url_name, args=[contact_id]), action.icon, action.danger)
        for action in sorted(_actions.values(), key=lambda action: action.place)
        if request.user.has_perm(action.permission)
    ]


def register_sample(key: str, sample: Sample) -> None:
    _samples[key] = sample


def sample(key: str) -> Sample | None:
    return _samples.get(key)


def register_stages(stages: Stages) -> None:
    _stages["lifecycle"] = stages


def stages(contact_ids: Collection[int]) -> Mapping[int, str]:
    """The lifecycle stage of each contact that has one."""
    lookup = _stages.get("lifecycle")
    return lookup(contact_ids) if lookup and contact_ids else {}
