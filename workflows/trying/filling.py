"""The world of one person in a scratch: what they were at an instant, and what the journey and the post office ask
about them. Nothing of anybody else is read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection

from contacts import transactions, upserting
from contacts.models import Contact
from delivery import addresses
from workflows.journey_tests import setting
from workflows.journey_tests.document import BadTestFile
from workflows.rehearsal import filling
from workflows.rehearsal.asked import Asked, Piece
from workflows.rehearsal.reading import Scope
from workflows.scratch import Scratch
from workflows.trying.asked import CannotTry, Trial

INVENTED = "invented"
_COUNTED = (
    "id IN (SELECT message_id FROM contact_send_log WHERE contact_id = %(contact)s AND cap_delta <> 0"
    " AND counts_at > %(capped_from)s AND at < %(since)s)"
)
_VERSIONS = (
    "id IN (SELECT live_version_id FROM templates WHERE slug = ANY(%(templates)s))"
    f" OR id IN (SELECT template_version_id FROM messages WHERE {_COUNTED})"
)
_LIVE_VERSIONS = """
    UPDATE {double}.templates t SET live_version_id = live.live_version_id FROM templates live
     WHERE live.id = t.id AND live.live_version_id IN (SELECT id FROM {double}.template_versions)
"""


def fill(room: Scratch, trial: Trial, piece: Piece, scope: Scope) -> int:
    """Bring the person and what they need; the time in the room is `trial.at`. Returns the contact's id. Raises
    CannotTry."""
    asked = Asked(slug=trial.slug, since=trial.at, until=trial.at + timedelta(days=1))
    params: dict[str, Any] = {
        **filling.parameters(asked, piece, scope),
        "contact": trial.contact_id or 0,
        "templates": sorted(_templates(piece)),
        "segments": sorted(scope.segments),
    }
    _furnish(room, scope, params)
    if trial.contact_id is not None:
        if not filling.admit(room, asked, piece, scope, [trial.contact_id]):
            raise CannotTry("This contact is not there any more.")
        filling.copy(room, "push_devices", "contact_id = %(contact)s AND created_at < %(since)s", params)
    filling.number_on()
    contact_id = trial.contact_id if trial.contact_id is not None else _invent(trial)
    _say_what_is_suppressed(room, contact_id, params)
    if scope.scores or scope.segments:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO score_checks (contact_id, check_at, lane) SELECT contact_id, %s, 'bulk'"
                " FROM score_sides WHERE above ON CONFLICT DO NOTHING",
                [trial.at],
            )
        room.settle()
    return contact_id


def _furnish(room: Scratch, scope: Scope, params: dict[str, Any]) -> None:
    for table in ("tags", "lists"):
        filling.copy(room, table, "true", params)
    of_versions = f"id IN (SELECT template_id FROM template_versions WHERE {_VERSIONS})"
    filling.copy(room, "templates", of_versions, params, without=("live_version_id",))
    filling.copy(room, "template_versions", _VERSIONS, params)
    room.carry(_LIVE_VERSIONS, params)
    filling.copy(
        room, "workflows", "id = %(workflow)s", params, without=("live_version_id", "status", "draft_entry_id")
    )
    theirs = "SELECT version_id FROM workflow_enrolments WHERE contact_id = %(contact)s AND workflow_id = %(workflow)s"
    filling.copy(room, "workflow_versions", f"id IN ({theirs})", params)
    if scope.segments:
        unfilled = ("state", "seen_from", "filled_to", "swept_to")
        filling.copy(room, "segments", "slug = ANY(%(segments)s)", params, without=unfilled)
    if scope.scores:
        active = "state = 'active'"
        filling.copy(room, "scoring_rulesets", active, params, without=("activated_xid", "recheck_after"))
        of_active = f"ruleset_id IN (SELECT id FROM scoring_rulesets WHERE {active})"
        filling.copy(room, "scoring_rules", of_active, params)


def _say_what_is_suppressed(room: Scratch, contact_id: int, params: dict[str, Any]) -> None:
    """Of the addresses that the person has in the room; an invented one may have a real address."""
    email, phone = Contact.objects.values_list("email", "phone").get(pk=contact_id)
    hashes = [*addresses.keys("email", email or ""), *addresses.keys("sms", phone or "")]
    theirs = {**params, "hashes": hashes}
    filling.copy(room, "addresses", "key_hash = ANY(%(hashes)s::bytea[])", theirs)
    standing = (
        "created_at < %(since)s AND (released_at IS NULL OR released_at >= %(since)s)"
        " AND address_id IN (SELECT id FROM addresses WHERE key_hash = ANY(%(hashes)s::bytea[]))"
    )
    filling.copy(room, "suppressions", standing, theirs, without=("released_at", "released_by"))


def _templates(piece: Piece) -> set[str]:
    steps = piece.definition.get("steps")
    configs = (
        [step.get("config") for step in steps.values() if isinstance(step, dict)] if isinstance(steps, dict) else []
    )
    named = {config.get("template") for config in configs if isinstance(config, dict)}
    return {slug for slug in named if isinstance(slug, str)}


def _invent(trial: Trial) -> int:
    try:
        person = setting.person_of({**trial.invented, "id": INVENTED}, "contact")
    except BadTestFile as error:
        raise CannotTry(f"Nobody can be like that: {error}.") from error
    made = transactions.run(lambda now: upserting.upsert([person], source=setting.SOURCE, now=now))
    if made.contact_ids[0] is None:
        raise CannotTry("Nobody can be like that: the database cannot store it.")
    return made.contact_ids[0]
