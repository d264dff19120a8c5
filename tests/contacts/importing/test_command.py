"""Contacts from a file: what a row becomes, what is refused and with which line, and that nothing else is lost."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from contacts import signals, transactions
from contacts.importing import bulk
from contacts.importing.rows import Row
from contacts.importing.shape import Options
from contacts.models import ConsentRecord, Contact, ContactChange
from contacts.upserting import Person
from tests.contacts.conftest import together

SHARED = settings.BASE_DIR.parent / "shared"


# -- contacts ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_known_columns_become_fields_and_the_others_attributes(load):
    out, err = load(
        "external_id,email,phone,timezone,locale,region,owner_email,created_at,plan,seats,vip,note\n"
        "ada,Ada@Example.com,+49 (151) 123-456,Europe/Berlin,de_DE,eu,sam@example.com,2024-09-17T15:16:00Z,"
        "trial,3,true,\n"
    )
    assert (out, err) == ("1 created, 0 updated, 0 unchanged", [])
    ada = Contact.objects.get()
    assert (ada.external_id, ada.email, ada.phone) == ("ada", "Ada@Example.com", "+49151123456")
    assert (ada.timezone, ada.locale, ada.region, ada.owner_email) == (
        "Europe/Berlin", "de_DE", "eu", "sam@example.com",
    )  # fmt: skip
    assert ada.created_at == datetime(2024, 9, 17, 15, 16, tzinfo=UTC)
    assert ada.attributes == {"plan": "trial", "seats": 3, "vip": True}


@pytest.mark.django_db
def test_the_same_file_again_changes_nothing(load):
    content = "external_id,email,plan,consent_marketing\n" + "".join(
        f"c{n},c{n}@example.com,trial,{'true' if n % 2 else 'false'}\n" for n in range(1500)
    )
    assert load(content)[0] == "1,500 created, 0 updated, 0 unchanged"
    before = list(Contact.objects.order_by("id").values())
    assert load(content)[0] == "0 created, 0 updated, 1,500 unchanged"
    assert list(Contact.objects.order_by("id").values()) == before
    assert ConsentRecord.objects.count() == 1500
    assert not ContactChange.objects.exists()


@pytest.mark.django_db
def test_a_later_file_completes_and_never_deletes(load):
    load("email,plan,seats,timezone\nada@example.com,trial,3,Europe/Berlin\n")
    out, _ = load("email,plan,seats,external_id,timezone\nADA@example.com,paid,,ada,\n")
    assert out == "0 created, 1 updated, 0 unchanged"
    ada = Contact.objects.get()
    assert (ada.external_id, ada.timezone, ada.attributes) == ("ada", "Europe/Berlin", {"plan": "paid", "seats": 3})
    changes = ContactChange.objects.filter(kind="attribute").values_list("name", "old", "new", "source")
    assert list(changes) == [("plan", "trial", "paid", "import")]


@pytest.mark.django_db
def test_rows_about_the_same_contact_are_taken_in_their_order(load):
    out, _ = load("external_id,email,plan,consent_marketing\nada,,a,true\nada,ada@example.com,b,false\n")
    assert out.startswith("1 created")
    ada = Contact.objects.get()
    assert (ada.email, ada.attributes) == ("ada@example.com", {"plan": "b"})
    assert [row.state for row in ConsentRecord.objects.all()] == ["denied"]


@pytest.mark.django_db
def test_an_address_that_is_somebody_elses_is_not_taken_away(load):
    load("external_id,email\nada,ada@example.com\nbob,bob@example.com\n")
    load("external_id,email,plan\nbob,ada@example.com,paid\n")
    assert dict(Contact.objects.values_list("external_id", "email")) == {
        "ada": "ada@example.com",
        "bob": "bob@example.com",
    }
    assert Contact.objects.get(external_id="bob").attributes == {"plan": "paid"}
    assert ContactChange.objects.filter(kind="identity_conflict").count() == 1


@pytest.mark.django_db
def test_a_new_address_of_a_known_contact_replaces_the_shown_one(load):
    load("external_id,email\nada,old@example.com\n")
    load("external_id,email\nada,new@example.com\n")
    ada = Contact.objects.get()
    assert ada.email == "new@example.com"
    change = ContactChange.objects.get(kind="field")
    assert (change.old, change.new) == ("old@example.com", "new@example.com")


@pytest.mark.django_db
def test_consent_becomes_a_record(load):
    load("email,consent_marketing,consent_tracking\na@example.com,true,\nb@example.com,false,TRUE\nc@example.com,,\n")
    said = ConsentRecord.objects.order_by("id").values_list("category", "topic", "state", "source")
    assert sorted(said) == [
        ("marketing", "", "denied", "import"),
        ("marketing", "", "granted", "import"),
        ("tracking", "", "granted", "import"),
    ]
    assert not any(Contact.objects.exclude(attributes={}))


@pytest.mark.django_db
def test_the_earliest_beginning_is_kept(load):
    load("email,created_at\nada@example.com,2024-01-01T00:00:00Z\n")
    load("email,created_at\nada@example.com,2025-01-01T00:00:00Z\n")
    assert Contact.objects.get().created_at.year == 2024


@pytest.mark.django_db
@pytest.mark.parametrize(("cell", "day"), [("2024-01-04", 4), ("2024/1/4", 4), ("5.1.2024", 5)])
def test_a_day_without_a_time_is_a_date_of_creation(load, cell, day):
    load(f"email,created_at\nada@example.com,{cell}\n")
    assert Contact.objects.get().created_at == datetime(2024, 1, day, tzinfo=UTC)


@pytest.mark.django_db
@pytest.mark.parametrize("cell", ["yesterday", "2024-02-30", "2024-01-04T10:00:00"])
def test_what_is_neither_a_day_nor_an_instant_is_refused(load, cell):
    out, err = load(f"email,created_at\nada@example.com,{cell}\n")
    assert "1 refused" in out and err[0].startswith("line 2: created_at: ")


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_bad_row_is_reported_with_its_line_and_all_others_are_imported(load, settings):
    settings.RESIDENCY_ALLOWED = ["eu"]
    header = "external_id,email,phone,timezone,region,consent_marketing,created_at,note\n"
    bad = {
        ",,,,,,,x": "nobody",
        "a,not an address,,,,,,": "email: ",
        "a,,12,,,,,": "phone: ",
        "a,,,Europe/Atlantis,,,,": "timezone: ",
        "a,,,,us,,,": "residency",
        "a,,,,,maybe,,": "consent_marketing: ",
        "a,,,,,,yesterday,": "created_at: ",
        "a,,,,,,,nul\x00": "U+0000",
        "a,,,,,,,\udcff": "encoding",
        "too,few": "cells",
        'a,,,,,,,"open': "quote",
    }
    lines = [line for n, text in enumerate(bad) for line in (f"c{n},,,,,,,fine", text)]
    content = header + "\n".join([*lines, "last,,,,,,,fine"]) + "\n"
    out, err = load(content.encode("utf-8", "surrogateescape"))
    assert out == f"{len(bad) + 1} created, 0 updated, 0 unchanged, {len(bad)} refused"
    assert [line.split(":")[0] for line in err] == [f"line {3 + 2 * n}" for n in range(len(bad))]
    for line, reason in zip(err, bad.values(), strict=True):
        assert reason in line
    assert Contact.objects.count() == len(bad) + 1


@pytest.mark.django_db
def test_a_row_that_postgresql_refuses_is_refused_alone(now):
    def person(n: int, **attributes):
        return Row(n, Person({"external_id": f"c{n}"}, attributes))

    people = [person(n, plan="x") for n in range(9)]
    people[4] = person(4, plan="a\x00b")
    with transaction.atomic():
        done = bulk.store(people, options=Options(), source="import", now=now)
    assert (done.created, [row.line for row in done.refused]) == (8, [4])
    assert Contact.objects.count() == 8


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no header"),
        ("name,plan\nx,y\n", "external_id, email or phone"),
        ("email/plan\nx/y\n", "external_id, email or phone"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_says_why(load, content, reason):
    with pytest.raises(CommandError, match=reason):
        load(content)


def test_a_file_that_is_not_there_says_so():
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_contacts", "/nowhere/people.csv")


@pytest.mark.django_db
def test_a_dry_run_reads_everything_and_writes_nothing(load):
    out, err = load("email\nada@example.com\nbad\n", "--dry-run")
    assert out == (
        "nothing written; every other row can be imported, 1 refused: 1 would be created, 0 updated, 0 unchanged"
    )
    assert err == ["line 3: email: is not an e-mail address"]
    assert not Contact.objects.exists()


@pytest.mark.django_db
def test_a_byte_order_mark_is_no_part_of_the_first_name(load):
    assert load(b"\xef\xbb\xbf" + b'"email",plan\nada@example.com,x\n')[0].startswith("1 created")


# -- price, news, races ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_batch_of_rows_costs_the_same_whatever_its_size(now, monkeypatch):
    monkeypatch.setattr(signals.contacts_changed, "receivers", [])

    def price(name: str, size: int) -> int:
        people = [
            Row(n, Person({"external_id": f"{name}{n}"}, {"n": n}, {("marketing", ""): "granted"})) for n in range(size)
        ]
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            bulk.store(people, options=Options(), source="import", now=now)
        return len(queries)

    assert price("a", 100) == price("b", 1000) <= 16
    assert Contact.objects.count() == 1100


@pytest.mark.django_db
def test_new_and_changed_contacts_are_news_and_unchanged_ones_are_not(load):
    heard = []

    def listen(sender, **kwargs):
        heard.append((len(kwargs["contact_ids"]), kwargs["kinds"]))

    signals.contacts_changed.connect(listen)
    load("email,plan\na@example.com,x\nb@example.com,x\n")
    load("email,plan\na@example.com,y\nb@example.com,x\n")
    load("email,plan\na@example.com,y\nb@example.com,x\n")
    assert heard == [
        (2, frozenset({"created"})),
        (2, frozenset({"attribute", "field"})),
        (1, frozenset({"attribute"})),
    ]


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_people_at_once_create_them_once():
    people = [Row(n, Person({"external_id": f"c{n}", "email": f"c{n}@example.com"}, {"n": n})) for n in range(300)]

    def load(order):
        return transactions.run(lambda now: bulk.store(order, options=Options(), source="import", now=now))

    done = together(lambda: load(people), lambda: load(people[::-1]))
    assert sum(each.created for each in done) == 300
    assert Contact.objects.count() == 300


@pytest.mark.django_db
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here")
def test_the_real_file_is_imported_whole():
    out = io.StringIO()
    call_command("import_contacts", str(SHARED / "data/contacts.csv"), stdout=out)
    assert out.getvalue().strip() == "2,016 created, 0 updated, 0 unchanged"
    assert Contact.objects.filter(timezone="").count() == 161
    assert Contact.objects.filter(attributes__company_size__gte=500).count() == 585
    assert ConsentRecord.objects.filter(category="marketing", state="denied").count() == 656
