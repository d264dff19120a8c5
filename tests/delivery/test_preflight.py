"""Pre-flight: what the DNS says of a sending domain, whatever it says, and what that means."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import dns.exception
import dns.resolver
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from contacts import clock
from delivery import providers
from delivery.models import PostTally, SendingDomain
from delivery.preflight import checking, checks, dkim, dmarc, spf, verdicts
from delivery.preflight import dns as asking
from delivery.preflight.dns import Answer
from delivery.preflight.verdicts import Check
from tests.delivery import making

DOMAIN = "news.shop.example"


class Zone:
    """A DNS of our own. A record that is an Answer is given as it is."""

    def __init__(self, **records: object) -> None:
        self.records: dict[tuple[str, str], object] = {}
        self.asked: list[tuple[str, str]] = []
        for name, value in records.items():
            self.add(DOMAIN, name, value)

    def add(self, name: str, kind: str, value: object) -> Zone:
        self.records[name, kind] = value
        return self

    def ask(self, name: str, kind: str) -> Answer:
        self.asked.append((name, kind))
        found = self.records.get((name, kind))
        if isinstance(found, Answer):
            return found
        return Answer("found", tuple(found)) if found else Answer("none")


def rsa_key(bits: int) -> str:
    public = rsa.generate_private_key(65537, bits).public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def ed25519_key() -> str:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    return base64.b64encode(public.public_bytes_raw()).decode()


def dkim_record(key: str, kind: str = "rsa") -> list[str]:
    return [f"v=DKIM1; k={kind}; p={key}"]


# -- SPF -------------------------------------------------------------------------------------------------------------


def spf_of(zone: Zone) -> Check:
    return checks.of_spf(DOMAIN, spf.read(DOMAIN, zone))


@pytest.mark.parametrize(
    ("records", "verdict", "said"),
    [
        ([], "bad", "There is no SPF record"),
        (["google-site-verification=x"], "bad", "There is no SPF record"),
        (["v=spf10 -all"], "bad", "There is no SPF record"),
        (["v=spf1 ip4:192.0.2.0/24 -all"], "good", "It takes 0 of 10 look-ups and ends with fail"),
        (["V=SPF1 a mx ~all"], "good", "It takes 2 of 10 look-ups and ends with softfail"),
        (["v=spf1 mx"], "warn", "does not say what becomes of everybody else"),
        (["v=spf1 mx ?all"], "warn", "does not say what becomes of everybody else"),
        (["v=spf1 +all"], "bad", "lets everybody send"),
        (["v=spf1 all"], "bad", "lets everybody send"),
        (["v=spf1 -all", "v=spf1 ~all"], "bad", "there are 2 SPF records"),
        (["v=spf1 ipv4:192.0.2.1 -all"], "bad", "receivers do not know 'ipv4:192.0.2.1'"),
        (["v=spf1 include:missing.example -all"], "bad", "include of missing.example leads to no SPF record"),
        (["v=spf1 exists:%{i}.list.example include:%{d}.esp.example -all"], "good", "It takes 2 of 10"),
        (["v=spf1 -all include:behind.example"], "good", "It takes 0 of 10"),
    ],
)
def test_an_spf_record_is_read_as_receivers_do(records, verdict, said):
    check = spf_of(Zone(TXT=records))
    assert (check.verdict, said in check.said) == (verdict, True), check.said


def test_look_ups_are_counted_through_everything_that_is_included():
    zone = Zone(TXT=["v=spf1 include:a.example include:b.example mx -all"])
    zone.add("a.example", "TXT", ["v=spf1 include:c.example a a:x.example ~all"])
    zone.add("b.example", "TXT", ["v=spf1 a mx exists:y.example ptr ~all"])
    zone.add("c.example", "TXT", ["v=spf1 ip4:192.0.2.0/24 ~all"])
    found = spf.read(DOMAIN, zone)
    assert (found.lookups, found.includes, found.all) == (10, ["a.example", "c.example", "b.example"], "fail")
    assert spf_of(zone).verdict == "good"
    zone.add("c.example", "TXT", ["v=spf1 a ~all"])
    assert "it takes 11 look-ups" in spf_of(zone).said


def test_a_redirect_says_what_becomes_of_everybody_else():
    zone = Zone(TXT=["v=spf1 redirect=all.example"]).add("all.example", "TXT", ["v=spf1 mx -all"])
    found = spf.read(DOMAIN, zone)
    assert (found.lookups, found.all, found.faults) == (2, "fail", [])


@pytest.mark.parametrize("way", ["include:{0}", "redirect={0}", "include:loop.example"])
def test_records_that_point_at_each_other_come_to_an_end(way):
    zone = Zone(TXT=[f"v=spf1 {way.format(DOMAIN)} -all"])
    zone.add("loop.example", "TXT", [f"v=spf1 include:{DOMAIN} include:loop.example -all"])
    check = spf_of(zone)
    assert check.verdict in {"bad", "good"}
    assert len(zone.asked) < 10


def test_a_wide_tree_of_includes_is_not_walked_to_its_last_leaf():
    zone = Zone(TXT=["v=spf1 " + " ".join(f"include:n{n}.example" for n in range(5000)) + " -all"])
    for n in range(5000):
        zone.add(
            f"n{n}.example", "TXT", ["v=spf1 " + " ".join(f"include:m{n}-{m}.example" for m in range(50)) + " -all"]
        )
    check = spf_of(zone)
    assert check.verdict == "bad"
    assert len(zone.asked) < 120


def test_a_deep_chain_of_includes_ends():
    zone = Zone(TXT=["v=spf1 include:d0.example -all"])
    for n in range(1000):
        zone.add(f"d{n}.example", "TXT", [f"v=spf1 include:d{n + 1}.example -all"])
    assert "more than 24 look-ups" in spf_of(zone).said


@pytest.mark.parametrize("kind", ["timeout", "failed"])
def test_what_the_dns_does_not_answer_is_not_known(kind):
    silent = Zone(TXT=Answer(kind))
    assert spf_of(silent).verdict == "unknown"
    half = Zone(TXT=["v=spf1 include:a.example -all"]).add("a.example", "TXT", Answer(kind))
    assert spf_of(half).verdict == "unknown"
    assert checks.of_dkim(
        dkim.read(DOMAIN, ["s1"], Zone().add(f"s1._domainkey.{DOMAIN}", "TXT", Answer(kind)))
    ).verdict == ("unknown")
    assert checks.of_dmarc(
        DOMAIN, dmarc.read(DOMAIN, Zone().add(f"_dmarc.{DOMAIN}", "TXT", Answer(kind))), []
    ).verdict == ("unknown")
    assert checks.of_mx(DOMAIN, Zone(MX=Answer(kind))).verdict == "unknown"


def test_a_record_that_does_not_name_the_provider_could_be_better(monkeypatch):
    sandbox = replace(providers.entries()["sandbox"], spf_include="esp.example")
    monkeypatch.setattr(providers, "entries", lambda: {"sandbox": sandbox})
    check = spf_of(Zone(TXT=["v=spf1 mx -all"]))
    assert (check.verdict, "does not name esp.example" in check.said) == ("warn", True)
    zone = Zone(TXT=["v=spf1 include:ESP.example. -all"]).add("esp.example", "TXT", ["v=spf1 -all"])
    assert spf_of(zone).verdict == "good"


# -- DKIM ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        (dkim_record(rsa_key(2048)), "good"),
        (dkim_record(rsa_key(1024)), "warn"),
        (dkim_record(ed25519_key(), "ed25519"), "good"),
        (["v=DKIM1; p="], "bad"),
        (["v=DKIM1; k=rsa; p=not base 64"], "bad"),
        (["v=DKIM1; k=rsa; p=AAAA"], "bad"),
        (["v=DKIM1; k=ed25519; p=AAAA"], "bad"),
        (["v=DKIM1; k=unheard; p=" + rsa_key(1024)], "bad"),
        (["v=DKIM2; p=" + rsa_key(1024)], "bad"),
        (["a wildcard of another kind"], "bad"),
        (["v=DKIM1; p=" + "A" * 8000], "bad"),
        ([], "bad"),
    ],
    ids=["rsa 2048", "rsa 1024", "ed25519", "empty", "no base64", "short rsa", "short ed25519", "unheard", "version 2",
         "wildcard", "long", "none"],
)  # fmt: skip
def test_a_key_is_read_whole(record, verdict):
    zone = Zone().add(f"s1._domainkey.{DOMAIN}", "TXT", record)
    assert checks.of_dkim(dkim.read(DOMAIN, ["s1"], zone)).verdict == verdict


def test_one_good_key_is_enough_and_the_others_are_told():
    zone = Zone().add(f"s2._domainkey.{DOMAIN}", "TXT", dkim_record(rsa_key(2048)))
    check = checks.of_dkim(dkim.read(DOMAIN, ["s1", "s2"], zone))
    assert (check.verdict, check.found) == ("good", "s1: none; s2: RSA, 2048 bits")


def test_without_a_selector_nothing_is_known(settings):
    settings.DKIM_SELECTORS = []
    assert checks.selectors() == ()
    assert checks.of_dkim([]).verdict == "unknown"
    settings.DKIM_SELECTORS = ["a", "b", "a"]
    assert checks.selectors() == ("a", "b")


# -- DMARC -----------------------------------------------------------------------------------------------------------

SIGNED = [dkim.Key("s1", "found", "rsa", 2048)]


@pytest.mark.parametrize(
    ("at", "record", "verdict", "said"),
    [
        (DOMAIN, ["v=DMARC1; p=reject; rua=mailto:a@b.example"], "good", "The policy is reject."),
        ("shop.example", ["v=DMARC1; p=none; sp=quarantine; rua=mailto:a@b.example"], "good", "quarantine, by the"),
        (DOMAIN, ["v=DMARC1; p=none; rua=mailto:a@b.example"], "warn", "Forged mail is let through"),
        (DOMAIN, ["v=DMARC1; p=reject"], "warn", "Nobody gets the reports"),
        (DOMAIN, ["v=DMARC1; p=maybe"], "bad", "cannot read"),
        (DOMAIN, ["v=DMARC1; p=none", "v=DMARC1; p=reject"], "bad", "more than one"),
        (DOMAIN, ["v=spf1 -all"], "bad", "There is no DMARC record"),
        ("example", ["v=DMARC1; p=reject"], "bad", "There is no DMARC record"),
    ],
)  # fmt: skip
def test_a_policy_is_that_of_the_domain_or_of_one_above_it(at, record, verdict, said):
    zone = Zone().add(f"_dmarc.{at}", "TXT", record)
    check = checks.of_dmarc(DOMAIN, dmarc.read(DOMAIN, zone), SIGNED)
    assert (check.verdict, said in check.said) == (verdict, True), check.said


def test_a_policy_without_a_key_proves_nothing():
    zone = Zone().add(f"_dmarc.{DOMAIN}", "TXT", ["v=DMARC1; p=reject; rua=mailto:a@b.example"])
    assert checks.of_dmarc(DOMAIN, dmarc.read(DOMAIN, zone), []).verdict == "warn"


def test_a_long_name_is_not_climbed_for_ever():
    zone = Zone()
    assert dmarc.read(".".join(["a"] * 120), zone).state == "none"
    assert len(zone.asked) == dmarc.MOST_STEPS


# -- MX --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "verdict"),
    [(["10 mx.shop.example"], "good"), ([], "warn"), (["0 ."], "bad"), (["0 .", "5 a.b"], "good")],
)
def test_a_domain_that_takes_no_mail_is_told(records, verdict):
    assert checks.of_mx(DOMAIN, Zone(MX=records)).verdict == verdict


# -- whatever the DNS says -------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=300), max_size=4))
def test_no_record_breaks_the_checks(texts):
    zone = Zone(TXT=texts, MX=texts).add(f"s1._domainkey.{DOMAIN}", "TXT", texts)
    zone.add(f"_dmarc.{DOMAIN}", "TXT", [f"v=DMARC1;{text}" for text in texts])
    zone.add("x.example", "TXT", [f"v=spf1 {text}" for text in texts])
    zone.add(DOMAIN, "TXT", [*texts, "v=spf1 include:x.example " + " ".join(texts)])
    keys = dkim.read(DOMAIN, ["s1"], zone)
    found = [
        checks.of_spf(DOMAIN, spf.read(DOMAIN, zone)),
        checks.of_dkim(keys),
        checks.of_dmarc(DOMAIN, dmarc.read(DOMAIN, zone), keys),
        checks.of_mx(DOMAIN, zone),
    ]
    assert {check.verdict for check in found} <= set(verdicts.ORDER)


class _Record:
    strings = (b"v=spf1 ", b"\xff\x00 -all")


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (dns.resolver.NXDOMAIN(), "none"),
        (dns.resolver.NoAnswer(), "none"),
        (dns.exception.Timeout(), "timeout"),
        (dns.resolver.NoNameservers(), "failed"),
        (OSError("no route"), "failed"),
    ],
)
def test_every_failure_of_the_dns_is_an_answer(monkeypatch, raised, kind):
    def resolve(*args: object, **kwargs: object) -> None:
        raise raised

    monkeypatch.setattr(dns.resolver.Resolver, "resolve", resolve)
    assert asking.Dns().ask("a.example", "TXT") == Answer(kind)


@pytest.mark.parametrize("name", ["a..b", "a" * 64 + ".example", "\x00", "ü" * 300, "." * 5, "\ud800.example"])
def test_a_name_that_is_none_fails_and_does_not_raise(name):
    assert asking.Dns().ask(name, "TXT").kind in {"failed", "none", "timeout"}


def test_records_are_joined_bounded_and_asked_for_once(monkeypatch):
    times = []

    def resolve(*args: object, **kwargs: object) -> list[object]:
        times.append(kwargs["lifetime"])
        return [_Record()] * 1000

    monkeypatch.setattr(dns.resolver.Resolver, "resolve", resolve)
    resolver = asking.Dns()
    answer = resolver.ask("a.example", "TXT")
    assert (len(answer.records), answer.records[0]) == (asking.MOST_RECORDS, "v=spf1 \ufffd -all")
    assert resolver.ask("A.example", "TXT") is answer
    assert len(times) == 1
    assert times[0] <= asking.ASK_SECONDS


def test_after_its_time_nothing_is_asked_any_more(monkeypatch):
    monkeypatch.setattr(asking, "ALL_SECONDS", 0.0)
    assert asking.Dns().ask("a.example", "TXT") == Answer("timeout")


# -- this installation's own part, and the keeping of it all ---------------------------------------------------------


def found(domain: str = DOMAIN, zone: Zone | None = None) -> dict[str, Check]:
    return {check.name: check for check in checks.run(domain, resolver=zone or Zone(), now=clock.now())}


@pytest.mark.django_db
def test_settings_that_mail_needs_are_checked(settings):
    settings.EMAIL_FROM, settings.PUBLIC_URL, settings.POSTAL_ADDRESS = f"a@{DOMAIN}", "http://x.example", " "
    making.message()
    making.deliver()
    told = found()
    assert {told[name].verdict for name in ("one_click", "postal_address", "public_url")} == {"bad"}
    settings.PUBLIC_URL, settings.POSTAL_ADDRESS = "https://x.example", "1 Bell Lane"
    told = found()
    assert {told[name].verdict for name in ("one_click", "postal_address", "public_url")} == {"good"}
    assert list(told) == list(verdicts.TITLES)


@pytest.mark.django_db
@pytest.mark.parametrize(("complained", "verdict"), [(0, "good"), (1, "warn"), (3, "bad")])
def test_complaints_are_held_against_the_limits_of_the_mailboxes(complained, verdict):
    now = clock.now()
    for what, n, days in (("delivered", 1000, 0), ("complained", complained, 0), ("complained", 500, 9)):
        PostTally.objects.create(
            day=(now - timedelta(days=days)).date(), channel="email", sending=DOMAIN, message_class="marketing",
            what=what, n=n,
        )  # fmt: skip
    assert found()["complaints"].verdict == verdict


@pytest.mark.django_db
def test_the_domains_in_use_are_checked_by_themselves_and_again_after_a_day(settings):
    settings.EMAIL_FROM, settings.EMAIL_FROM_TRANSACTIONAL = f"a@{DOMAIN}", "a@mail.shop.example"
    zone = Zone(MX=["10 mx.shop.example"])
    assert making.run(lambda: checking.check_batch(zone)) == 2
    row = SendingDomain.objects.get(pk=DOMAIN)
    assert verdicts.worst(verdicts.stored(row.checks)) == "bad"
    assert row.checks["mx"] == {
        "verdict": "good", "said": "The domain takes mail.", "fix": "", "found": "10 mx.shop.example",
    }  # fmt: skip
    assert checking.check_batch(zone) is False
    SendingDomain.objects.filter(pk=DOMAIN).update(checked_at=clock.now() - timedelta(hours=25))
    assert making.run(lambda: checking.check_batch(zone)) == 1
    assert checking.ask_for(DOMAIN) is True
    assert SendingDomain.objects.get(pk=DOMAIN).checks["mx"]["verdict"] == "good"
    assert making.run(lambda: checking.check_batch(zone)) == 1
    assert checking.ask_for("nobody.example") is False


@pytest.mark.django_db
def test_a_fault_of_ours_is_told_and_not_repeated_for_ever(monkeypatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(checks, "run", fail)
    assert making.run(lambda: checking.check_batch(Zone())) == 1
    assert verdicts.worst(verdicts.stored(SendingDomain.objects.get().checks)) == "unknown"


@pytest.mark.parametrize("stored", [None, [], "x", {"spf": None}, {"spf": {"verdict": 3}}, {"unheard": {}}])
def test_whatever_was_stored_is_read(stored):
    assert all(isinstance(check.verdict, str) for check in verdicts.stored(stored))


@pytest.mark.django_db
def test_the_command_says_what_to_mend_and_fails_for_what_is_bad(capsys, monkeypatch, settings):
    settings.EMAIL_FROM = settings.EMAIL_FROM_TRANSACTIONAL = f"a@{DOMAIN}"
    monkeypatch.setattr("delivery.management.commands.preflight.Dns", Zone)
    with pytest.raises(SystemExit):
        call_command("preflight")
    said = capsys.readouterr().out
    assert f"{DOMAIN}\n  FAIL  SPF: There is no SPF record." in said
    assert f"Publish one TXT record at {DOMAIN}" in said
