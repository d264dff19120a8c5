"""No list of the admin reads a table that may be large from end to end: whatever is registered, its first page, the
ones behind it, a search, and every choice of every filter.

Tables have a few thousand rows and the bounds are set to a few hundred, so a statement that reads more than these would
read a million of a million. What a statement reads is counted by PostgreSQL, not guessed from its plan."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from contacts.pages import changelists, events, live, members
from delivery.pages import message_filters
from tests import journeys
from tests.filling import fill
from tests.journeys import definition, step
from workflows.models import Workflow
from workflows.pages import enrolments, failures

pytestmark = pytest.mark.django_db

ROWS = 2_500
BOUND = 200  # what is counted, and what is looked through
MOST_READ = 1_000
# rare things are the oldest, where whoever looks for them from the newest on finds them last
FILL = """
INSERT INTO contacts (external_id, email, attributes, created_at)
SELECT 'x' || n, 'x' || n || '@example.com', '{}', now() - n * interval '1 second' FROM generate_series(1, %(rows)s) n;
INSERT INTO contact_identities (kind, value, contact_id, first_seen_at)
SELECT 'email', email, id, now() FROM contacts;
INSERT INTO tags (name) VALUES ('some');
INSERT INTO contact_tags (contact_id, tag_id, added_at) SELECT c.id, t.id, now() FROM contacts c, tags t
 WHERE c.id < (SELECT min(id) + 5 FROM contacts);
INSERT INTO tags (name) VALUES ('most');
INSERT INTO contact_tags (contact_id, tag_id, added_at) SELECT c.id, t.id, now() FROM contacts c, tags t
 WHERE t.name = 'most';
INSERT INTO lists (slug, name, created_at) VALUES ('most', 'Most', now());
INSERT INTO list_members (contact_id, list_id, joined_at) SELECT c.id, l.id, now() FROM contacts c, lists l;
INSERT INTO segments (slug, name, condition, state) VALUES ('most', 'Most', '{"all": []}', 'live');
INSERT INTO segment_members (contact_id, segment_id, entered_at)
SELECT c.id, s.id, now() FROM contacts c, segments s;
INSERT INTO contact_events (contact_id, recorded_contact_id, type, occurred_at, recorded_at, source, processed,
                            key_hash)
SELECT id, id, 'page_viewed', now(), now() - interval '3 hours', 'api', true, int8send(id) FROM contacts;
INSERT INTO workflow_enrolments (workflow_id, version_id, contact_id, lane, state, step, wake_at, entered_at,
                                 finished_at)
SELECT %(workflow)s, %(version)s, id, 'urgent', 'completed', 'pause', now(), now(), now() FROM contacts;
INSERT INTO entry_refusals (contact_id, workflow_id, reason, refused_at)
SELECT id, %(workflow)s, 're_entry', now() FROM contacts;
INSERT INTO messages (contact_id, channel, template_version_id, message_class, lane, idempotency_key, workflow_id,
                      version_id, created_at)
SELECT id, 'email', %(template)s, 'marketing', 'urgent', 'f:' || id, %(workflow)s, %(version)s, now() FROM contacts;
INSERT INTO contact_send_log (message_id, contact_id, channel, kind, at)
SELECT id, contact_id, 'email', 'accepted', now() - id * interval '1 second' FROM messages;
INSERT INTO addresses (channel, key_hash, created_at) SELECT 'email', int8send(id), now() FROM contacts;
INSERT INTO suppressions (address_id, scope, reason, source, created_at)
SELECT id, 'email', 'unsubscribe', 'page', now() FROM addresses;
INSERT INTO lifecycle_events (contact_id, to_stage, reason, source, occurred_at)
SELECT id, 'lead', 'rule', 'rule', now() FROM contacts;
INSERT INTO quarantined_events (received_at, source, raw, errors) SELECT now(), 'api', '{}', '[]' FROM contacts;
INSERT INTO contact_merges (survivor_id, absorbed_id, merged_at, source, before)
SELECT id, id + 10000000, now(), 'api', '{}' FROM contacts;
INSERT INTO sales_tasks (enrolment_id, seq, contact_id, workflow_id, owner_email, message, made_at, done_at)
SELECT id, 1, contact_id, workflow_id, 'o@example.com', 'Call', now(), now() FROM workflow_enrolments;
INSERT INTO sandbox_mails (mid, to_address, subject, html, text, headers)
SELECT gen_random_uuid(), email, 'Hello', '', '', '{}' FROM contacts;
INSERT INTO dead_letters (enrolment_id, seq, contact_id, workflow_id, version_id, step, category, error, attempts,
                          state, failed_at, resolved_at)
SELECT id, 1, contact_id, workflow_id, version_id, step, 'permanent', 'x', 3, 'retried', now(), now()
  FROM workflow_enrolments;
INSERT INTO privacy_deeds (contact_id, deed, actor, at, counts) SELECT id, 'export', 'api', now(), '{}' FROM contacts;
INSERT INTO audit_entries (actor_kind, actor, what, object_type, object_id)
SELECT 'staff', 'ada', 'workflow.changed', 'workflow', id::text FROM contacts;
"""
LARGE = {
    "contacts.Contact", "contacts.ContactEvent", "contacts.ContactMerge", "contacts.PrivacyDeed",
    "contacts.QuarantinedEvent", "delivery.Message", "delivery.SandboxMail", "delivery.Suppression",
    "scoring.LifecycleEvent", "workflows.DeadLetter", "workflows.Enrolment", "workflows.EntryRefusal",
    "workflows.SalesTask",
}  # fmt: skip


@pytest.fixture
def ada(monkeypatch) -> Client:
    """Somebody who may everything, in a house with a few thousand of everything."""
    for module in (changelists, enrolments):
        monkeypatch.setattr(module, "LOOKED_THROUGH", BOUND)
    for module in (events, live):
        monkeypatch.setattr(module, "LOOKED_AT", BOUND)
    for module in (changelists, members):
        monkeypatch.setattr(module, "COUNTED", BOUND)
    monkeypatch.setattr(events, "TYPES_FROM", BOUND)
    monkeypatch.setattr(failures, "STEPS_FROM", BOUND)
    for name in ("NEWEST_FOUND", "NEWEST_READ", "NEWEST_LOOKED_THROUGH"):
        monkeypatch.setattr(message_filters, name, BOUND)
    for model_admin in admin.site._registry.values():
        monkeypatch.setattr(model_admin, "list_per_page", 4)
    template = journeys.template("welcome")
    journeys.publish(definition({
        "mail": step("send_email", {"next": "pause"}, template="welcome"),
        "pause": step("wait", mode="duration", **{"for": "P1D"}),
    }))  # fmt: skip
    workflow = Workflow.objects.get()
    values = {"rows": ROWS, "workflow": workflow.pk, "version": workflow.live_version_id, "template": template}
    fill(FILL, values)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SET LOCAL enable_seqscan = off")  # as it is where reading from end to end costs something
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    sent: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield sent


def read_by(sql: str, params: Any) -> Counter[str]:
    """How many rows of each table a statement reads, those that it throws away included."""
    found: Counter[str] = Counter()

    def look(node: dict[str, Any]) -> None:
        if (table := node.get("Relation Name", "")) and not table.startswith("pg_"):
            rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            found[table] += int(rows * node["Actual Loops"])
        for child in node.get("Plans", []):
            look(child)

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0]
    look((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return found


def faults(client: Client, url: str) -> tuple[Any, list[str]]:
    """The answer, and what is wrong with the statements that it took."""
    with statements() as sent:
        answer = client.get(url)
    assert answer.status_code == 200, url
    found = []
    for sql, params in sent:
        if not sql.lstrip().upper().startswith(("SELECT", "WITH")):
            continue
        skipped = [int(n) for n in re.findall(r"OFFSET (\d+)", sql)]
        much = {table: rows for table, rows in read_by(sql, params).items() if rows > MOST_READ}
        if much or max(skipped, default=0) > BOUND:
            found.append(f"{url} reads {much}, skips {skipped}: {' '.join(sql.split())}")
    return answer, found


def test_no_list_reads_a_large_table(ada):
    found: list[str] = []
    listed = set()
    for model, model_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        if not isinstance(model_admin, changelists.CarillonAdmin) or not has_list(model_admin):
            continue
        url = reverse(name)
        answer, wrong = faults(ada, url)
        found += wrong
        shown = (answer.context or {}).get("cl")
        if shown is None:
            continue  # a page of its own
        if shown.next_url:
            listed.add(model._meta.label)
            following, wrong = faults(ada, url + shown.next_url)
            found += wrong + faults(ada, url + following.context["cl"].next_url)[1]
        if shown.search_fields:
            found += faults(ada, f"{url}?q=x77@example.com")[1] + faults(ada, f"{url}?q=nobody@example.com")[1]
        for spec in shown.filter_specs:
            for choice in spec.choices(shown):
                found += [] if choice["selected"] else faults(ada, url + choice["query_string"])[1]
    assert found == []
    assert listed >= LARGE - {"workflows.DeadLetter", "workflows.SalesTask"}  # these two begin with what is to be done


def has_list(model_admin: changelists.CarillonAdmin) -> bool:
    return any(
        getattr(each, "name", "") == f"{model_admin.opts.app_label}_{model_admin.opts.model_name}_changelist"
        for each in model_admin.get_urls()
    )


def test_every_list_has_an_order_by_which_a_page_is_found(ada):
    """And counts no further than a bound."""
    for model, model_admin in admin.site._registry.items():
        if model._meta.label in LARGE:
            assert issubclass(model_admin.paginator, changelists.BoundedPaginator), model
            assert not model_admin.show_full_result_count and not model_admin.sortable_by, model
            assert not model_admin.date_hierarchy, model
