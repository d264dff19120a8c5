"""Files over HTTP: sent, taken up, watched."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from contacts.importing.runs import Worker
from contacts.models import Contact, ImportRun
from tests.contacts.conftest import make_key

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/imports"


def send(body: object, scope: str = "contacts:write", **options: object):
    client = Client(headers={"Authorization": f"Bearer {make_key(scope)}"})
    return client.post(ADDRESS, body, **options)


def work_off() -> None:
    worker = Worker()
    while worker.advance():
        pass
    worker.close()


def test_a_body_is_imported_by_the_names_of_its_columns():
    answer = send(b"email;plan\na@example.com;x\nbad;y\n", content_type="text/csv")
    assert answer.status_code == 202, answer.content
    run = answer.json()
    assert (run["state"], run["position"]) == ("running", 0)
    work_off()
    client = Client(headers={"Authorization": f"Bearer {make_key('contacts:read')}"})
    seen = client.get(f"{ADDRESS}/{run['id']}").json()
    assert (seen["state"], seen["created"], seen["refused"], seen["share"]) == ("done", 1, 1, 1.0)
    assert Contact.objects.get().attributes == {"plan": "x"}
    assert client.get(f"{ADDRESS}/999999/").status_code == 404


def test_a_form_may_bring_a_mapping_and_options():
    mapping = {"columns": {"Mail": "email"}, "key": "email"}
    answer = send(
        {
            "file": SimpleUploadedFile("people.csv", b"Mail,Secret\na@example.com,x\n"),
            "mapping": json.dumps(mapping),
            "options": json.dumps({"tags": ["fair"]}),
        }
    )
    assert answer.status_code == 202, answer.content
    work_off()
    assert ImportRun.objects.get().name == "people.csv"
    assert Contact.objects.get().attributes == {}


@pytest.mark.parametrize(
    "body",
    [b"", b"name\nx\n", b"PK\x03\x04", b"\x1f\x8b"],
)
def test_what_cannot_be_imported_is_a_400_and_nothing_is_kept(body):
    answer = send(body, content_type="text/csv")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert not ImportRun.objects.exists()


@pytest.mark.parametrize("options", ["[]", "{", '{"lists": ["gone"]}', '{"existing": "burn"}', '{"tags": "x"}'])
def test_options_that_cannot_be_are_a_400(options):
    file = SimpleUploadedFile("people.csv", b"email\na@example.com\n")
    assert send({"file": file, "options": options}).status_code == 400
    assert send({"file": "no file"}).status_code == 400


POISON = [
    "[" * 100_000,
    "{",
    '{"a": NaN}',
    '{"evidence": {"a": "\\u0000"}}',
    '{"columns": {"email": "email", "\\ud800": "ignore"}}',
]


@pytest.mark.parametrize("name", ["mapping", "options"])
@pytest.mark.parametrize("value", POISON)
def test_what_postgresql_cannot_hold_is_a_400_and_nothing_is_kept(name, value):
    answer = send({"file": SimpleUploadedFile("people.csv", b"email\na@example.com\n"), name: value})
    assert (answer.status_code, answer.json()["errors"][0]["loc"][0]) == (400, name)
    assert not ImportRun.objects.exists()


def test_a_mapping_may_come_as_a_file_and_any_name_is_taken():
    mapping = SimpleUploadedFile("mapping.json", json.dumps({"columns": {"Mail": "email"}}).encode())
    file = SimpleUploadedFile("people.csv", b"Mail\na@example.com\n")
    assert send({"file": file, "mapping": mapping, "name": "a\x00b"}).status_code == 202
    assert ImportRun.objects.get().name == "ab"


@pytest.mark.parametrize(
    ("said", "dry"), [("true", True), ("True", True), ("yes", True), ("1", True), ("false", False)]
)
def test_a_file_is_only_tried_however_somebody_says_so(said, dry):
    answer = send({"file": SimpleUploadedFile("people.csv", b"email\na@example.com\n"), "dry_run": said})
    assert answer.json()["dry"] is dry
    work_off()
    assert Contact.objects.exists() is not dry


def test_a_dry_run_that_is_neither_yes_nor_no_imports_nothing():
    answer = send({"file": SimpleUploadedFile("people.csv", b"email\na@example.com\n"), "dry_run": "please"})
    assert answer.status_code == 400
    assert not ImportRun.objects.exists()


def test_a_body_without_a_name_is_called_an_upload():
    assert send(b"email\n", content_type="text/csv").json()["name"] == "upload"


def test_reading_keys_may_not_import():
    assert send(b"email\n", scope="contacts:read", content_type="text/csv").status_code == 403
