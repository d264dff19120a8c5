"""People who are copied in leave the same behind as people who go the usual way."""

from __future__ import annotations

import random

import pytest
from django.db import connection, transaction

from contacts import events, signals, transactions
from contacts.identifiers import Identifiers
from contacts.importing import bulk
from contacts.importing.bulk import copy_text
from contacts.importing.csv_rows import Record
from contacts.importing.mapping import mapping_of
from contacts.importing.rows import Row, understanding
from contacts.importing.shape import FILL, SKIP, Options
from contacts.models import ConsentRecord, Contact, ListMember, Tag
from contacts.models import List as ContactList
from contacts.upserting import Person
from tests.contacts.conftest import event, together
from tests.contacts.importing.conftest import everything

MAPPING = {
    "id": "external_id",
    "mail": "email",
    "tel": "phone",
    "zone": "timezone",
    "since": "created_at",
    "plan": "attribute:plan",
    "seats": "attribute:seats",
    "note": 'attribute:a "quoted" note',
    "ads": "consent:marketing",
    "news": "consent:marketing:news",
    "track": "consent:tracking",
    "labels": "tags",
    "groups": "lists",
}
HEADER = list(MAPPING)


def table(seed: int, size: int) -> list[Row]:
    """People who are new, who come twice, who share a telephone, whose names contradict each other."""
    dice = random.Random(seed)

    def cell(*choices: str) -> str:
        return dice.choice(choices)

    understand = understanding(mapping_of({"columns": MAPPING}), HEADER, ["vip", "beta"])
    rows = []
    for line in range(2, size + 2):
        who, other = dice.randrange(size), dice.randrange(size)
        known = dice.random() < 0.15
        cells = [
            f"c{who if known else line + size}" if dice.random() < 0.7 else "",
            f"P{who if known else line + size}@Example.com" if dice.random() < 0.7 else "",
            f"+49 (151) {other if known else line + 10 * size:07d}" if dice.random() < 0.4 else "",
            cell("Europe/Berlin", "", "Asia/Tokyo"),
            cell("2020-01-01T00:00:00Z", "", "2099-01-01T00:00:00Z"),
            cell("trial", "paid", ""),
            cell("3", "2.5", "", "007"),
            cell("", "back\\slash\ttab", "two\nlines", 'a "quote"', "\\N", "ünïcødé 😀", "'=1+1"),
            cell("true", "false", ""),
            cell("yes", "no", ""),
            cell("granted", ""),
            cell("", "a", "a;b", "c"),
            cell("", "vip", "vip,beta"),
        ]
        row = understand(Record(line, cells, ""))
        if isinstance(row, Row):
            rows.append(row)
    return rows


def load(rows, now, **options):
    with transaction.atomic():
        return bulk.store(rows, options=Options(**options), source="import", now=now)


@pytest.fixture
def lists(db):
    for slug in ("vip", "beta"):
        ContactList.objects.create(slug=slug, name=slug)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(6))
def test_both_ways_leave_the_same_rows_behind(now, lists, monkeypatch, seed):
    rows = table(seed, 400)
    options = [
        {},
        {"existing": FILL, "tags": ("imported",), "lists": ("vip",)},
        {"consents": {("marketing", ""): "granted"}, "evidence": {"wording": 'v2 "signed"'}},
    ][seed % 3]
    counted, left = [], []
    for copied in (True, False):
        monkeypatch.setattr(bulk, "WORTH_COPYING", 20 if copied else 10**9)
        with transaction.atomic():
            events.record_batch([event(f"c{n}") for n in range(40)], source="api", now=now)  # they were there before
            done = [load(rows[:250], now, **options), load(rows[250:], now, **options)]
            counted.append([(each.created, each.updated, each.unchanged, each.repeated) for each in done])
            left.append(everything())
            transaction.set_rollback(True)
    assert counted[0] == counted[1]
    assert left[0] == left[1]
    assert len(left[0]["identities"]) > 400 and left[0]["changes"] and left[0]["tags"] and left[0]["lists"]


@pytest.mark.django_db
def test_the_new_ones_are_copied_and_not_inserted_one_way_or_the_other(now, django_assert_max_num_queries):
    rows = [Row(n, Person({"external_id": f"c{n}"}, {}, {("marketing", ""): "granted"})) for n in range(100)]
    used = []
    with connection.execute_wrapper(lambda run, sql, *rest: (used.append(sql), run(sql, *rest))[1]):
        load(rows, now)
    assert not [sql for sql in used if "INSERT INTO contacts " in sql]
    assert Contact.objects.count() == ConsentRecord.objects.count() == 100


def test_cells_are_escaped_for_postgresql():
    text = copy_text([("1", "a\\b", "c\td\ne\rf"), ("2", "", "\\N")])
    assert text == b"1\ta\\\\b\tc\\td\\ne\\rf\n2\t\t\\\\N\n"


@pytest.mark.django_db
def test_a_row_that_postgresql_refuses_takes_no_other_along(now):
    rows = [Row(n, Person({"external_id": f"c{n}"}, {"plan": "a\x00b" if n == 40 else "x"})) for n in range(100)]
    done = load(rows, now)
    assert (done.created, [row.line for row in done.refused]) == (99, [40])


@pytest.mark.django_db
def test_who_is_known_can_be_left_alone(now, lists):
    load([Row(2, Person({"email": "a@example.com"}, {"plan": "old"}))], now)
    again = [
        Row(2, Person({"email": "A@example.com", "external_id": "ada"}, {"plan": "new"}, tags=["x"], lists=["vip"])),
        Row(3, Person({"email": "b@example.com"})),
    ]
    done = load(again, now, existing=SKIP, tags=("all",))
    assert (done.created, done.updated, done.unchanged) == (1, 0, 1)
    ada = Contact.objects.get(email="a@example.com")
    assert (ada.external_id, ada.attributes) == ("", {"plan": "old"})
    assert not ListMember.objects.exists()
    assert set(Tag.objects.values_list("name", flat=True)) == {"all"}


@pytest.mark.django_db
def test_only_what_is_empty_can_be_filled(now):
    marketing = ("marketing", "")
    load([Row(2, Person({"email": "a@example.com", "locale": "de"}, {"plan": "old"}, {marketing: "denied"}))], now)
    said = Person(
        {"email": "a@example.com", "locale": "en", "timezone": "Asia/Tokyo"},
        {"plan": "new", "seats": 3},
        {marketing: "granted", ("tracking", ""): "granted"},
    )
    done = load([Row(2, said)], now, existing=FILL)
    assert done.updated == 1
    ada = Contact.objects.get()
    assert (ada.locale, ada.timezone, ada.attributes) == ("de", "Asia/Tokyo", {"plan": "old", "seats": 3})
    assert sorted(ConsentRecord.objects.values_list("category", "state")) == [
        ("marketing", "denied"),
        ("tracking", "granted"),
    ]


@pytest.mark.django_db
def test_a_consent_for_everybody_never_overrides_what_somebody_said(now):
    marketing = ("marketing", "")
    load([Row(2, Person({"email": "a@example.com"}, {}, {marketing: "denied"}))], now)
    people = [Row(n, Person({"email": f"{name}@example.com"})) for n, name in enumerate("abc", 2)]
    load(people, now, consents={marketing: "granted"}, evidence={"form": "fair 2026"})
    granted = ConsentRecord.objects.filter(state="granted")
    assert granted.count() == 2
    assert {record.evidence["form"] for record in granted} == {"fair 2026"}


@pytest.mark.django_db
def test_the_key_decides_before_the_usual_order(now):
    load([Row(2, Person({"external_id": "a"})), Row(3, Person({"email": "b@example.com"}))], now)
    load([Row(2, Person({"external_id": "a", "email": "b@example.com"}, {"plan": "x"}, key="email"))], now)
    assert Contact.objects.get(attributes__plan="x").email == "b@example.com"


@pytest.mark.django_db
def test_withdrawals_that_are_copied_are_news(now):
    heard = []

    def listen(sender, withdrawn, **_):
        heard.extend(withdrawn)

    signals.consent_withdrawn.connect(listen)
    load([Row(n, Person({"external_id": f"c{n}"}, {}, {("marketing", ""): "denied"})) for n in range(30)], now)
    assert len(heard) == 30


@pytest.mark.django_db(transaction=True)
def test_an_import_and_sign_ups_of_the_same_people_at_once_create_them_once(now):
    people = [Row(n, Person({"external_id": f"c{n}", "email": f"c{n}@example.com"}, {"n": n})) for n in range(300)]

    def copy(rows):
        return transactions.run(lambda now: bulk.store(rows, options=Options(), source="import", now=now))

    def sign_up(numbers):
        for start in range(0, len(numbers), 20):
            batch = [
                event(Identifiers(external_id=f"c{n}", email=f"c{n}@example.com")) for n in numbers[start : start + 20]
            ]
            transactions.run(lambda now, batch=batch: events.record_batch(batch, source="api", now=now))

    together(
        lambda: copy(people),
        lambda: copy(people[::-1]),
        lambda: sign_up(list(range(300))),
        lambda: sign_up(list(range(299, -1, -1))),
    )
    assert Contact.objects.count() == 300
    assert all(ada.attributes == {"n": int(ada.external_id[1:])} for ada in Contact.objects.all())
