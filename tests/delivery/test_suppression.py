"""Addresses that are not written to, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts import clock
from delivery import addresses, suppression
from delivery.models import Address, Suppression
from tests.delivery import making

pytestmark = pytest.mark.django_db


def suppress(address: str, *, scope: str = "email", reason: str = "unsubscribe", source: str = "page") -> None:
    suppression.suppress(channel="email", address=address, scope=scope, reason=reason, source=source, now=clock.now())


@pytest.mark.parametrize(
    ("suppressed", "written"),
    [
        ("ada@example.com", "ADA@Example.COM"),
        ("ÅSA@example.com", "åsa@example.com"),
        ("a\u030asa@example.com", "\u00e5sa@example.com"),  # composed and not
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@bücher.example"),
        ("straße@example.com", "STRASSE@example.com"),
    ],
)
def test_every_spelling_of_an_address_is_the_same_address(suppressed, written):
    suppress(suppressed)
    message = making.message(making.contact(written).pk)
    making.deliver()
    assert making.state(message) == "suppressed:unsubscribe"


def test_another_address_is_another_address():
    suppress("ada@example.com")
    message = making.message(making.contact("ada+news@example.com").pk)
    making.deliver()
    assert making.state(message) == "accepted"


local_parts = st.text("abcdefgXYZ0189.+-_åÅéßñΣς", min_size=1, max_size=12)


@given(
    local=local_parts, domain=st.sampled_from(["example.com", "EXAMPLE.com", "bücher.example", "xn--bcher-kva.example"])
)
def test_the_key_of_an_address_ignores_case_and_is_told_by_nobody(local, domain):
    address = f"{local}@{domain}"
    assert addresses.key("email", address.upper()) == addresses.key("email", address.upper().lower())
    assert len(addresses.key("email", address)) == 32


def test_suppressing_twice_is_once_and_the_first_stands():
    suppress("ada@example.com", source="page")
    suppress("Ada@example.com", source="api")
    (row,) = Suppression.objects.all()
    assert (row.scope, row.reason, row.source) == ("email", "unsubscribe", "page")
    assert Address.objects.count() == 1


def test_a_released_address_is_written_to_again_and_its_history_stays():
    suppress("ada@example.com")
    suppress("ada@example.com", scope="all", reason="manual")
    assert suppression.release(channel="email", address="ADA@example.com", scope="all", by="eve", now=clock.now()) == 1
    assert Suppression.objects.filter(released_at=None).count() == 1
    assert suppression.release(channel="email", address="ada@example.com", by="eve", now=clock.now()) == 1
    message = making.message(making.contact("ada@example.com").pk)
    making.deliver()
    assert making.state(message) == "accepted"
    assert set(Suppression.objects.values_list("released_by", flat=True)) == {"eve"}
    suppress("ada@example.com")
    assert Suppression.objects.filter(released_at=None).count() == 1


def test_the_row_of_an_address_holds_a_hash_that_outlives_what_was_typed():
    suppress("ada@example.com")
    Address.objects.update(shown="")
    message = making.message(making.contact("ada@example.com").pk)
    making.deliver()
    assert making.state(message) == "suppressed:unsubscribe"
