"""Put the contact on a list, or take them off it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from contacts.audiences import lists
from workflows.definition import phrases
from workflows.definition.problems import Problem
from workflows.definition.shown import Shown
from workflows.definition.strict import Name, Strict
from workflows.entry import hops
from workflows.steps.base import Advance, Cohort, Effect, Member, Outcome, StepType


class ListConfig(Strict):
    """`list` is the list's slug."""

    list: Annotated[Name, Shown("List", control="list")]


@dataclass(frozen=True)
class Joining:
    place: lists.Place
    lane: str
    context: Mapping[str, Any]  # of `list_joined`

    @classmethod
    def apply(cls, effects: list[Joining], now: datetime) -> None:
        with hops.leading((effect.place.contact_id, effect.context) for effect in effects):
            lists.join([effect.place for effect in effects], now=now, lane=effects[0].lane)


@dataclass(frozen=True)
class Leaving:
    place: lists.Place
    lane: str

    @classmethod
    def apply(cls, effects: list[Leaving], now: datetime) -> None:
        lists.leave([effect.place for effect in effects], now=now, lane=effects[0].lane)


class _ListStep(StepType):
    Config = ListConfig

    def effect(self, place: lists.Place, cohort: Cohort, member: Member, now: datetime) -> Effect:
        raise NotImplementedError

    def problems(self, config: ListConfig, step: str) -> Iterable[Problem]:
        if lists.unknown([config.list]):
            yield Problem(step, "config.list", "ref_missing", f"there is no list {config.list!r}")

    def run(self, cohort: Cohort, prepared: Any, now: datetime) -> list[Outcome]:
        config: ListConfig = prepared
        if lists.unknown([config.list]):  # deleted since the workflow was published: the contact goes on
            return [Advance(detail={"skipped": "no_list", "list": config.list}) for _ in cohort.members]
        source = f"workflow:{cohort.workflow_slug}"
        return [
            Advance(effects=(self.effect(lists.Place(member.contact_id, config.list, source), cohort, member, now),))
            for member in cohort.members
        ]


class AddToList(_ListStep):
    key = "add_to_list"
    label = "Add to list"
    group, icon = "contact", "playlist_add"
    hint = "Put the contact on a list"

    def sentence(self, config: ListConfig) -> str:
        return f"Put the contact on the list {phrases.quoted(config.list)}"

    def effect(self, place: lists.Place, cohort: Cohort, member: Member, now: datetime) -> Effect:
        return Joining(place, cohort.lane, hops.of_fact(member.trigger, cohort.workflow_slug, now))


class RemoveFromList(_ListStep):
    key = "remove_from_list"
    label = "Remove from list"
    group, icon = "contact", "playlist_remove"
    hint = "Take the contact off a list"

    def sentence(self, config: ListConfig) -> str:
        return f"Take the contact off the list {phrases.quoted(config.list)}"

    def effect(self, place: lists.Place, cohort: Cohort, member: Member, now: datetime) -> Effect:
        return Leaving(place, cohort.lane)
