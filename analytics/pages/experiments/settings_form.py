"""What an experiment asks, as a form: shares are written in per cent, and a window as a number of days or hours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from analytics.experiments import asking
from analytics.experiments.asking import BadExperiment
from analytics.models import Experiment
from analytics.pages.experiments import wording
from contacts.pages.condition_editor import EVERYBODY, ConditionField
from contacts.spelling import neat
from scoring.lifecycle import stages

ROWS = 6  # guardrails that the form has room for
_PERCENT = ("alpha", "power", "effect", "rate")
_FREE = "title"  # what may change once outcomes were looked at
_FIELDS = {"goal.where": "where", "goal.event": "event", "window": "window_count"}


def _text(**attributes: str) -> forms.Widget:
    return UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", **attributes})


def _percent(**attributes: str) -> forms.Widget:
    return UnfoldAdminDecimalFieldWidget(attrs={"step": "any", **attributes})


class SettingsForm(forms.Form):
    """`is_fixed`: only the title is asked for, as outcomes were looked at. Who opened the form before that gives the
    rest, too: it is handed to the door, which says what it refuses."""

    title = forms.CharField(required=False, max_length=asking.WORDS["title"], widget=_text())
    hypothesis = forms.CharField(
        required=False,
        max_length=asking.WORDS["hypothesis"],
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="What you expect, and why: written down before there are answers.",
    )
    kind = forms.ChoiceField(
        label="A contact has converted when",
        choices=[
            ("event", "something happens"),
            ("stage", "a stage is reached"),
            ("goal", "a goal step is passed"),
            ("none", "not said yet"),
        ],
        widget=forms.RadioSelect,
    )
    event = forms.CharField(required=False, max_length=200, widget=_text(list="event-types"))
    where = ConditionField(scope=frozenset({"event"}), required=False)
    stage = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    goal = forms.CharField(label="Goal", required=False, max_length=200, widget=_text())
    window_count = forms.IntegerField(
        label="Within", min_value=1, max_value=1_000_000, widget=UnfoldAdminIntegerFieldWidget
    )
    window_unit = forms.ChoiceField(
        label="Unit", choices=[(unit, unit) for unit in wording.UNITS], widget=UnfoldAdminSelectWidget
    )
    base = forms.ChoiceField(
        label="The variant to beat", required=False, widget=UnfoldAdminSelectWidget, help_text="The one that runs now."
    )
    method = forms.ChoiceField(label="Test", choices=list(wording.METHODS.items()), widget=forms.RadioSelect)
    alpha = forms.FloatField(
        label="False alarms (α), %",
        widget=_percent(),
        help_text="How often a difference may be found where there is none, however often one looks.",
    )
    power = forms.FloatField(
        label="Power, %", widget=_percent(), help_text="How often the effect below is to be found where it is there."
    )
    effect = forms.FloatField(
        label="Least effect worth finding, %",
        widget=_percent(),
        help_text="Relative: 20% of a rate of 5% means 6%. The smaller it is, the longer it takes.",
    )
    rate = forms.FloatField(
        label="Expected rate of the base, %",
        required=False,
        widget=_percent(),
        help_text="Left empty: as it is seen in the first 50 conversions.",
    )

    def __init__(self, data: Any, *, experiment: Experiment, variants: Sequence[str]) -> None:
        super().__init__(data, initial=_initial(experiment))
        self.fields["stage"].choices = list(stages.labels().items())  # type: ignore[attr-defined]
        automatic = ("", "the holdout, else the first")
        self.fields["base"].choices = [automatic, *((name, name) for name in variants)]  # type: ignore[attr-defined]
        for place in range(ROWS):
            self.fields[f"guard_{place}_event"] = forms.CharField(
                label=f"Event of guardrail {place + 1}",
                required=False,
                max_length=200,
                widget=_text(list="event-types"),
            )
            self.fields[f"guard_{place}_name"] = forms.CharField(
                label=f"Name of guardrail {place + 1}", required=False, max_length=200, widget=_text()
            )
            self.fields[f"guard_{place}_limit"] = forms.FloatField(
                label=f"Limit of guardrail {place + 1}", required=False, widget=_percent()
            )
        questions = self.fields.keys() - {_FREE}
        self.is_fixed = experiment.looked_at is not None and questions.isdisjoint(data or ())
        for name in questions:
            self.fields[name].disabled = self.is_fixed

    def guards(self) -> Iterator[tuple[forms.BoundField, forms.BoundField, forms.BoundField]]:
        for place in range(ROWS):
            yield self[f"guard_{place}_event"], self[f"guard_{place}_name"], self[f"guard_{place}_limit"]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        kind = said.get("kind")
        if kind in ("event", "goal") and not (said.get(kind) or "").strip():
            self.add_error(kind, f"Say which {kind}.")
        for place in range(ROWS):
            if (said.get(f"guard_{place}_event") or "").strip() and said.get(f"guard_{place}_limit") is None:
                self.add_error(f"guard_{place}_limit", "Say how much is allowed.")
        return said

    def asked(self) -> dict[str, Any]:
        """What `asking.change` takes."""
        said = self.cleaned_data
        if self.is_fixed:
            return {_FREE: said[_FREE]}
        shares = {name: None if said[name] is None else round(said[name] / 100, 10) for name in _PERCENT}
        return {
            **{name: said[name] for name in ("title", "hypothesis", "base", "method")},
            **shares,
            "goal": self._goal(),
            "window": wording.duration(said["window_count"], said["window_unit"]),
            "guardrails": self._guardrails(),
        }

    def refuse(self, error: BadExperiment) -> None:
        """Say what the door refused, each at its field."""
        for problem in error.problems:
            name = next((field for path, field in _FIELDS.items() if problem.path.startswith(path)), problem.path)
            if problem.path.startswith("guardrails["):
                place, _, part = problem.path.removeprefix("guardrails[").partition("].")
                name = f"guard_{self._filled()[int(place)]}_{part}"
            place_of = {"goal": self.cleaned_data.get("kind"), **{each: each for each in self.fields}}
            field = place_of.get(name)
            said = problem.message[:1].upper() + problem.message[1:]
            self.add_error(field if field in self.fields else None, said if said.endswith(".") else f"{said}.")

    def _goal(self) -> dict[str, Any] | None:
        said = self.cleaned_data
        if said["kind"] == "event":
            asks = said["where"] and said["where"] != EVERYBODY
            return {"event": said["event"].strip(), **({"where": said["where"]} if asks else {})}
        return None if said["kind"] == "none" else {said["kind"]: said[said["kind"]].strip()}

    def _filled(self) -> list[int]:
        return [place for place in range(ROWS) if (self.cleaned_data.get(f"guard_{place}_event") or "").strip()]

    def _guardrails(self) -> list[dict[str, Any]]:
        said = self.cleaned_data
        rows = []
        for place in self._filled():
            event = said[f"guard_{place}_event"].strip()
            name = said[f"guard_{place}_name"].strip() or event
            rows.append({"name": name, "event": event, "limit": round(said[f"guard_{place}_limit"] / 100, 10)})
        return rows


def _initial(experiment: Experiment) -> dict[str, Any]:
    goal: Mapping[str, Any] = experiment.goal or {}
    count, unit = wording.counted(experiment.window)
    found = {
        "title": experiment.title,
        "hypothesis": experiment.hypothesis,
        "kind": next((kind for kind in ("event", "stage", "goal") if kind in goal), "none"),
        "event": goal.get("event", ""),
        "where": neat(goal["where"]) if goal.get("where") else "",
        "stage": goal.get("stage", "customer"),
        "goal": goal.get("goal", ""),
        "window_count": count,
        "window_unit": unit,
        "base": experiment.base,
        "method": experiment.method,
    }
    for name in _PERCENT:
        share = getattr(experiment, name)
        found[name] = None if share is None else _short(share)
    for place, asked in enumerate(experiment.guardrails[:ROWS]):
        found |= {
            f"guard_{place}_event": asked["event"],
            f"guard_{place}_name": asked["name"],
            f"guard_{place}_limit": _short(asked["limit"]),
        }
    return found


def _short(share: float) -> str:
    return f"{round(share * 100, 8):g}"
