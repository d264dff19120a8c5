"""People who are copied in leave the same behind as people who go the usual way."""

from __future__ import annotations

import random
from datetime import timedelta
from uuid import RFC_4122

import pytest
from django.db import connection, transaction

from contacts import events, signals, transactions
from contacts.identifiers import Identifiers
from contacts.importing import bulk, copying
from contacts.importing.csv_rows import Record
from contacts.importing.mapping import mapping_of
from contacts.importing.rows import Row, understanding
from contacts.importing.shape import FILL, SKIP, UPDATE, Options
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


def load(rows, now, *, prepared=False, **options):
    copies = copying.prepare(rows) if prepared else None
    with transaction.atomic():
        return bulk.store(rows, options=Options(**options), source="import", now=now, copies=copies)


def asked(rows, now, **rest):
    """What was done, and the names of which it was asked whether anybody has them."""
    values = []

    def listen(run, sql, params, *others):
        if "string_to_array" in sql:
            values.extend(params[2].split("\n"))
        return run(sql, params, *others)

    with connection.execute_wrapper(listen):
        return load(rows, now, **rest), values


def newcomers(*numbers):
    return [Row(n, Person({"external_id": f"c{n}", "email": f"c{n}@example.com"}, {"n": n})) for n in numbers]


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
        {"consents": {("marketing", ""): "granted"}, "evidence": {"wording": 'v2 "signed"\tand sealed'}},
    ][seed % 3]
    counted, left = [], []
    for copied, prepared in ((False, False), (True, False), (True, True)):
        monkeypatch.setattr(bulk, "WORTH_COPYING", 20 if copied else 10**9)
        # who is known is met by asking, or by the unique key
        monkeypatch.setattr(bulk, "ASKED_FOR", 150 if seed % 2 else 1)
        with transaction.atomic():
            events.record_batch([event(f"c{n}") for n in range(40)], source="api", now=now)  # they were there before
            done = [load(some, now, prepared=prepared, **options) for some in (rows[:250], rows[250:])]
            counted.append([(each.created, each.updated, each.unchanged, each.repeated) for each in done])
            left.append(everything())
            transaction.set_rollback(True)
    assert counted[0] == counted[1] == counted[2]
    assert left[0] == left[1] == left[2]
    assert len(left[0]["identities"]) > 400 and left[0]["changes"] and left[0]["tags"] and left[0]["lists"]


@pytest.mark.django_db
def test_the_new_ones_are_copied_and_not_inserted_one_way_or_the_other(now, django_assert_max_num_queries):
    rows = [Row(n, Person({"external_id": f"c{n}"}, {}, {("marketing", ""): "granted"})) for n in range(100)]
    used = []
    with connection.execute_wrapper(lambda run, sql, *rest: (used.append(sql), run(sql, *rest))[1]):
        load(rows, now)
    assert not [sql for sql in used if "INSERT INTO contacts " in sql]
    assert Contact.objects.count() == ConsentRecord.objects.count() == 100


@pytest.mark.django_db
@pytest.mark.parametrize("existing", [UPDATE, SKIP])
def test_of_a_file_of_new_people_only_some_names_are_asked_for(now, existing):
    done, values = asked(newcomers(*range(1000)), now, prepared=True, existing=existing)
    assert done.created == Contact.objects.count() == 1000
    assert 0 < len(values) <= 2 * 2 * bulk.ASKED_FOR


@pytest.mark.django_db
def test_somebody_known_of_whom_was_not_asked_is_met_by_the_unique_key(now, monkeypatch):
    monkeypatch.setattr(bulk, "ASKED_FOR", 1)  # the first
    resolved, resolve = [], bulk.upsert

    def upsert(people, **rest):
        resolved[:] = [person.fields["external_id"] for person in people]
        return resolve(people, **rest)

    monkeypatch.setattr(bulk, "upsert", upsert)
    load(newcomers(70), now)
    done, values = asked(newcomers(*range(100)), now, prepared=True)
    assert (done.created, done.unchanged, done.repeated) == (99, 1, 0)
    assert len(values) == 2 + 200
    assert resolved == ["c70"], "the others were copied all the same"
    done = load(newcomers(*range(99, 200)), now, prepared=True, existing=SKIP)
    assert (done.created, done.unchanged) == (100, 1)
    assert Contact.objects.count() == 200


@pytest.mark.django_db
def test_somebody_known_who_stands_in_the_file_twice_is_left_alone_beside_new_people(now):
    load([Row(2, Person({"email": "a@example.com"}))], now)
    twice = [Row(n, Person({"email": "A@example.com"}, {"plan": "new"})) for n in (1000, 1001)]
    done = load([*newcomers(*range(100)), *twice], now, prepared=True, existing=SKIP)
    assert (done.created, done.unchanged, done.updated) == (100, 2, 0)
    assert Contact.objects.get(email="a@example.com").attributes == {}


@pytest.mark.django_db
def test_where_somebody_known_is_found_by_asking_nothing_is_tried(now):
    load(newcomers(0), now)
    failed = []

    def listen(run, sql, *rest):
        if sql.startswith("ROLLBACK TO SAVEPOINT"):
            failed.append(sql)
        return run(sql, *rest)

    with connection.execute_wrapper(listen):
        assert load(newcomers(*range(100)), now, prepared=True).created == 99
    assert not failed


@pytest.mark.django_db
def test_whoever_came_in_the_future_comes_now_and_others_when_the_file_says(now):
    days = [timedelta(days=1), timedelta(0), timedelta(days=-1)]
    people = [Person({"external_id": f"c{n}"}, created_at=now + days[n % 3] if n % 4 else None) for n in range(48)]
    load([Row(n, person) for n, person in enumerate(people)], now, prepared=True)
    for n in range(48):
        expected = now - timedelta(days=1) if n % 4 and n % 3 == 2 else now
        assert Contact.objects.get(external_id=f"c{n}").created_at == expected


@pytest.mark.django_db
def test_public_ids_are_random_uuids(now):
    load(newcomers(*range(300)), now, prepared=True)
    ids = list(Contact.objects.values_list("public_id", flat=True))
    assert {(each.version, each.variant) for each in ids} == {(4, RFC_4122)}
    assert len({each.hex[:8] for each in ids}) == len({each.hex[-8:] for each in ids}) == 300
    assert len({each.hex[16] for each in ids}) == 4


def test_cells_are_escaped_for_postgresql():
    people = [Person({"external_id": "1", "locale": "a\\b"}), Person({"external_id": "2", "locale": "c\td\ne\rf\\N"})]
    lines = copying.prepare([Row(n, person) for n, person in enumerate(people)]).contacts
    first, second = lines.completed(["10", "20"], [copying.end("x\ty", "z"), copying.end("")]).decode().splitlines()
    assert first.split("\t")[0] == "10" and second.split("\t")[0] == "20"
    assert "\ta\\\\b\t" in first and first.endswith("\tx\\ty\tz")
    assert "\tc\\td\\ne\\rf\\\\N\t" in second and second.endswith("\t")


def test_a_line_with_half_a_character_is_never_taken_for_two():
    with pytest.raises(ValueError, match="half a character"):
        copying.prepare([Row(n, Person({"external_id": "a"}, {"x": "a\ud800b"})) for n in range(2)][:1])


@pytest.mark.parametrize(
    ("names", "known", "fresh"),
    [
        ([["a"], ["b"], ["c"]], [], [0, 1, 2]),
        ([["a"], ["b", "a"], ["c"]], [], [2]),
        ([["a", "a"], ["b"]], [], [0, 1]),
        ([["a", "x"], ["b", "x"], ["c", "b"], ["d"]], [], [3]),
        ([["a"], ["b", "c"], ["d"]], ["c", "z"], [0, 2]),
        ([["a"], ["a"], ["b"]], ["b"], []),
    ],
)
def test_only_those_are_copied_who_share_no_name(names, known, fresh):
    rest = [number for number in range(len(names)) if number not in fresh]
    named = [[("email", value) for value in each] for each in names]
    assert copying.divide(named, {("email", value) for value in known}) == (fresh, rest)


@pytest.mark.django_db
def test_a_row_that_postgresql_refuses_takes_no_other_along(now):
    rows = [Row(n, Person({"external_id": f"c{n}"}, {"plan": "a\x00b" if n == 40 else "x"})) for n in range(100)]
    for prepared in (True, False):
        done = load(rows, now, prepared=prepared)
        assert (done.created, [row.line for row in done.refused]) == (99 if prepared else 0, [40])


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
        copies = copying.prepare(rows)
        return transactions.run(
            lambda now: bulk.store(rows, options=Options(), source="import", now=now, copies=copies)
        )

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
