"""Where requests may go: the public internet, and what the settings name."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.outgoing import targets
from delivery.outgoing.targets import BadTarget

PRIVATE = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1",
    "ff02::1", "2001:db8::1", "100::1", "2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1", "2001:0:4136:e378:8000:63bf:f5ff:fffe", "fd00:ec2::254",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "64:ff9b::101:101"]


@pytest.fixture(autouse=True)
def _nobody_is_trusted(settings):
    settings.WEBHOOK_ALLOWED_HOSTS = []


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_of_the_public_internet_are_refused(address):
    with pytest.raises(BadTarget) as refused:
        targets.vetted("example.com", [address])
    assert refused.value.code == "private_address"
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(BadTarget):
        targets.check(f"https://{host}/")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_let_through(address):
    assert targets.vetted("example.com", [address]) == [address]


def test_one_private_address_among_public_ones_spoils_them_all():
    with pytest.raises(BadTarget):
        targets.vetted("example.com", ["1.1.1.1", "10.0.0.1"])


@pytest.mark.parametrize("url", ["https://example.com/", "https://example.com:8443/a?b=c#d", "https://EXAMPLE.com./"])
def test_ordinary_urls_are_fine(url):
    assert targets.check(url).host == "example.com"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com/", "not_https"),
        ("https://example.com:22/", "bad_port"),
        ("https://example.com:99999/", "bad_url"),
        ("https://localhost/", "private_address"),
        ("https://db.internal/", "private_address"),
        ("https://printer.local/", "private_address"),
        ("https://a:b@example.com/", "bad_url"),
        ("https://example.com\\@10.0.0.1/", "bad_url"),
        ("https:///etc/passwd", "bad_url"),
        ("file:///etc/passwd", "bad_url"),
        ("gopher://example.com/", "bad_url"),
        ("https://exa mple.com/", "bad_url"),
        ("https://example.com/\r\nHost: x", "bad_url"),
        ("https://[::1", "bad_url"),
        ("", "bad_url"),
        ("https://example.com/" + "a" * 3000, "bad_url"),
    ],
)
def test_other_urls_are_refused_by_their_words(url, code):
    with pytest.raises(BadTarget) as refused:
        targets.check(url)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("crm.internal", "http://crm.internal:8080/"),
        ("127.0.0.1", "http://127.0.0.1:5000/"),
        ("10.1.0.0/16", "http://10.1.2.3:5000/"),
        ("::1", "http://[::1]:5000/"),
    ],
)
def test_what_the_settings_name_may_be_asked(settings, allowed, url):
    settings.WEBHOOK_ALLOWED_HOSTS = [allowed]
    assert targets.check(url)


def test_a_trusted_network_lets_names_lead_into_it_and_no_further(settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["10.1.0.0/16"]
    assert targets.vetted("crm.example.com", ["10.1.2.3"])
    with pytest.raises(BadTarget):
        targets.vetted("crm.example.com", ["10.2.2.3"])


def test_another_host_is_not_trusted_because_its_name_ends_like_a_trusted_one(settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["crm.example.com"]
    with pytest.raises(BadTarget):
        targets.vetted("evil-crm.example.com", ["10.0.0.1"])


@given(st.text(max_size=60))
def test_no_text_does_anything_but_pass_or_be_refused(text):
    for url in (text, f"https://{text}", f"https://example.com/{text}"):
        with suppress(BadTarget):
            targets.check(url)


@given(st.ip_addresses(v=4))
def test_an_ipv6_address_that_stands_for_an_ipv4_address_is_judged_as_that_one(address):
    import ipaddress

    for prefix in ("::ffff:", "64:ff9b::"):
        assert targets.is_public(ipaddress.ip_address(f"{prefix}{address}")) == targets.is_public(address)
