"""Contacts as a file: who is in it, what a cell says, that no spreadsheet runs it, and that an import takes it back."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from contacts import exporting, upserting
from contacts.audiences import lists
from contacts.audiences.lists import Place
from contacts.exporting import Selection, Table, export
from contacts.models import Contact, ContactIdentity
from contacts.spreadsheets import is_dangerous, original, safe_cell
from contacts.upserting import Person
from tests.contacts.conftest import Api, make_key

EVERYBODY = Selection()


def people(*persons: Person, now) -> list[int]:
    with transaction.atomic():
        return upserting.upsert(list(persons), source="api", now=now).contact_ids


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+SUM(A1)", "-cmd", "@x", "\tx", "\rx", "\nx", "\x00x", "  =1", '"=1', "' =1", "=", "-", "＝1", "+1+1"],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text):
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize(
    "text", ["", "x", "-3", "+4.5", "-1e3", "+49151123456", "12,5", "-5%", "a=b", "O'Brien", "'", " "]
)
def test_numbers_and_words_stay(text):
    assert safe_cell(text) == text


@given(st.text(st.sampled_from("'\" =+-@\t\r\x00a1＝"), max_size=8) | st.text(max_size=20))
def test_every_cell_comes_back_as_itself_and_none_is_dangerous(text):
    assert original(safe_cell(text)) == text
    assert not is_dangerous(safe_cell(text)) or safe_cell(text).startswith("'")


@pytest.mark.django_db
def test_an_import_of_the_file_gives_the_same_people_back(now, tmp_path):
    people(
        Person(
            {"external_id": "a", "email": "Ada@Example.com", "phone": "+49151123456", "timezone": "Europe/Berlin"},
            {"plan": "=HYPERLINK(1)", "seats": 3, "vip": True, "note": "two\nlines; \"quoted\", 'x'", "zip": "007"},
            {("marketing", ""): "denied", ("tracking", ""): "granted"},
            ["x", "y"],
        ),
        Person({"email": "b@example.com"}, {"email": "another", "ratio": 0.5}),
        now=now,
    )
    path = tmp_path / "contacts.csv"
    call_command("export_contacts", "--out", str(path))
    before = [row | {"id": ""} for row in read(path.read_text())]
    assert before[0]["plan"] == "'=HYPERLINK(1)"
    Contact.objects.all().delete()
    ContactIdentity.objects.all().delete()
    call_command("import_contacts", str(path), stdout=io.StringIO(), stderr=io.StringIO())
    again = tmp_path / "again.csv"
    call_command("export_contacts", "--out", str(again))
    assert [row | {"id": ""} for row in read(again.read_text())] == before


@pytest.mark.django_db
def test_who_is_exported_can_be_chosen(now):
    ids = people(*[Person({"external_id": f"c{n}"}, {}, {}, ["x"] if n == 1 else []) for n in range(3)], now=now)
    with transaction.atomic():
        lists.create(slug="vip", name="VIP", now=now)
        lists.join([Place(ids[2], "vip", "api")], now=now)
    Contact.objects.filter(pk=ids[0]).update(erased_at=now)

    def who(**selection):
        return [row["external_id"] for row in read("".join(export(Selection(**selection), Table())))]

    assert (who(), who(tag="x"), who(list="vip"), who(tag="nobody")) == (["c1", "c2"], ["c1"], ["c2"], [])


@pytest.mark.django_db
def test_columns_formats_and_raw_cells_can_be_chosen(now):
    people(Person({"external_id": "=a"}, {"plan": "x", "seats": 2, "deep": {"a": [1]}}), now=now)
    assert "".join(export(EVERYBODY, Table(columns=["plan", "external_id"]))) == "plan,external_id\r\nx,'=a\r\n"
    assert "".join(export(EVERYBODY, Table("tsv", ["seats", "deep"], raw=True))) == (
        'seats\tdeep\r\n2\t"{""a"": [1]}"\r\n'
    )
    assert "".join(export(EVERYBODY, Table(columns=["external_id"], raw=True))).endswith("\r\n=a\r\n")
    (line,) = "".join(export(EVERYBODY, Table("jsonl"))).splitlines()
    assert json.loads(line)["attributes"] == {"plan": "x", "seats": 2, "deep": {"a": [1]}}


@pytest.mark.django_db
def test_memory_and_statements_grow_by_pages_and_not_by_people(now, monkeypatch):
    monkeypatch.setattr(exporting, "AT_ONCE", 10)
    people(*[Person({"external_id": f"c{n}"}) for n in range(35)], now=now)
    from django.db import connection

    with CaptureQueriesContext(connection) as queries:
        pieces = export(EVERYBODY, Table(columns=["external_id"]))
        next(pieces), next(pieces)
        first = len(queries)
        assert sum(1 for _ in pieces) == 3
    assert first == 3
    assert len(queries) == 13


@pytest.mark.django_db
def test_the_api_streams_the_file(now):
    people(Person({"external_id": "a"}, {"plan": "@x"}), now=now)
    api = Api(make_key("contacts:read"))
    response = api.get("/api/v1/contacts/export", columns="external_id,plan")
    assert response.status_code == 200
    assert response.streaming
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert b"".join(response.streaming_content) == b"external_id,plan\r\na,'@x\r\n"
    assert api.get("/api/v1/contacts/export/", **{"as": "xlsx"}).status_code == 400
    for half in ("", " ", "\x00"):
        assert api.get("/api/v1/contacts/export", tag=half).status_code == 400
    assert Api(make_key("contacts:write")).get("/api/v1/contacts/export").status_code == 403
