"""What to try on which days, and what counts as success: a form."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from contacts.pages.condition_editor import EVERYBODY, ConditionField
from contacts.spelling import neat
from scoring.lifecycle import stages
from scoring.models import Backtest, Ruleset
from scoring.rulesets.rules import BadRules

PRESETS = (30, 90, 180)
OWN = "own"
CHOICES_SHOWN = 100
_FIELDS = {
    "ruleset": "ruleset",
    "since": "since",
    "until": "until",
    "threshold": "threshold",
    "conversion.stage": "stage",
    "conversion.event": "event",
    "conversion.where": "where",
}


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d", attrs={"class": "cl-input"})


class BacktestForm(forms.Form):
    """`now` is the end of the last days."""

    ruleset = forms.TypedChoiceField(coerce=int, label="Version", widget=UnfoldAdminSelectWidget)
    days = forms.ChoiceField(
        label="Over",
        choices=[*((str(days), f"the last {days} days") for days in PRESETS), (OWN, "other days")],
        widget=forms.RadioSelect,
    )
    since = forms.DateField(label="From", required=False, widget=DateInput)
    until = forms.DateField(label="To", required=False, widget=DateInput)
    kind = forms.ChoiceField(
        label="Success is",
        choices=[("event", "that something happens"), ("stage", "that a stage is reached")],
        widget=forms.RadioSelect,
    )
    event = forms.CharField(
        label="Event",
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "event-types", "autocomplete": "off"}),
    )
    where = ConditionField(scope=frozenset({"event"}), required=False)
    stage = forms.ChoiceField(label="Stage", required=False, widget=UnfoldAdminSelectWidget)
    threshold = forms.FloatField(
        label="Threshold",
        required=False,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}),
        help_text="Left empty: the version's own.",
    )

    def __init__(self, data: Any, *, now: datetime, chosen: int | None = None) -> None:
        super().__init__(data, initial=_initial(chosen))
        self.now = now
        self.fields["ruleset"].choices = _versions(chosen)  # type: ignore[attr-defined]
        self.fields["stage"].choices = list(stages.labels().items())  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("days") == OWN:
            for name in ("since", "until"):
                if name not in self.errors and not said.get(name):
                    self.add_error(name, "Choose a day.")
        if said.get("kind") == "event" and not (said.get("event") or "").strip():
            self.add_error("event", "Choose an event.")
        return said

    def asked(self) -> dict[str, Any]:
        """The arguments of `asking.ask`. Days are those of UTC."""
        said = self.cleaned_data
        since, until = self.now, self.now
        if said["days"] == OWN:
            since = _midnight(said["since"])
            until = min(self.now, _midnight(said["until"]) + timedelta(days=1) - timedelta(microseconds=1))
        else:
            since = self.now - timedelta(days=int(said["days"]))
        conversion: dict[str, Any] = {"stage": said["stage"]}
        if said["kind"] == "event":
            asks = said["where"] and said["where"] != EVERYBODY
            conversion = {"event": said["event"].strip(), **({"where": said["where"]} if asks else {})}
        return {
            "ruleset_id": said["ruleset"],
            "since": since,
            "until": until,
            "conversion": conversion,
            "threshold": said["threshold"],
        }

    def refuse(self, error: BadRules) -> None:
        """Say what the door refused, each at its field."""
        for problem in error.problems:
            place = next((field for path, field in _FIELDS.items() if problem.path.startswith(path)), None)
            self.add_error(place, f"{problem.message[:1].upper()}{problem.message[1:]}.")


def _initial(chosen: int | None) -> dict[str, Any]:
    """As it was asked for the last time."""
    last = Backtest.objects.order_by("-id").values_list("conversion", flat=True).first() or {}
    return {
        "ruleset": chosen,
        "days": str(PRESETS[1]),
        "kind": "stage" if "stage" in last else "event",
        "stage": last.get("stage", "customer"),
        "event": last.get("event", ""),
        "where": neat(last["where"]) if "where" in last else "",
    }


def _versions(chosen: int | None) -> list[tuple[int, str]]:
    newest = list(Ruleset.objects.order_by("-id")[:CHOICES_SHOWN])
    if chosen is not None and all(each.pk != chosen for each in newest):
        newest += Ruleset.objects.filter(pk=chosen)
    return [(each.pk, f"{each} ({each.state})") for each in newest]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time_of_day.min, UTC)
