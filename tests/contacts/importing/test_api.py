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


def test_reading_keys_may_not_import():
    assert send(b"email\n", scope="contacts:read", content_type="text/csv").status_code == 403
