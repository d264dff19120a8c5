"""The panels of the journey as a whole: what starts it, how it is set, when people leave it early."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.template.response import TemplateResponse

from workflows.builder.forms import form
from workflows.builder.forms.control import Field
from workflows.builder.operations import configuring
from workflows.definition.problems import Problem
from workflows.definition.schema import Entry, ExitRule, QuietHours, ReEntry, Settings
from workflows.definition.sentences import mapping
from workflows.definition.validation import validate
from workflows.models import Workflow
from workflows.pages.builder import operations
from workflows.triggers import registry as triggers
from workflows.triggers.registry import keys as trigger_keys

if TYPE_CHECKING:
    from workflows.pages.journeys import JourneyAdmin

TYPE = "entry.trigger.type"
QUIET = "settings.quiet_hours"
NO_QUIET = ("", "Go out at any hour")
EXITS = (
    ("goal", "Goals", "Whoever does this has done what the journey is for: they leave as a success."),
    ("disqualify", "Disqualifications", "Whoever does this is not meant any more: they leave at once."),
)
ASKED = ("event", "condition")  # what a rule may ask for
GROUPS = (
    ("Who takes part", ("rollout_percent", "holdout_percent", "snapshot_attributes")),
    ("Messages", ("message_class", "override_frequency_cap", "quiet_hours", "default_timezone")),
    ("How it runs", ("lane", "priority", "concurrency_cap", "max_duration")),
)


@dataclass(frozen=True)
class Section:
    title: str
    fields: Sequence[Field]
    help: str = ""


@dataclass(frozen=True)
class Rule:
    """One of the exits. `place`: `exit.goal.0`; `asked`: one of ASKED."""

    place: str
    asked: str
    fields: Sequence[Field]
    wrong: tuple[str, ...]


def part_view(admin: JourneyAdmin, request: HttpRequest, pk: int, part: str) -> HttpResponse | JsonResponse:
    """GET: the panel; of the trigger also `?type=`, one that is not chosen yet. POST: what was filled in becomes that
    part of the draft, whatever is wrong with it."""
    workflow = admin.workflow_of(request, pk)
    if part not in _PARTS:
        raise Http404("A journey has no such part")
    if request.method != "POST":
        may_change = admin.has_change_permission(request, workflow) and workflow.status != "archived"
        context = {
            "workflow": workflow,
            "part": part,
            "may_change": may_change,
            **_PARTS[part].shown(workflow, request),
        }
        return TemplateResponse(request, f"admin/workflows/builder/part_{part}.html", context)
    if not admin.has_change_permission(request, workflow):
        raise PermissionDenied
    return operations.answered(admin, request, workflow, lambda held: _save(held, part, request))


def _save(workflow: Workflow, part: str, request: HttpRequest) -> tuple[str, str | None]:
    name = _PARTS[part].name
    made = configuring.put(workflow.draft, part=name, value=_PARTS[part].read(workflow, request.POST))
    said, _ = operations.change(workflow, made, request)
    return said, f".{part}"


def _problems(workflow: Workflow, name: str) -> list[Problem]:
    return [each for each in validate(workflow.draft) if each.step is None and each.field.partition(".")[0] == name]


def _picked(fields: Sequence[Field], below: str, names: Sequence[str]) -> list[Field]:
    by_name = {field.name: field for field in fields}
    return [by_name[f"{below}.{name}"] for name in names if f"{below}.{name}" in by_name]


def _others(fields: Sequence[Field], below: str, model: Any) -> list[Field]:
    """What the draft says there and no definition knows."""
    known = {f"{below}.{info.alias or name}" for name, info in model.model_fields.items()}
    return [field for field in fields if field.name not in known]


def _odd(value: Any) -> bool:
    """Something stands where an object belongs: shown as JSON, so that it is not lost."""
    return value is not None and not isinstance(value, Mapping)


# -- the trigger -----------------------------------------------------------------------------------------------------


def _entry(workflow: Workflow, request: HttpRequest) -> dict[str, Any]:
    entry = mapping(workflow.draft.get("entry"))
    problems = _problems(workflow, "entry")
    trigger = mapping(entry.get("trigger"))
    chosen = request.GET.get("type") or str(trigger.get("type") or "")
    kind = triggers.find(chosen)
    given = trigger if chosen == trigger.get("type") else {}
    own = form.fields(kind, given, below="entry.trigger", problems=problems) if kind else []
    fields = form.fields(Entry, entry, below="entry", problems=problems)
    odd = [name for name in ("trigger", "re_entry") if _odd(entry.get(name))]
    names = ["audience", *odd, *(["enrol_existing"] if kind is None or kind.existing else [])]
    re_entry = form.fields(ReEntry, mapping(entry.get("re_entry")), below="entry.re_entry", problems=problems)
    return {
        "kinds": [(key, found.label) for key in trigger_keys() if (found := triggers.find(key))],
        "chosen": chosen,
        "unknown": chosen and kind is None,
        "wrong": [each.message for each in problems if each.field in (TYPE, "entry.trigger", "entry")],
        "sections": [
            Section("", own),
            Section("Who may enter", [*_picked(fields, "entry", names), *_others(fields, "entry", Entry)]),
            Section("Entering again", re_entry),
        ],
    }


def _read_entry(workflow: Workflow, data: QueryDict) -> dict[str, Any]:
    before = mapping(workflow.draft.get("entry"))
    found = form.read(Entry, data, below="entry", given=before)
    chosen = data.get(TYPE, "")
    kind = triggers.find(chosen)
    trigger = mapping(before.get("trigger"))
    if kind is not None:
        given = trigger if chosen == trigger.get("type") else {}
        found["trigger"] = {"type": chosen, **form.read(kind, data, below="entry.trigger", given=given)}
    elif trigger:
        found["trigger"] = dict(trigger)
    re_entry = before.get("re_entry")
    if not _odd(re_entry):
        said = form.read(ReEntry, data, below="entry.re_entry", given=mapping(re_entry))
        if said or re_entry is not None:
            found["re_entry"] = said
    if kind is not None and not kind.existing:
        found.pop("enrol_existing", None)
    return found


# -- the settings ----------------------------------------------------------------------------------------------------


def _settings(workflow: Workflow, request: HttpRequest) -> dict[str, Any]:
    settings = mapping(workflow.draft.get("settings"))
    problems = _problems(workflow, "settings")
    fields = form.fields(Settings, settings, below="settings", problems=problems)
    quiet = settings.get("quiet_hours")
    if not _odd(quiet):
        said = mapping(quiet)
        policy, *hours = _picked(
            form.fields(QuietHours, said, below=QUIET, problems=problems), QUIET, ("policy", "from", "to")
        )
        policy = replace(policy, choices=(NO_QUIET, *policy.choices), value=policy.value if quiet is not None else "")
        wrong = tuple(each.message for each in problems if each.field == QUIET)
        place = next(number for number, field in enumerate(fields) if field.name == QUIET)
        fields[place : place + 1] = [replace(policy, wrong=(*wrong, *policy.wrong)), *hours]
    sections = [
        Section(title, [field for name in names for field in fields if field.name.split(".")[1] == name])
        for title, names in GROUPS
    ]
    others = _others([field for field in fields if not field.name.startswith(QUIET)], "settings", Settings)
    return {
        "sections": [*sections, *([Section("Unknown", others)] if others else [])],
        "wrong": [each.message for each in problems if each.field == "settings"],
    }


def _read_settings(workflow: Workflow, data: QueryDict) -> dict[str, Any]:
    before = mapping(workflow.draft.get("settings"))
    found = form.read(Settings, data, below="settings", given=before)
    quiet = before.get("quiet_hours")
    if data.get(f"{QUIET}.policy"):
        found["quiet_hours"] = form.read(QuietHours, data, below=QUIET, given=mapping(quiet))
    elif "quiet_hours" in before and not _odd(quiet):
        found["quiet_hours"] = None
    return found


# -- the exits -------------------------------------------------------------------------------------------------------


def _exits(workflow: Workflow, request: HttpRequest) -> dict[str, Any]:
    exits = mapping(workflow.draft.get("exit"))
    problems = _problems(workflow, "exit")
    return {
        "lists": [
            (
                name,
                title,
                said,
                [_rule(f"exit.{name}.{number}", rule, problems) for number, rule in _rules(exits, name)],
            )
            for name, title, said in EXITS
        ],
        "wrong": [each.message for each in problems if each.field.count(".") < 2],
    }


def _rules(exits: Mapping[str, Any], name: str) -> list[tuple[int, Any]]:
    rules = exits.get(name)
    return list(enumerate(rules)) if isinstance(rules, list) else []


def _rule(place: str, rule: Any, problems: Sequence[Problem]) -> Rule:
    given = mapping(rule)
    asked = "condition" if given.get("condition") is not None and given.get("event") is None else "event"
    fields = form.fields(ExitRule, given, below=place, problems=problems)
    hidden = [name for name in ("event", "where", "condition") if given.get(name) is None and name not in _OF[asked]]
    shown = [field for field in fields if field.name.removeprefix(f"{place}.") not in hidden]
    return Rule(place, asked, shown, tuple(each.message for each in problems if each.field == place))


_OF = {"event": ("event", "where"), "condition": ("condition",)}
_NEW: Mapping[str, dict[str, Any]] = {"event": {"event": ""}, "condition": {"condition": {}}}


def _read_exits(workflow: Workflow, data: QueryDict) -> dict[str, Any]:
    """`add`: `goal.event`, one rule more; `remove`: `goal.0`, without that one."""
    before = mapping(workflow.draft.get("exit"))
    found = dict(before)
    for name, _, _ in EXITS:
        if name in before and not isinstance(before[name], list):
            continue
        rules = []
        for number, rule in _rules(before, name):
            place = f"exit.{name}.{number}"
            if data.get("remove") == f"{name}.{number}":
                continue
            asked = data.get(f"{place}:asked", "")
            rules.append(rule if asked not in _OF else _filled(place, asked, rule, data))
        wanted, _, asked = data.get("add", "").partition(".")
        if wanted == name and asked in _NEW:
            rules.append(dict(_NEW[asked]))
        if rules or name in before:
            found[name] = rules
    return found


def _filled(place: str, asked: str, rule: Any, data: QueryDict) -> dict[str, Any]:
    return {**_NEW[asked], **form.read(ExitRule, data, below=place, given=mapping(rule))}


@dataclass(frozen=True)
class _Part:
    """`name`: in a definition."""

    name: str
    shown: Callable[[Workflow, HttpRequest], dict[str, Any]]
    read: Callable[[Workflow, QueryDict], dict[str, Any]]


_PARTS: Mapping[str, _Part] = {
    "trigger": _Part("entry", _entry, _read_entry),
    "settings": _Part("settings", _settings, _read_settings),
    "exit": _Part("exit", _exits, _read_exits),
}

PAGES = (("step/.<str:part>/", part_view, "part"),)
