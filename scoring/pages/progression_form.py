"""A progression rule as a form: of a score, or of an event."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from contacts.conditions.grammar import CONTACT
from contacts.pages.condition_editor import EVERYBODY, ConditionField
from contacts.spelling import arranged_deeply
from scoring.lifecycle import stages
from scoring.lifecycle.causes import MAX_NAME, OWN_NEWS, Progression
from scoring.rulesets import reading
from scoring.rulesets.rules import LEAD, BadRules

NOBODY_YET = "none"  # in the form: those without a stage
_FIELDS = {
    "cause.score": "score",
    "cause.threshold": "threshold",
    "cause.event": "event",
    "cause.where": "where",
    "name": "name",
    "to_stage": "to_stage",
    "from_stages": "from_stages",
}


class ProgressionForm(forms.Form):
    """`kind`: score · event, which decides on the fields; `rule` None is a new one."""

    name = forms.CharField(max_length=MAX_NAME, widget=UnfoldAdminTextInputWidget)
    score = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    threshold = forms.FloatField(
        required=False,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}),
        help_text="Left empty: the threshold of the score's own rules, whatever it is",
    )
    event = forms.CharField(
        max_length=200,
        label="Event",
        widget=UnfoldAdminTextInputWidget(attrs={"list": "event-types", "autocomplete": "off"}),
        help_text="Its type, as it is recorded",
    )
    where = ConditionField(scope=CONTACT | {"event"}, required=False)
    from_stages = forms.MultipleChoiceField(label="Who moves", widget=forms.CheckboxSelectMultiple)
    to_stage = forms.ChoiceField(label="Where to", widget=UnfoldAdminSelectWidget)

    def __init__(self, data: Any = None, *, kind: str, rule: Progression | None = None) -> None:
        super().__init__(data, initial=_initial(rule))
        self.kind = kind
        for field in ("event", "where") if kind == "score" else ("score", "threshold"):
            del self.fields[field]
        names = list(stages.labels().items())
        self.fields["from_stages"].choices = [(NOBODY_YET, "No stage yet"), *names]  # type: ignore[attr-defined]
        self.fields["to_stage"].choices = [("", "Choose a stage"), *names]  # type: ignore[attr-defined]
        if kind == "score":
            known = {ruleset.name for ruleset in reading.active_rulesets()} | {LEAD}
            known |= {str(rule.written["score"])} if rule else set()
            self.fields["score"].choices = [(name, name) for name in sorted(known)]  # type: ignore[attr-defined]

    def raw(self) -> dict[str, Any]:
        """The rule as `progression_rules.save` takes it."""
        said = self.cleaned_data
        cause: dict[str, Any]
        if self.kind == "score":
            cause = {"score": said["score"], "threshold": said["threshold"]}
        else:
            asks = said["where"] and said["where"] != EVERYBODY
            cause = {"event": said["event"].strip(), **({"where": said["where"]} if asks else {})}
        return {
            "name": said["name"].strip(),
            "cause": cause,
            "from_stages": [stages.NO_STAGE if stage == NOBODY_YET else stage for stage in said["from_stages"]],
            "to_stage": said["to_stage"],
        }

    def refuse(self, error: BadRules) -> None:
        """Say what the door refused, each at its field."""
        for problem in error.problems:
            place = next((field for path, field in _FIELDS.items() if problem.path.startswith(path)), None)
            words = f"{problem.message[:1].upper()}{problem.message[1:]}."
            self.add_error(place if place in self.fields else None, words)

    def clean_event(self) -> str:
        event: str = self.cleaned_data["event"].strip()
        if event == OWN_NEWS:
            raise forms.ValidationError("A move cannot be the cause of a move: that could go round for ever.")
        return event


def _initial(rule: Progression | None) -> dict[str, Any]:
    if rule is None:
        return {"where": EVERYBODY, "score": LEAD}
    cause = rule.written
    return {
        "name": rule.name,
        "score": cause.get("score"),
        "threshold": cause.get("threshold"),
        "event": cause.get("event"),
        "where": arranged_deeply(cause.get("where") or EVERYBODY),
        "from_stages": [stage or NOBODY_YET for stage in rule.from_stages],
        "to_stage": rule.to_stage,
    }
