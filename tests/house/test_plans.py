"""No hot path reads a whole table, at a size where it would show.

Each path runs once over tables filled with 100,000 rows and more; every statement that it sent is explained afterwards
with the same parameters, and none may scan a big table from end to end."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from analytics.counting import counters
from contacts import clock
from contacts.models import Contact
from delivery import gate, suppression
from delivery.models import TemplateVersion
from scoring.crossings import comparing
from scoring.rulesets import versions
from tests import journeys
from tests.contacts.conftest import Api, make_key
from tests.filling import fill
from tests.journeys import definition, step
from workflows import sweep
from workflows.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

FILL = """
INSERT INTO contacts (external_id, email, attributes, timezone)
SELECT 'x' || n, 'x' || n || '@example.com', '{"plan": "free"}', 'Europe/Berlin' FROM generate_series(1, 100000) AS n;
INSERT INTO contact_identities (kind, value, contact_id, first_seen_at)
SELECT 'external_id', external_id, id, now() FROM contacts UNION ALL SELECT 'email', email, id, now() FROM contacts;
INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, source, processed,
                            key_hash)
SELECT id, id, (ARRAY['page_viewed', 'signed_up', 'email_opened'])[1 + id %% 3], now() - id * interval '1 second',
       now(), 'api', true, int8send(id) FROM contacts, generate_series(1, 3);
INSERT INTO event_keys (key_hash, recorded_at) SELECT int8send(id), now() FROM contacts;
INSERT INTO processed_triggers (key_hash, event_id, processed_at) SELECT int8send(id), id, now() FROM contacts;
INSERT INTO workflow_enrolments (workflow_id, version_id, contact_id, lane, state, step, wake_at, entered_at)
SELECT %(workflow)s, %(version)s, id, 'urgent', 'waiting', 'pause', now() + id * interval '1 minute', now()
  FROM contacts WHERE id %% 2 = 0;
INSERT INTO workflow_journal (enrolment_id, seq, contact_id, version_id, step, step_type, outcome, at)
SELECT id, 1, contact_id, version_id, 'pause', 'wait', 'waiting', now() FROM workflow_enrolments;
UPDATE workflow_enrolments SET seq = 1;
INSERT INTO messages (contact_id, channel, template_version_id, message_class, lane, idempotency_key, workflow_id,
                      version_id, created_at)
SELECT id, 'email', %(template)s, 'marketing', 'urgent', 'fill:' || id, %(workflow)s, %(version)s, now() FROM contacts;
INSERT INTO addresses (channel, key_hash, created_at) SELECT 'email', int8send(id), now() FROM contacts;
INSERT INTO contact_send_log (message_id, contact_id, channel, kind, cap_delta, counts_at, at)
SELECT id, contact_id, 'email', 'claimed', 1, now() - interval '2 days', now() FROM messages;
INSERT INTO outbox (message_id, lane, priority, contact_id, due_at)
SELECT id, 'urgent', 5, contact_id, now() + interval '1 day' FROM messages WHERE id %% 5 = 0;
INSERT INTO suppressions (address_id, scope, reason, source, created_at)
SELECT id, 'email', 'unsubscribe', 'page', now() FROM addresses WHERE id %% 10 = 0;
INSERT INTO score_sides (contact_id, score_name, threshold, above, seq) SELECT id, 'lead', 60, false, 0 FROM contacts;
INSERT INTO score_checks (contact_id, check_at) SELECT id, now() + interval '1 day' FROM contacts;
"""


@pytest.fixture
def full_tables():
    """A live workflow with 50,000 waiting enrolments among 100,000 contacts and 300,000 events."""
    template = journeys.template("welcome")
    arms = [{"key": "yes", "if": {"event": "page_viewed", "within": "P30D"}}]
    journeys.publish(definition({
        "split": step("branch", {"yes": "mail", "else": "mail"}, arms=arms),
        "mail": step("send_email", {"next": "tag"}, template="welcome"),
        "tag": step("add_tag", {"next": "pause"}, tag="t"),
        "pause": step("wait", mode="duration", **{"for": "P1D"}),
    }))  # fmt: skip
    workflow = Workflow.objects.get()
    versions.activate(
        name="lead",
        rules=[{"name": "viewed", "signal": {"event": "signed_up"}, "points": 10}],
        mql_threshold=60,
        now=clock.now(),
    )
    values = {"workflow": workflow.pk, "version": workflow.live_version_id, "template": template}
    fill(FILL, values)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return journeys.contacts(50)


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Everything sent to PostgreSQL inside the block."""
    sent: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield sent


def big_tables() -> set[str]:
    """The tables and partitions that hold enough rows for a scan to show; an empty partition may be looked through."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > 5000")
        return {row[0] for row in cursor.fetchall()}


def scans(sent: list[tuple[str, Any]], big: set[str]) -> list[str]:
    """The big tables that some statement would read from end to end."""
    found: list[str] = []
    with connection.cursor() as cursor:
        for sql, params in sent:
            if sql.split()[0].upper() not in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}:
                continue
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
            plan = cursor.fetchone()[0]
            plan = json.loads(plan) if isinstance(plan, str) else plan
            found += [f"{table}: {' '.join(sql.split())}" for table in _scanned(plan[0]["Plan"]) if table in big]
    return found


def _scanned(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"]
    for child in node.get("Plans", []):
        yield from _scanned(child)


def test_no_hot_path_scans_a_table(full_tables):
    big = big_tables()
    assert {"contacts", "workflow_enrolments", "outbox", "contact_send_log", "event_keys"} <= big
    found: dict[str, list[str]] = {}

    with statements() as sent:
        journeys.track(full_tables, "signed_up")
    found["record"] = scans(sent, big)

    with statements() as sent:
        journeys.run()
    assert len(sent) > 20
    found["match and advance"] = scans(sent, big)

    with statements() as sent, transaction.atomic():
        assert gate.claim("urgent", limit=100, provider="sandbox", now=clock.now()).taken == 50
    found["claim for delivery"] = scans(sent, big)

    with statements() as sent, transaction.atomic():
        assert comparing.check_batch(now=clock.now(), limit=200)
    found["check scores"] = scans(sent, big)

    with statements() as sent:
        sweep.ring_where_work_waits(now=clock.now())
        counters.fold(limit=1000)
        suppression.suppress(
            channel="email", address="x5@example.com", scope="email", reason="manual", source="api", now=clock.now()
        )
    found["sweep, fold and suppress"] = scans(sent, big)

    assert {path: statements for path, statements in found.items() if statements} == {}


# -- pages of the API --------------------------------------------------------------------------------------------------

MEMBERS = """
INSERT INTO contacts (external_id) SELECT 'x' || n FROM generate_series(1, 20000) AS n;
INSERT INTO tags (name) VALUES ('early'), ('half');
INSERT INTO contact_tags (contact_id, tag_id, added_at)
SELECT c.id, t.id, now() FROM ({people}) c
  JOIN tags t ON CASE t.name WHEN 'early' THEN c.n <= 2000 ELSE c.n % 2 = 0 END;
INSERT INTO lists (slug, name) VALUES ('early', 'Early'), ('half', 'Half');
INSERT INTO list_members (contact_id, list_id, joined_at)
SELECT c.id, t.id, now() FROM ({people}) c
  JOIN lists t ON CASE t.slug WHEN 'early' THEN c.n <= 2000 ELSE c.n % 2 = 0 END;
INSERT INTO segments (slug, name, condition) VALUES ('early', 'Early', 'true'), ('half', 'Half', 'true');
INSERT INTO segment_members (contact_id, segment_id, entered_at)
SELECT c.id, t.id, now() FROM ({people}) c
  JOIN segments t ON CASE t.slug WHEN 'early' THEN c.n <= 2000 ELSE c.n % 2 = 0 END;
ANALYZE
""".replace("{people}", "SELECT id, row_number() OVER (ORDER BY id) AS n FROM contacts")


@pytest.fixture
def members() -> None:
    """Of 20,000 contacts the first 2,000 are in one group of each kind, and every second one in another."""
    fill(MEMBERS)


def rows_read(sent: list[tuple[str, Any]], tables: set[str]) -> int:
    """How many rows of these tables are touched when it is sent once more."""
    found = 0
    with connection.cursor() as cursor:
        for sql, params in sent:
            if sql.split()[0].upper() == "SELECT":
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
                plan = cursor.fetchone()[0]
                found += _read((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"], tables)
    return found


def _read(node: dict[str, Any], tables: set[str]) -> int:
    passed_over = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    own = node.get("Relation Name") in tables and round((node["Actual Rows"] + passed_over) * node["Actual Loops"])
    return own + sum(_read(child, tables) for child in node.get("Plans", []))


@pytest.mark.parametrize("group", ["early", "half", "nosuch"])
@pytest.mark.parametrize("kind", ["tag", "list", "segment"])
def test_a_page_of_a_group_reads_contacts_for_this_page_alone_whoever_is_in_it_and_wherever_it_is(members, kind, group):
    key = make_key("contacts:read")
    first = Contact.objects.earliest("id").pk
    for place, size in ((first + 20_000, 50), (first + 1_000, 50), (first, 0)):
        cursor = base64.b64encode(f"p={place}".encode()).decode()
        with statements() as sent:
            page = Api(key).get("/api/v1/contacts/", **{kind: group, "cursor": cursor}).json()
        assert len(page["results"]) == (0 if group == "nosuch" else size)
        assert rows_read(sent, {"contacts"}) <= 250
        if kind == "tag":
            assert rows_read(sent, {"contact_tags"}) <= 250


@pytest.fixture
def oldest_messages():
    """20,000 messages of one journey, of which the first ten are another journey's, with a template of their own."""
    for name in ("first", "later"):
        journeys.template(name)
        journeys.publish(definition({"mail": step("send_email", template=name)}, slug=name))
    ids = {workflow.slug: workflow.pk for workflow in Workflow.objects.all()}
    versions_of = dict(TemplateVersion.objects.values_list("template__slug", "pk"))
    for name, count in (("first", 10), ("later", 20_000)):
        fill(MESSAGES, {"template": versions_of[name], "workflow": ids[name], "name": name, "n": count})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


MESSAGES = """
INSERT INTO messages (contact_id, channel, template_version_id, message_class, lane, idempotency_key, workflow_id, step,
                      context, created_at)
SELECT n, 'email', %(template)s, 'marketing', 'urgent', %(name)s || n, %(workflow)s, 'mail',
       jsonb_build_object('about', jsonb_build_object('workflow', %(name)s::text)), now()
  FROM generate_series(1, %(n)s) n
"""


@pytest.mark.parametrize(("asked", "size"), [("first", 10), ("later", 50), ("nosuch", 0)])
@pytest.mark.parametrize("kind", ["workflow", "template"])
def test_a_page_of_a_journeys_messages_reads_those_alone_however_old_they_are(oldest_messages, kind, asked, size):
    with statements() as sent:
        page = Api(make_key("delivery:read")).get("/api/v1/messages/", **{kind: asked, "limit": 50}).json()
    assert len(page["results"]) == size
    assert {each["workflow"] for each in page["results"]} <= {asked}
    assert rows_read(sent, {"messages"}) <= 250
