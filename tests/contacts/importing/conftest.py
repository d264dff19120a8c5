"""Files to import, and what an import leaves behind."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from contacts.importing import mapping, runs, sources
from contacts.importing.batches import open_table
from contacts.importing.shape import Options
from contacts.importing.sniffing import format_of
from contacts.importing.sources import StoredSource
from contacts.models import ImportRun


@pytest.fixture
def load(tmp_path) -> Callable[..., tuple[str, list[str]]]:
    """The command: its answer, and the lines that it wrote beside."""

    def run(content: str | bytes, *options: str) -> tuple[str, list[str]]:
        path = tmp_path / "people.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        out, err = io.StringIO(), io.StringIO()
        call_command("import_contacts", str(path), *options, stdout=out, stderr=err)
        return out.getvalue().strip(), err.getvalue().splitlines()

    return run


def uploaded(content: str | bytes, **fields: Any) -> ImportRun:
    """A file in the database, waiting."""
    raw = content if isinstance(content, bytes) else content.encode()
    run = ImportRun.objects.create(name="people.csv", digest=b"", size=len(raw), stored=True, **fields)
    surveyed = sources.keep(run.pk, [raw])
    ImportRun.objects.filter(pk=run.pk).update(digest=surveyed.digest, format=surveyed.format.as_json())
    run.refresh_from_db()
    return run


def begun(content: str | bytes, *, now: Any, options: Options | None = None, dry: bool = False) -> ImportRun:
    """The same, taken up by the bulk lane."""
    run = uploaded(content)
    shape = format_of(run.format)
    header = open_table(StoredSource(run.pk), shape).header
    with transaction.atomic():
        runs.start(
            run.pk, format=shape, mapping=mapping.by_name(header), options=options or Options(), dry=dry, now=now
        )
    run.refresh_from_db()
    return run


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All that is known of people, without the numbers that sequences gave."""
    questions = {
        "contacts": "SELECT external_id, email, phone, attributes::text, timezone, locale, region, owner_email, "
        "created_at, updated_at, frequency_cap FROM contacts",
        "identities": "SELECT i.kind, i.value, i.first_seen_at, c.external_id, c.email, c.phone "
        "FROM contact_identities i JOIN contacts c ON c.id = i.contact_id",
        "consents": "SELECT c.external_id, c.email, c.phone, category, topic, state, recorded_at, source, "
        "evidence::text FROM consent_records r JOIN contacts c ON c.id = r.contact_id",
        "changes": "SELECT c.external_id, c.email, c.phone, kind, name, "
        "CASE WHEN kind = 'identity_conflict' THEN '' ELSE old::text END, new::text, source, changed_at "
        "FROM contact_changes h JOIN contacts c ON c.id = h.contact_id",
        "tags": "SELECT c.external_id, c.email, c.phone, t.name FROM contact_tags x "
        "JOIN contacts c ON c.id = x.contact_id JOIN tags t ON t.id = x.tag_id",
        "lists": "SELECT c.external_id, c.email, c.phone, l.slug FROM list_members x "
        "JOIN contacts c ON c.id = x.contact_id JOIN lists l ON l.id = x.list_id",
        "events": "SELECT c.external_id, c.email, c.phone, e.type, e.properties::text FROM contact_events e "
        "JOIN contacts c ON c.id = e.contact_id",
    }
    found = {}
    with connection.cursor() as cursor:
        for name, question in questions.items():
            cursor.execute(question)
            found[name] = sorted(cursor.fetchall(), key=repr)
    return found
