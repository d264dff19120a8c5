"""Every POST of the served document, with an `Idempotency-Key`: that it was said is committed with what it does or not
at all; said again it does nothing and is answered as before; of two at once one works."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from contacts import clock
from contacts.models import IdempotentRequest
from tests.contacts.conftest import together
from tests.rest import objects as things
from tests.rest.objects import Objects, furnish_all
from tests.rest.test_openapi import operations

READS = {
    "/conditions/explain/", "/segments/preview/", "/templates/{slug}/checks/", "/templates/{slug}/missing/",
    "/templates/{slug}/preview/", "/workflows/{slug}/validate/",
}  # fmt: skip
# what they need cannot be had here; each opens its transaction by `transactions.run`, as the others do
NOT_IN_A_STATE_FOR_IT = {
    "/experiments/{slug}/roll-out/", "/webhook-endpoints/{public_id}/deliveries/{delivery_id}/replay/",
    "/workflows/dead-letters/{public_id}/skip/", "/workflows/{slug}/plan/", "/workflows/{slug}/release/",
    "/workflows/{slug}/runs/{public_id}/stop/",
}  # fmt: skip
# here nothing is outdated, was missed or is under way; they say so with a 2xx
NOTHING_TO_DO = {
    "/templates/{slug}/outdated/", "/webhook-endpoints/{public_id}/replay/",
    "/workflows/{slug}/rehearse/{public_id}/stop/",
}  # fmt: skip
LAST = ("/contacts/{public_id}/erase/", "/workflows/{slug}/archive/")
TABLES_ASIDE = {"api_keys", "idempotent_requests"}  # when a key was last used; and what is asked for by itself

# at the end of the transaction, when all the work is written
_BREAK = """
CREATE OR REPLACE FUNCTION refuse_to_commit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'broken in the moment of the commit'; END $$;
CREATE CONSTRAINT TRIGGER refuse_to_commit AFTER INSERT ON idempotent_requests
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_to_commit();
ALTER TABLE idempotent_requests DISABLE TRIGGER refuse_to_commit;
"""
_MEND = "DROP TRIGGER refuse_to_commit ON idempotent_requests; DROP FUNCTION refuse_to_commit()"


def posts() -> list[str]:
    """Templates below /api/v1; what destroys comes last."""
    found = [path.removeprefix("/api/v1") for method, path, _ in operations() if method == "post"]
    return sorted(found, key=lambda path: (path in LAST, path))


def bodies(known: Objects) -> dict[str, Any]:
    """What is sent, where it is not nothing. A list: one after the other is tried."""
    now = clock.now()
    week = {"since": (now - timedelta(days=7)).isoformat(), "until": now.isoformat()}
    people = known.of("/api/v1/contacts/", "public_id")
    (ruleset,) = known.of("/api/v1/scoring/rulesets/", "id")[:1]
    words = {"subject": "Hello", "text": "Hello"}
    condition = {"field": "plan", "op": "eq", "value": "trial"}
    return {
        "/conditions/explain/": {"condition": condition},
        "/contacts/": {"external_id": "said-once"},
        "/contacts/bulk/": {"contacts": [{"external_id": "said-twice"}]},
        "/contacts/merge/": {"contacts": people[-4:-2]},
        "/contacts/{public_id}/consents/": {"category": "tracking", "state": "denied"},
        "/contacts/{public_id}/devices/": {"kind": "fcm", "target": "another-token"},
        "/contacts/{public_id}/lifecycle/": {"to": "customer", "reason": "Asked"},
        "/contacts/{public_id}/opt-in/": {"topics": []},
        "/events": {"events": [{"type": "signed_up", "contact": {"external_id": "said-once"}}]},
        "/experiments/{slug}/decide/": {"reason": "None won"},
        "/lists/": {"slug": "once", "name": "Once"},
        "/lists/{slug}/contacts/": {"add": [{"id": people[1]}]},
        "/scoring/backtests/": {"ruleset": int(ruleset), **week, "conversion": {"event": "signed_up"}},
        "/scoring/rules/": {"name": "Once", "signal": {"event": "said_once"}, "points": 5},
        "/scoring/rulesets/": {"state": "draft", "rules": []},
        "/seed-addresses/": {"email": "once@example.com"},
        "/segments/": {"slug": "once", "name": "Once", "condition": condition},
        "/segments/preview/": {"condition": condition},
        "/suppressions/": {"address": "once@example.com"},
        "/tags/": {"name": "once"},
        "/tags/{name}/contacts/": {"add": [{"id": people[1]}]},
        "/templates/": {"slug": "once", **words},
        "/templates/{slug}/checks/": words,
        "/templates/{slug}/missing/": {},
        "/templates/{slug}/outdated/": {},
        "/templates/{slug}/preview/": {},
        "/templates/{slug}/send-test/": {"to": ["once@example.com"]},
        "/webhook-endpoints/": {"url": "https://crm.example/once", "event_types": ["email_sent"]},
        "/webhook-endpoints/{public_id}/replay/": week,
        "/workflows/": {"slug": "once", "name": "Once"},
        "/workflows/{slug}/enrol/": {"contacts": [{"id": each} for each in people[:3]]},
        "/workflows/{slug}/plan/": {"decisions": [], "dry_run": False},
        "/workflows/{slug}/publish/": {"note": "Once"},
        "/workflows/{slug}/rehearse/": week,
        "/workflows/{slug}/validate/": {},
    }


def addresses(template: str, known: Objects) -> Iterator[str]:
    """Of everything that there is."""
    whole = f"/api/v1{template}"
    names = [part[1:-1] for part in template.split("/") if part.startswith("{")]
    for values in product(*(known.of(whole, name) for name in names)):
        path = whole
        for name, value in zip(names, values, strict=True):
            path = path.replace(f"{{{name}}}", value)
        yield path


class Caller:
    def __init__(self, key: str) -> None:
        self.headers = {"Authorization": f"Bearer {key}"}

    def post(self, path: str, body: bytes, said: str) -> Any:
        client = Client(raise_request_exception=False)
        kind = "text/csv" if path.endswith("/imports/") else "application/json"
        return client.post(path, body, content_type=kind, headers={**self.headers, "Idempotency-Key": said})


def written() -> Mapping[str, tuple[int, int]]:
    """Table -> how many rows it has, and a sum over all that they say."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition"
        )
        names = sorted({name for (name,) in cursor.fetchall()} - TABLES_ASIDE)
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{name}', count(*), COALESCE(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {name} t"
                for name in names
            )
        )
        return {name: (count, total) for name, count, total in cursor.fetchall()}


@pytest.fixture
def breaking(transactional_db):
    """(whether) no transaction that writes a row of an Idempotency-Key can be committed."""
    with connection.cursor() as cursor:
        cursor.execute(_BREAK)

    def switch(is_broken: bool) -> None:
        with connection.cursor() as cursor:
            state = "ENABLE" if is_broken else "DISABLE"
            cursor.execute(f"ALTER TABLE idempotent_requests {state} TRIGGER refuse_to_commit")

    yield switch
    with connection.cursor() as cursor:
        cursor.execute(_MEND)


@pytest.mark.timeout(300)
def test_what_a_post_does_and_that_it_was_said_are_committed_together_and_once(breaking):
    known = furnish_all(clock.now())
    caller, wrong, refused = Caller(known.key), [], {}
    for template in posts():
        known = Objects(known.key, known.write_key, things._ids())
        body = _body(template, known)
        if template in READS:
            before = written()
            answer = caller.post(next(addresses(template, known)), body, template)
            if answer.status_code != 200 or written() != before:
                wrong.append((template, "reads", answer.status_code))
            IdempotentRequest.objects.all().delete()
            continue
        before, statuses = written(), []
        for path in addresses(template, known):
            breaking(True)
            statuses.append(caller.post(path, body, "once").status_code)
            breaking(False)
            if statuses[-1] != 500:  # refused before it came to a commit
                continue
            if (left := _differences(before, written())) or IdempotentRequest.objects.exists():
                wrong.append((template, "left behind by a commit that failed", left))
            if _is_done_once(caller, template, path, body, before, wrong):
                break
        else:
            refused[template] = statuses
    assert not wrong, "\n".join(map(str, wrong))
    assert set(refused) == NOT_IN_A_STATE_FOR_IT, refused


def _body(template: str, known: Objects) -> bytes:
    if template == "/imports/":
        return b"email\nonce@example.com\n"
    body = bodies(known).get(template)
    return b"" if body is None else json.dumps(body).encode()


def _is_done_once(
    caller: Caller, template: str, path: str, body: bytes, before: Mapping[str, Any], wrong: list[Any]
) -> bool:
    """Whether anything is done at all: some find out in their transaction that there is nothing to do, and refuse."""
    answers = together(*[lambda: caller.post(path, body, "once")] * 2)
    first = [answer for answer in answers if "Idempotency-Replayed" not in answer and answer.status_code < 300]
    if not first and {answer.status_code for answer in answers} <= {400, 404, 409}:
        return False
    if len(first) != 1 or any(answer.status_code not in (first[0].status_code, 409) for answer in answers):
        wrong.append((template, "two at once", [(answer.status_code, answer.content[:300]) for answer in answers]))
        return True
    after = written()
    if after == before and template not in NOTHING_TO_DO:
        wrong.append((template, "does nothing", first[0].status_code))
    again, other = caller.post(path, body, "once"), caller.post(path, body + b" ", "once")
    kept = IdempotentRequest.objects.get()
    as_before = kept.answer is None or (again.status_code, again.content) == (first[0].status_code, first[0].content)
    left = _differences(after, written())
    if not as_before or other.status_code != 409 or left:
        wrong.append((template, "said again", again.status_code, other.status_code, left))
    IdempotentRequest.objects.all().delete()
    return True


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [name for name in one if one[name] != other[name]]
