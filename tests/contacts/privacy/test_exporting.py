"""Whatever is stored of a person can be taken along, in a form that people and programs can read."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from contacts import holdings
from contacts.models import Contact, PrivacyDeed
from contacts.privacy import exporting
from tests import journeys
from tests.contacts.conftest import Api, make_key
from tests.contacts.privacy import life
from tests.delivery import making

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reader() -> Api:
    return Api(make_key("contacts:read"))


def body(answer) -> bytes:
    return b"".join(answer.streaming_content)


def tables(document: dict) -> dict[str, list[dict]]:
    return {table["table"]: table["rows"] for table in document["tables"]}


def test_everything_that_the_canary_left_is_in_its_export(reader):
    who = Contact.objects.get(pk=life.live())
    answer = reader.get(f"/api/v1/contacts/{who.public_id}/export")
    assert answer.status_code == 200 and answer["Content-Type"] == "application/json"
    assert "attachment" in answer["Content-Disposition"] and answer["Cache-Control"] == "no-store"
    document = json.loads(body(answer))
    found = tables(document)
    assert set(found) == {"contacts", *(holding.table for holding in holdings.all_holdings())}
    people = [who.pk, *Contact.objects.filter(merged_into=who).values_list("pk", flat=True)]
    with connection.cursor() as cursor:
        for holding in holdings.all_holdings():
            cursor.execute(f"SELECT count(*) FROM {holding.table} WHERE {holding.where}", {"contacts": people})
            if holding.table not in {"privacy_deeds", "audit_entries"}:  # this export's own came afterwards
                assert len(found[holding.table]) == cursor.fetchone()[0], holding.table
    assert len(found["contacts"]) == 3  # and those who were merged into them
    assert {"kind": "email", "value": life.OTHER_EMAIL} in [
        {"kind": row["kind"], "value": row["value"]} for row in found["contact_identities"]
    ]
    assert found["contacts"][0]["attributes"]["plan"] == "trial"  # JSON, not JSON in a text
    assert {"list": "friends"} in [{"list": row["list"]} for row in found["list_members"]]


def test_it_is_noted_who_exported_whom(reader):
    who = making.contact()
    body(reader.get(f"/api/v1/contacts/{who.public_id}/export"))
    deed = PrivacyDeed.objects.get()
    assert (deed.contact_id, deed.deed, deed.actor) == (who.pk, "export", "key:test")
    assert deed.counts["contacts"] == 1


@pytest.mark.parametrize("how", [{"query": {"format": "zip"}}, {"headers": {"Accept": "application/zip"}}])
def test_a_zip_has_the_document_and_a_csv_file_for_every_table(how):
    who = making.contact("=cmd|' /C calc'!A0@example.com", attributes={"n": 1})
    journeys.track(who.pk, "page_viewed", properties={"title": "@SUM(1+1)", "price": -5})
    path = f"/api/v1/contacts/{who.public_id}/export"
    api = Api(make_key("contacts:read"))
    answer = api.get(path, **how["query"]) if "query" in how else api.call("GET", path, b"", **how["headers"])
    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(body(answer))) as archive:
        document = json.loads(archive.read("export.json"))
        (profile,) = csv.DictReader(io.StringIO(archive.read("contacts.csv").decode("utf-8-sig")))
        (event,) = csv.DictReader(io.StringIO(archive.read("contact_events.csv").decode("utf-8-sig")))
        names = set(archive.namelist())
    assert names == {"export.json", *(f"{table}.csv" for table in tables(document))}
    assert profile["email"] == "'=cmd|' /C calc'!A0@example.com"  # shown, never run
    assert json.loads(event["properties"]) == {"title": "@SUM(1+1)", "price": -5}
    assert tables(document)["contacts"][0]["email"] == "=cmd|' /C calc'!A0@example.com"


def test_an_export_reads_no_more_than_a_thousand_rows_at_a_time_and_all_of_them(monkeypatch):
    monkeypatch.setattr(exporting, "ROWS", 7)
    who = making.contact()
    for _ in range(5):
        journeys.track([who.pk] * 50, "page_viewed", key=None, properties={})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contact_changes (contact_id, changed_at, kind, name, source)"
            " SELECT %s, now(), 'field', 'x', 'test' FROM generate_series(1, 1000)",
            [who.pk],
        )
    out = io.BytesIO()
    exporting.write(who.pk, out, form=exporting.JSON, actor="test")
    assert len(tables(json.loads(out.getvalue()))["contact_changes"]) == 1000


def test_another_form_and_nobody_are_refused(reader):
    who = making.contact()
    assert reader.get(f"/api/v1/contacts/{who.public_id}/export", format="xml").status_code == 400
    assert reader.get("/api/v1/contacts/00000000-0000-4000-8000-000000000000/export").status_code == 404
    assert Api(make_key("events:write")).get(f"/api/v1/contacts/{who.public_id}/export").status_code == 403
    assert PrivacyDeed.objects.count() == 0


@pytest.mark.parametrize("name", ["ZILPAH.quux@example.com", "zilpah-4711", "+49 30 1234567890"])
def test_the_command_knows_people_by_every_name_and_writes_for_nobody_elses_eyes(name, tmp_path, capsys):
    life.live()
    path = tmp_path / "person.zip"
    call_command("export_contact", name, out=str(path))
    assert path.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(path) as archive:
        assert len(json.loads(archive.read("export.json"))["tables"]) > 10
    with pytest.raises(CommandError):
        call_command("export_contact", "nobody@example.com", out=str(path))
