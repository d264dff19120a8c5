"""The condition editor as a form field: rows to fill in where a script runs, JSON where none does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from contacts.audiences import segments
from contacts.audiences.naming import Refused
from contacts.collect import strict_json
from contacts.collect.strict_json import NotJson, TooManyValues
from contacts.conditions import BadCondition, parse
from contacts.conditions.catalogue import describe
from contacts.conditions.grammar import CONTACT
from contacts.conditions.verdict import verdict
from contacts.spelling import neat

LARGEST = 500_000  # bytes of JSON
EVERYBODY: dict[str, Any] = {"all": []}


class NotReadable(ValueError):
    """The text is no JSON that could be a condition; the message says why."""


class ConditionWidget(forms.Widget):
    """A textarea with the condition as JSON, which the script turns into rows. `scope`: what besides the contact may be
    asked (`event`, `trigger`), as in `conditions.parse`. `segment`: the slug of the segment that it is for, empty for
    a new one; None where it is for something else."""

    def __init__(self, *, scope: frozenset[str] = CONTACT) -> None:
        super().__init__()
        self.scope = scope
        self.segment: str | None = None

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        given = attrs or {}
        context = {
            "name": name,
            "id": given.get("id", f"id_{name}"),
            "text": value or "",
            "scope": " ".join(sorted(self.scope)),
            "segment": self.segment,
            "catalogue": describe(),
            "explain": reverse("admin:contacts_condition_explain"),
        }
        return render_to_string("admin/contacts/condition_editor.html", context)


class ConditionField(forms.CharField):
    """Cleans to the condition as it stands in JSON (a dict), after the grammar has read it."""

    def __init__(self, *, scope: frozenset[str] = CONTACT, **options: Any) -> None:
        self.scope = scope
        super().__init__(widget=ConditionWidget(scope=scope), max_length=LARGEST, **options)

    def prepare_value(self, value: Any) -> Any:
        return neat(value) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return EVERYBODY
        try:
            tree = read(text.encode("utf-8", "surrogatepass"))
            parse(tree, scope=self.scope)
        except NotReadable as error:
            raise forms.ValidationError(str(error), code="unreadable") from error
        except BadCondition as error:
            raise forms.ValidationError(
                [f"{each.path or 'condition'}: {each.message}" for each in error.problems], code="condition"
            ) from error
        return tree

    def validate(self, value: Any) -> None:
        """The grammar has done it."""

    def run_validators(self, value: Any) -> None:
        """The length was bounded while the text was read."""


def read(body: bytes) -> Any:
    """The JSON value of a text, read as strictly as the API reads it. Raises NotReadable."""
    if len(body) > LARGEST:
        raise NotReadable(f"The text is longer than {LARGEST:,} bytes.")
    try:
        tree = strict_json.read(body)
    except (NotJson, TooManyValues) as error:
        raise NotReadable(f"This is not JSON: {error}.") from error
    if flaw := strict_json.fault_in(tree, strict_json.DOCUMENT):
        raise NotReadable(f"{'.'.join(map(str, flaw.loc)) or 'The text'} {flaw.msg}.")
    return tree


def explain_view(request: HttpRequest) -> HttpResponse:
    """POST `{condition, scope?, segment?}` -> `{valid, sentence, problems}`: what the editor shows while somebody
    writes. With `segment`, the slug of the one that it is for, also whether every name in it exists."""
    if request.method != "POST":
        raise PermissionDenied
    try:
        body = read(request.body)
    except NotReadable as error:
        problem = {"path": "", "code": "unreadable", "message": str(error)}
        return JsonResponse({"valid": False, "sentence": None, "problems": [problem]})
    asked = body if isinstance(body, dict) else {}
    named = asked.get("scope")
    scope = CONTACT | {name for name in (named if isinstance(named, list) else []) if name in ("event", "trigger")}
    said = verdict(asked.get("condition"), scope=scope)
    if said["valid"] and isinstance(asked.get("segment"), str):
        try:
            segments.validate(asked["condition"], slug=asked["segment"])
        except Refused as error:
            problems = [
                {"path": path_of(fault.loc[1:]), "code": fault.code, "message": fault.msg} for fault in error.faults
            ]
            said = {"valid": False, "sentence": None, "problems": problems}
    return JsonResponse(said)


def path_of(loc: Sequence[str | int]) -> str:
    """`all`, 1, `value` -> `all[1].value`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
