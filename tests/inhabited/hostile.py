"""An installation in which every name that a person, a key, a file or a mail provider can give is an attack.

First it is furnished: a row of every kind that a page shows and that an inhabited installation has not. Then the words
of every row are replaced in the tables, behind the doors, which would refuse some of them: a page has to hold whatever
is stored, not only what is let in today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import cycle
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction

from tests.inhabited.furniture import furnish

MARK = "boo"
SUM = "7819"  # what a page says that works out {{7*1117}} or ${7*1117}
WORDS = (
    f"\"'><img src=x data-{MARK} onerror=alert(1)>",
    f'"><script data-{MARK}>alert(1)</script>',
    f"</textarea></title></script><svg data-{MARK} onload=alert(1)>",
    "{{7*1117}}${7*1117}<%=7*1117%>{%7*1117%}",
    "javascript:alert(1)//",
    "');alert(1);('\\\"+alert(1)+\\\"",
    "=cmd|'/c calc'!A1",
    "\u202efdp.exe\u2066<b data-boo>",
    f"W{'o' * 120}rd",
)
FIELDS: dict[str, str] = {
    "auth.Group": "name",
    "django_celery_beat.PeriodicTask": "description",
    "contacts.ApiKey": "name",
    "contacts.Tag": "name",
    "contacts.List": "name description",
    "contacts.Segment": "name description",
    "contacts.AuditEntry": "actor object_name before after request_id",
    "contacts.ConsentRecord": "topic source evidence",
    "contacts.Contact": "external_id email phone attributes locale region owner_email",
    "contacts.ContactIdentity": "value",
    "contacts.ImportPreset": "name",
    "contacts.ImportRun": "name fault actor",
    "contacts.ImportReject": "reason row",
    "contacts.QuarantinedEvent": "origin raw errors",
    "contacts.SeenEvent": "event_type property",
    "contacts.ContactMerge": "actor undone_by",
    "contacts.PrivacyDeed": "actor",
    "scoring.Ruleset": "title created_by activated_by",
    "scoring.Backtest": "problem created_by",
    "scoring.LifecycleEvent": "reason source actor",
    "scoring.ProgressionRule": "name changed_by",
    "scoring.ProgressionRun": "asked_by",
    "scoring.StageLabel": "label",
    "delivery.PushDevice": "agent gone_why",
    "delivery.SendingDomain": "warm_up_held warm_up_held_by released_by",
    "delivery.PostTally": "receiving reason",
    "delivery.Message": "topic context",
    "delivery.SendLogEntry": "provider_said evidence",
    "delivery.StaffNotice": "to_address subject text reason",
    "delivery.Provider": "stopped_why",
    "delivery.SandboxMail": "to_address subject html text headers",
    "delivery.SeedAddress": "email locale note",
    "delivery.Address": "shown",
    "delivery.Suppression": "source released_by released_why",
    "delivery.Template": "name",
    "delivery.TemplateVersion": "subject preheader html text saved_by",
    "delivery.WebhookDelivery": "error",
    "delivery.WebhookEndpoint": "description",
    "delivery.EndpointDelivery": "event_type reason",
    "delivery.Feedback": "detail",
    "workflows.DraftRevision": "what by",
    "workflows.EditPlan": "made_by",
    "workflows.Enrolment": "exit_reason trigger snapshot",
    "workflows.JournalEntry": "detail",
    "workflows.EntryRun": "properties started_by",
    "workflows.WebhookCall": "url headers body reason",
    "workflows.SalesTask": "owner_email message done_by",
    "workflows.ExperimentAssignment": "variant",
    "workflows.DeadLetter": "error trace resolved_by",
    "workflows.EntryRefusal": "detail",
    "workflows.JourneyTests": "changed_by",
    "workflows.Rehearsal": "error asked_by",
    "workflows.Workflow": "name",
    "workflows.WorkflowVersion": "published_by note",
    "analytics.Experiment": "title hypothesis reason decided_by",
    "analytics.Alert": "title said silenced_by",
    "analytics.ProviderAnswer": "code",
    "analytics.WarehouseRun": "requested_by said problem",
    "analytics.ReportSubscription": "email problem stopped_because created_by",
}
# a definition's own words; the others (types, keys, ids of steps) are those of the schema
SAID = frozenset(
    {"name", "message", "reason", "tag", "event", "title", "note", "owner_email", "value", "label", "goal"}
)
PUBLISHED = "first-order"  # a page asks whether to publish its draft, which has no problems: names have none
SOME = 12  # of these rows, the others keep the names by which pages ask for them


def take_over(*, now: datetime) -> None:
    """Furnish an inhabited installation, and replace its words."""
    furnish(now)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # facts that nobody may change, too
        for label, fields in FIELDS.items():
            _replace(label, fields.split())
        _replace("contacts.ContactEvent", ["type", "properties", "context"], of=SOME)
        _replace("contacts.ContactChange", ["name", "old", "new", "source"], kind="attribute")  # others hold ids
        _replace("scoring.ScoringRule", ["name"], words=[word for word in WORDS if word.isprintable()])
        for label in ("workflows.Workflow:draft", "workflows.WorkflowVersion:definition"):
            model, _, field = label.partition(":")
            _rewrite(model, [field], _journey)


def _replace(label: str, fields: list[str], **only: Any) -> None:
    _rewrite(label, fields, _hostile, **only)


def _rewrite(
    label: str,
    fields: list[str],
    made: Callable[[Any, Callable[[], str]], Any],
    *,
    of: int | None = None,
    words: Sequence[str] = WORDS,
    **only: str,
) -> None:
    model = apps.get_model(label)
    rows = list(model._default_manager.filter(**only).order_by("-pk")[:of])
    assert rows, f"there is no row of {label} to be hostile"
    for n, row in enumerate(rows):
        for k, name in enumerate(fields):
            field = model._meta.get_field(name)
            more = f" {n}" if field.unique or label == "contacts.ContactIdentity" else ""
            value = made(getattr(row, name), _words(words, n + k, more))
            setattr(row, name, value[: field.max_length] if isinstance(field, models.CharField) else value)
    model._default_manager.bulk_update(rows, fields, batch_size=200)


def _words(words: Sequence[str], at: int, more: str) -> Callable[[], str]:
    """One after the other, each row beginning with another, so that no place meets only one of them."""
    first = at % len(words)
    turn = cycle([*words[first:], *words[:first]])
    return lambda: next(turn) + more


def _hostile(value: Any, word: Callable[[], str]) -> Any:
    match value:
        case dict():
            return {**{key: _hostile(inside, word) for key, inside in value.items()}, word(): word()}
        case list():
            return [_hostile(inside, word) for inside in value]
        case str():
            return word()
        case _:
            return value


def _journey(definition: Any, word: Callable[[], str]) -> Any:
    return _said(definition, word, frozenset({"name"}) if definition.get("slug") == PUBLISHED else SAID)


def _said(tree: Any, word: Callable[[], str], said: frozenset[str], key: str = "") -> Any:
    match tree:
        case {"event": _, "message": _}:  # of a message: these events have the names that the house gives them
            return tree
        case dict():
            return {name: _said(inside, word, said, name) for name, inside in tree.items()}
        case list():
            return [_said(inside, word, said) for inside in tree]
        case str() if key in said:
            return word()
        case _:
            return tree
