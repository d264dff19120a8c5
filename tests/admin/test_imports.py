"""The import wizard: uploaded, mapped, tried, imported, watched; and who may do what."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from contacts.audiences import lists
from contacts.importing.runs import Worker
from contacts.models import ConsentRecord, Contact, ContactTag, ImportChunk, ImportPreset, ImportRun, ListMember

pytestmark = pytest.mark.django_db

FILE = "E-mail;Name;Plan;Opt-in\nada@example.com;Zoë;trial;yes\nbob@example.com;Bob;paid;no\nbad;X;paid;yes\n"
ADD = "/admin/contacts/importrun/add/"
GUESSED = {
    "encoding": "cp1252", "delimiter": ";", "quote": '"', "key": "", "existing": "update",
    "to-0": "email", "to-1": "attribute", "attribute-1": "name", "type-1": "text",
    "to-2": "attribute", "attribute-2": "plan", "type-2": "auto", "to-3": "consent:marketing",
}  # fmt: skip


@pytest.fixture
def importer(staff):
    return staff("contacts.import_contacts", "contacts.view_importrun")


def upload(client, content: str | bytes = FILE.encode("cp1252"), name: str = "people.csv"):
    raw = content.encode() if isinstance(content, str) else content
    return client.post(ADD, {"file": SimpleUploadedFile(name, raw)})


def work_off() -> None:
    worker = Worker()
    while worker.advance():
        pass
    worker.close()


def test_a_file_is_mapped_tried_and_imported(importer):
    assert upload(importer).status_code == 302
    run = ImportRun.objects.get()
    page = importer.get(reverse("admin:contacts_importrun_mapping", args=[run.pk])).content.decode()
    assert "it is read as Windows-1252" in page
    assert "Zoë" in page
    assert '<option value=";" selected>semicolon' in page
    address = reverse("admin:contacts_importrun_mapping", args=[run.pk])
    assert importer.post(address, {**GUESSED, "deed": "check"}).status_code == 302
    work_off()
    page = importer.get(address).content.decode()
    assert "What would happen" in page
    assert "email: is not an e-mail address" in page or "E-mail: is not an e-mail address" in page
    assert not Contact.objects.exists()
    importer.post(address, {**GUESSED, "deed": "start", "tags": "fair, x"})
    work_off()
    run.refresh_from_db()
    assert (run.state, run.created, run.refused) == ("done", 2, 1)
    assert Contact.objects.get(email="ada@example.com").attributes == {"name": "Zoë", "plan": "trial"}
    assert ContactTag.objects.count() == 4
    assert not ImportChunk.objects.exists()
    page = importer.get(reverse("admin:contacts_importrun_change", args=[run.pk])).content.decode()
    assert "Download the refused rows" in page
    rejects = b"".join(importer.get(reverse("admin:contacts_importrun_rejects", args=[run.pk])).streaming_content)
    assert rejects.decode().splitlines()[1] == "4,E-mail: is not an e-mail address,bad;X;paid;yes"


def test_what_was_guessed_can_be_overridden_and_read_again(importer):
    upload(importer, "email|note\na@example.com|x;y\n")
    run = ImportRun.objects.get()
    assert run.format["delimiter"] == "|"
    address = reverse("admin:contacts_importrun_mapping", args=[run.pk])
    page = importer.post(address, {"encoding": "latin-1", "delimiter": ";", "quote": "", "deed": "reread"})
    assert "email|note" in page.content.decode()


def test_a_mapping_without_a_name_for_people_is_refused_where_it_stands(importer):
    upload(importer)
    address = reverse("admin:contacts_importrun_mapping", args=[ImportRun.objects.get().pk])
    page = importer.post(address, {**GUESSED, "to-0": "ignore", "deed": "start"})
    assert page.status_code == 422
    assert "no column says who a row is about" in page.content.decode()


@pytest.mark.parametrize(
    "said",
    [
        {"list": "gone"}, {"tags": "a\x00b"}, {"attribute-1": "\x00"}, {"delimiter": "\x00"},
        {"deed": "remember", "preset_name": "\x00"}, {"deed": "preset", "preset": "\x00"},
        {"consent": "yes", "evidence": "a\x00b", "deed": "check"},
    ],
)  # fmt: skip
def test_what_there_is_not_or_cannot_be_stored_is_refused_where_it_stands(importer, said):
    upload(importer)
    address = reverse("admin:contacts_importrun_mapping", args=[ImportRun.objects.get().pk])
    page = importer.post(address, {**GUESSED, "deed": "start", **said})
    assert page.status_code in {200, 422}, "the page, with what is wrong"
    assert ImportRun.objects.get().state == "waiting"


def test_consent_for_everybody_needs_evidence_and_is_kept_with_it(importer, now):
    lists.create(slug="fair", name="Fair", now=now)
    upload(importer, "email\na@example.com\n")
    address = reverse("admin:contacts_importrun_mapping", args=[ImportRun.objects.get().pk])
    said = {"encoding": "utf-8", "delimiter": ",", "quote": '"', "to-0": "email", "consent": "yes", "list": "fair"}
    page = importer.post(address, {**said, "deed": "start"})
    assert page.status_code == 422 and "how these people agreed" in page.content.decode()
    importer.post(address, {**said, "evidence": "signed at the fair", "deed": "start"})
    work_off()
    record = ConsentRecord.objects.get()
    assert (record.state, record.evidence) == ("granted", {"statement": "signed at the fair", "file": "people.csv"})
    assert ListMember.objects.count() == 1


def test_a_mapping_is_remembered_and_used_again(importer):
    upload(importer)
    first = reverse("admin:contacts_importrun_mapping", args=[ImportRun.objects.get().pk])
    importer.post(first, {**GUESSED, "attribute-1": "nickname", "preset_name": "Shop", "deed": "remember"})
    assert ImportPreset.objects.get().name == "Shop"
    upload(importer)
    again = reverse("admin:contacts_importrun_mapping", args=[ImportRun.objects.latest("id").pk])
    page = importer.post(again, {"preset": "Shop", "deed": "preset"}).content.decode()
    assert 'value="nickname"' in page


def test_a_run_is_paused_continued_and_cancelled(importer):
    upload(importer)
    run = ImportRun.objects.get()
    importer.post(reverse("admin:contacts_importrun_mapping", args=[run.pk]), {**GUESSED, "deed": "start"})
    address = reverse("admin:contacts_importrun_deed", args=[run.pk])
    states = []
    for deed in ("pause", "continue", "cancel", "continue", "nonsense"):
        importer.post(address, {"deed": deed})
        run.refresh_from_db()
        states.append(run.state)
    assert states == ["stopped", "running", "cancelled", "cancelled", "cancelled"]
    figures = importer.get(reverse("admin:contacts_importrun_progress", args=[run.pk])).json()
    assert figures["state"] == "cancelled"


@pytest.mark.parametrize(
    ("content", "words"), [(b"PK\x03\x04rest", "a workbook"), (b"\x1f\x8brest", "gzip"), (b"", "file is empty")]
)
def test_what_is_no_plain_text_is_refused_at_once(importer, content, words):
    page = upload(importer, content)
    assert page.status_code == 422
    assert not ImportRun.objects.exists()
    assert words in page.content.decode() or "submitted file is empty" in page.content.decode()


def test_what_a_file_says_is_never_markup(importer):
    upload(importer, 'email,<script>alert(1)</script>\n<img src=x>,"<b>x"\n', name="<i>x</i>.csv")
    run = ImportRun.objects.get()
    page = importer.get(reverse("admin:contacts_importrun_mapping", args=[run.pk])).content.decode()
    for markup in ("<script>alert", "<img src=x>", "<b>x", "<i>x</i>"):
        assert markup not in page


def test_only_who_may_import_may_import(staff):
    upload(staff("contacts.import_contacts"))
    run = ImportRun.objects.get()
    viewer = staff("contacts.view_importrun")
    assert viewer.get("/admin/contacts/importrun/").status_code == 200
    assert viewer.get(reverse("admin:contacts_importrun_change", args=[run.pk])).status_code == 200
    assert upload(viewer).status_code == 403
    for name in ("mapping", "rejects"):
        assert viewer.get(reverse(f"admin:contacts_importrun_{name}", args=[run.pk])).status_code == 403
    assert viewer.post(reverse("admin:contacts_importrun_deed", args=[run.pk]), {"deed": "cancel"}).status_code == 403
    assert viewer.get(reverse("admin:contacts_export")).status_code == 403
    nobody = staff("contacts.view_contact")
    assert nobody.get("/admin/contacts/importrun/").status_code == 403


def test_contacts_are_exported_from_the_admin(staff, town):
    client = staff("contacts.export_contacts", "contacts.see_personal_data")
    assert client.get(reverse("admin:contacts_export")).status_code == 200
    answer = client.post(reverse("admin:contacts_export"), {"as": "csv"})
    text = b"".join(answer.streaming_content).decode()
    assert text.count("\r\n") >= Contact.objects.filter(merged_into=None, erased_at=None).count()
    assert answer["Content-Disposition"] == 'attachment; filename="contacts.csv"'
