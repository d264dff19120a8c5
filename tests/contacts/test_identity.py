"""Who is meant by what a producer says, alone and when several say it at once."""

from __future__ import annotations

import json
import threading

import pytest
from django.conf import settings
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from contacts import clock, identity
from contacts.identifiers import Identifiers, canonical, canonical_email, is_email
from contacts.identity import Known, settle
from contacts.models import Contact, ContactChange, ContactIdentity
from tests.contacts.conftest import together

SHARED = settings.BASE_DIR.parent / "shared"


def resolve(*people: Identifiers, now) -> list[int | None]:
    with transaction.atomic():
        return identity.resolve(people, source="event", now=now).contact_ids


def known_names() -> dict[tuple[str, str], int]:
    return {(row.kind, row.value): row.contact_id for row in ContactIdentity.objects.all()}


# -- canonical forms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        (" ada@example.com\n", "ada@example.com"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@ｅｘａｍｐｌｅ.com", "ada@example.com"),
        ("Jose\u0301@example.com", "josé@example.com"),
        ("ΑΔΑ@example.com", "αδα@example.com"),
    ],
)
def test_spellings_of_one_address_have_one_key(one, other):
    assert canonical_email(one) == canonical_email(other)


@pytest.mark.parametrize(
    ("one", "other"), [("a.b@example.com", "ab@example.com"), ("a+x@example.com", "a@example.com")]
)
def test_different_mailboxes_have_different_keys(one, other):
    assert canonical_email(one) != canonical_email(other)


@given(st.text())
def test_canonical_forms_never_raise_and_are_final(text):
    for kind in ("external_id", "email", "anonymous_id", "phone"):
        assert canonical(kind, canonical(kind, text)) == canonical(kind, text)


@given(st.emails())
def test_upper_case_makes_no_difference_to_an_address(address):
    assert canonical_email(address.upper()) == canonical_email(address)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared vectors are not here")
def test_addresses_are_judged_as_the_collected_vectors_say():
    cases = json.loads((SHARED / "vectors/email_addresses/isemail.json").read_text())["cases"]
    assert len(cases) > 100
    for case in cases:
        if case["expect"] != "either_documented":
            assert is_email(case["address"]) == (case["expect"] == "accept_syntax"), case


def test_an_invisible_joiner_is_taken_only_where_the_script_needs_it():
    assert is_email("कृष्\u200dण@example.com")
    assert not is_email("ad\u200da@example.com")


# -- the rules, alone --------------------------------------------------------------------------------------------------

ADA = ("external_id", "ada")
MAIL = ("email", "ada@example.com")
DEVICE = ("anonymous_id", "device")


def test_the_most_decisive_known_identifier_wins_and_the_rest_is_a_conflict():
    settled = settle(
        [[ADA, MAIL, DEVICE]],
        {
            ADA: Known(1, frozenset({"external_id"})),
            MAIL: Known(2, frozenset({"email"})),
            DEVICE: Known(3, frozenset()),
        },
    )
    assert settled.contacts == [1]
    assert settled.conflicts == {(1, MAIL): 2, (1, DEVICE): 3}
    assert settled.attached == {}


def test_a_contact_with_another_external_id_is_somebody_else():
    settled = settle([[ADA, MAIL]], {MAIL: Known(2, frozenset({"email", "external_id"}))})
    assert settled.contacts == [-1]
    assert settled.attached == {ADA: -1}
    assert settled.conflicts == {(-1, MAIL): 2}


def test_people_of_one_batch_are_settled_one_after_the_other():
    settled = settle([[DEVICE], [MAIL, DEVICE], [ADA, MAIL], [ADA], [("external_id", "bob"), DEVICE]], {})
    assert settled.contacts == [-1, -1, -1, -1, -5]
    assert settled.conflicts == {(-5, DEVICE): -1}


# -- with the database -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_unknown_identifier_creates_the_contact_and_shows_it_as_it_was_written(now):
    (ada,) = resolve(Identifiers("ada", "Ada@Example.com", "device"), now=now)
    contact = Contact.objects.get()
    assert (contact.id, contact.external_id, contact.email) == (ada, "ada", "Ada@Example.com")
    assert (contact.created_at, contact.updated_at) == (now, now)
    assert known_names() == {ADA: ada, MAIL: ada, DEVICE: ada}
    assert not ContactChange.objects.exists()


@pytest.mark.django_db
def test_the_same_person_in_any_spelling_is_the_same_contact(now):
    ids = resolve(Identifiers(email="ada@example.com"), Identifiers(email=" ADA@example.COM "), now=now)
    assert len({*ids, *resolve(Identifiers(email="Ada@Example.com"), now=now)}) == 1


@pytest.mark.django_db
def test_what_is_missing_is_attached_to_the_known_contact(now):
    (ada,) = resolve(Identifiers(anonymous_id="device"), now=now)
    assert resolve(Identifiers(email="Ada@example.com", anonymous_id="device"), now=now) == [ada]
    assert resolve(Identifiers("ada", "ada@example.com"), now=now) == [ada]
    contact = Contact.objects.get()
    assert (contact.external_id, contact.email) == ("ada", "Ada@example.com")
    assert known_names() == {ADA: ada, MAIL: ada, DEVICE: ada}
    changes = ContactChange.objects.order_by("id").values_list("kind", "name", "new")
    assert list(changes) == [("identity", "email", "ada@example.com"), ("identity", "external_id", "ada")]


@pytest.mark.django_db
def test_a_second_address_is_attached_and_does_not_replace_the_first(now):
    (ada,) = resolve(Identifiers("ada", "ada@example.com"), now=now)
    assert resolve(Identifiers("ada", "work@example.com"), now=now) == [ada]
    assert resolve(Identifiers(email="work@example.com"), now=now) == [ada]
    assert Contact.objects.get().email == "ada@example.com"


@pytest.mark.django_db
def test_a_conflict_is_recorded_once_and_merges_nobody(now):
    ada, bob = resolve(Identifiers("ada"), Identifiers(email="bob@example.com"), now=now)
    for _ in range(2):
        assert (
            resolve(Identifiers("ada", "bob@example.com"), Identifiers("ada", "bob@example.com"), now=now) == [ada] * 2
        )
    assert resolve(Identifiers(email="bob@example.com"), now=now) == [bob]
    conflict = ContactChange.objects.get()
    assert (conflict.contact_id, conflict.kind, conflict.name) == (ada, "identity_conflict", "email")
    assert (conflict.old, conflict.new) == (bob, "bob@example.com")
    assert set(Contact.objects.values_list("merged_into", flat=True)) == {None}


@pytest.mark.django_db
def test_two_people_on_one_device_stay_two(now):
    ada, bob = resolve(Identifiers("ada", anonymous_id="sofa"), Identifiers("bob", anonymous_id="sofa"), now=now)
    assert ada != bob
    assert resolve(Identifiers(anonymous_id="sofa"), now=now) == [ada]


@pytest.mark.django_db
def test_a_merged_contact_is_followed(now):
    (old,) = resolve(Identifiers("old"), now=now)
    living = Contact.objects.create()
    Contact.objects.filter(id=old).update(merged_into=living)
    assert resolve(Identifiers("old", "ada@example.com"), now=now) == [living.id]
    living.refresh_from_db()
    assert living.email == "ada@example.com"


@pytest.mark.django_db
def test_a_ring_of_merged_contacts_ends_in_an_error_and_not_in_a_loop(now):
    one, two = resolve(Identifiers("one"), Identifiers("two"), now=now)
    Contact.objects.filter(id=one).update(merged_into=two)
    Contact.objects.filter(id=two).update(merged_into=one)
    with pytest.raises(RuntimeError):
        resolve(Identifiers("one"), now=now)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("person", "code"),
    [
        (Identifiers(), "missing"),
        (Identifiers(external_id="  "), "missing"),
        (Identifiers(email="ada"), "email"),
        (Identifiers(external_id="x" * 256), "too_long"),
        (Identifiers(external_id="a\nb"), "control_character"),
        (Identifiers(anonymous_id="a\x00b"), "control_character"),
    ],
)
def test_a_bad_identifier_is_a_fault_and_hurts_nobody_else(now, person, code):
    with transaction.atomic():
        resolution = identity.resolve([person, Identifiers("ada")], source="event", now=now)
    assert [fault.code for fault in resolution.faults[0]] == [code]
    assert resolution.contact_ids[0] is None
    assert resolution.contact_ids[1] in resolution.created


# -- races -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_threads_creating_the_same_people_create_them_once():
    now = clock.now()
    people = [Identifiers(f"c{n}", f"c{n}@example.com") for n in range(200)]
    one, other = together(
        lambda: resolve(*people, now=now),
        lambda: list(reversed(resolve(*reversed(people), now=now))),
    )
    assert one == other
    assert Contact.objects.count() == 200
    assert ContactIdentity.objects.count() == 400
    assert set(ContactIdentity.objects.values_list("contact_id", flat=True)) == set(one)


@pytest.mark.django_db(transaction=True)
def test_the_slower_transaction_takes_the_contact_that_the_faster_one_made():
    """The first has inserted the address and not committed; the second knows the same person by two identifiers, of
    which it inserts one itself before it has to wait for the other."""
    now = clock.now()
    inserted, waiting = threading.Event(), threading.Event()

    def fast():
        with transaction.atomic():
            ids = identity.resolve([Identifiers(email="ada@example.com")], source="event", now=now).contact_ids
            inserted.set()
            wait_for_a_blocked_backend()
            waiting.set()
        return ids

    def slow():
        inserted.wait(10)
        return resolve(Identifiers(email="ada@example.com", anonymous_id="device"), now=now)

    one, other = together(fast, slow)
    assert waiting.is_set()
    assert one == other
    assert set(known_names().values()) == set(one)
    assert Contact.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_external_ids_at_once_for_one_address_become_two_people():
    """The address belongs to a contact without an external id; each transaction brings another one."""
    now = clock.now()
    (ada,) = resolve(Identifiers(email="ada@example.com"), now=now)
    held = threading.Event()

    def first():
        with transaction.atomic():
            ids = identity.resolve([Identifiers("one", "ada@example.com")], source="event", now=now).contact_ids
            held.set()
            wait_for_a_blocked_backend()
        return ids

    def second():
        held.wait(10)
        return resolve(Identifiers("two", "ada@example.com"), now=now)

    (one,), (two,) = together(first, second)
    assert one == ada
    assert two != ada
    assert known_names()["external_id", "two"] == two
    assert ContactChange.objects.get(kind="identity_conflict").contact_id == two


def wait_for_a_blocked_backend() -> None:
    """Until somebody in this database waits for a lock of this transaction."""
    for _ in range(1000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01), pg_stat_clear_snapshot()")
    raise AssertionError("nobody came to wait")
