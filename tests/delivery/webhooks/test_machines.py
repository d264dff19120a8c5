"""Who opened and clicked: a corpus of people and machines, and how many of each are taken for the other.

The corpus is made up, after what mail programs, proxies and scanners are known to send; its shares are not those of any
real audience. What cannot be told (a scanner in a real browser that takes its time) is in it, too."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from delivery.webhooks import machines
from delivery.webhooks.machines import Hit

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{} Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/{}"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/{} Mobile/15E148 Safari/604.1"
)
OUTLOOK = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; Microsoft Outlook 16.0.17726)"
APPLE_MAIL = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.1"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"

# who, the hit, seconds after the claim
PEOPLE: list[tuple[str, Hit, float]] = [
    ("a browser", Hit(CHROME.format("126.0.0.0"), True, has_sec_fetch=True), 60),
    ("another browser", Hit(FIREFOX.format("128.0"), True, has_sec_fetch=True), 45),
    ("a phone", Hit(SAFARI.format("17.5"), True, has_sec_fetch=True), 30),
    ("an old browser", Hit(CHROME.format("70.0.3538.77"), True, has_sec_fetch=False), 90),
    ("an old phone", Hit(SAFARI.format("14.1"), True, has_sec_fetch=False), 90),
    ("a browser over http", Hit(CHROME.format("126.0.0.0"), True, has_sec_fetch=None), 90),
    ("a fast reader", Hit(CHROME.format("126.0.0.0"), True, has_sec_fetch=True), 4),
    ("a browser of which a provider tells", Hit(CHROME.format("126.0.0.0"), True, reported=False), 20),
    ("Outlook", Hit(OUTLOOK), 60),
    ("Apple Mail without its proxy", Hit(APPLE_MAIL), 60),
    ("Thunderbird", Hit(THUNDERBIRD), 60),
    ("Gmail, for somebody who opens", Hit(GMAIL), 60),
    ("Yahoo, for somebody who opens", Hit(YAHOO), 60),
    ("somebody who says nothing", Hit(""), 60),
    ("an open that a provider vouches for", Hit("Mozilla/5.0", reported=False), 60),
]
MACHINES: list[tuple[str, Hit, float]] = [
    ("Apple's Mail Privacy Protection", Hit("Mozilla/5.0"), 3),
    ("what a provider knows as a machine", Hit(CHROME.format("126.0.0.0"), reported=True), 5),
    ("SafeLinks", Hit("Mozilla/5.0 (compatible; Microsoft SafeLinks)", True), 4),
    ("Office looking whether a page is there", Hit("Microsoft Office Existence Discovery", True), 30),
    ("Barracuda", Hit("Mozilla/5.0 (compatible; BarracudaCentral; +http://barracuda.com)", True), 5),
    ("Proofpoint", Hit("Mozilla/5.0 (compatible; Proofpoint URL Defense)", True), 5),
    ("Mimecast", Hit("Mozilla/5.0 (compatible; Mimecast URL Scanner/1.0)", True), 6),
    ("Google's crawler", Hit("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True), 600),
    ("a preview in a chat", Hit("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", True), 600),
    ("another preview", Hit("facebookexternalhit/1.1", True), 600),
    ("a headless browser", Hit(CHROME.format("126.0.0.0").replace("Chrome", "HeadlessChrome"), True), 8),
    ("a script", Hit("python-requests/2.32.3", True), 20),
    ("another script", Hit("curl/8.5.0", True), 20),
    ("a program of a gateway", Hit("Apache-HttpClient/5.2 (Java/17)", True), 20),
    ("a look at the head", Hit(CHROME.format("126.0.0.0"), True, method="HEAD"), 20),
    ("a browser fetching ahead", Hit(CHROME.format("126.0.0.0"), True, purpose="prefetch;prerender"), 60),
    ("an old browser fetching ahead", Hit(FIREFOX.format("60.0"), True, purpose="prefetch"), 60),
    ("who follows what nobody sees", Hit(CHROME.format("126.0.0.0"), True, has_sec_fetch=True, is_canary=True), 40),
    ("a scanner in a borrowed name", Hit(CHROME.format("126.0.0.0"), True, has_sec_fetch=False), 20),
    ("a scanner in the shortest name", Hit("Mozilla/5.0", True), 20),
    ("a scanner at the gate", Hit(CHROME.format("126.0.0.0"), True, has_sec_fetch=True), 0.8),
]
NOT_TOLD = [  # a machine that does all that people do; it is taken for one
    ("a scanner in a real browser that takes its time", Hit(CHROME.format("126.0.0.0"), True, has_sec_fetch=True), 9),
]


def is_machine(hit: Hit, seconds: float) -> bool:
    return machines.machine(hit) is not None or (hit.is_link and machines.too_soon(seconds) is not None)


@pytest.mark.parametrize(("who", "hit", "seconds"), PEOPLE, ids=lambda each: each if isinstance(each, str) else "")
def test_a_person_is_no_machine(who, hit, seconds):
    assert not is_machine(hit, seconds), machines.machine(hit)


@pytest.mark.parametrize(("who", "hit", "seconds"), MACHINES, ids=lambda each: each if isinstance(each, str) else "")
def test_a_machine_is_one_and_says_why(who, hit, seconds):
    found = machines.machine(hit) or machines.too_soon(seconds)
    assert found is not None and found.sign and found.evidence
    assert len(found.detail["evidence"]) <= 200


def test_the_confusion_of_a_corpus_is_small_and_known(capsys):
    """3,000 hits: people in any of their guises, machines in any of theirs, and some of the one that cannot be told."""
    dice = random.Random(3)
    counts: Counter[tuple[str, str]] = Counter()
    for number in range(3000):
        truth, kinds = ("person", PEOPLE) if number % 3 else ("machine", MACHINES)
        if number % 60 == 0:
            kinds = NOT_TOLD
        _, hit, seconds = dice.choice(kinds)
        if truth == "person":
            seconds += dice.random() * 3600
        counts[truth, "machine" if is_machine(hit, seconds) else "person"] += 1
    table = "\n".join(f"{truth:8} taken for a {told:8} {n:5}" for (truth, told), n in sorted(counts.items()))
    with capsys.disabled():
        print(f"\n{table}")
    assert counts["person", "machine"] == 0
    assert counts["machine", "machine"] == 950 and counts["machine", "person"] == 50


def test_every_sign_is_seen_in_the_corpus():
    seen = {(machines.machine(hit) or machines.too_soon(seconds)).sign for _, hit, seconds in MACHINES}
    known = {value for name, value in vars(machines).items() if name.isupper() and isinstance(value, str)}
    assert seen == known - {"Mozilla/5.0"}


@pytest.mark.parametrize(("seconds", "is_one"), [(-1, False), (0, True), (1.99, True), (2, False), (None, False)])
def test_nobody_reads_within_two_seconds(seconds, is_one):
    assert (machines.too_soon(seconds) is not None) is is_one


def test_the_strongest_sign_is_named():
    everything = Hit(
        "curl/8", True, reported=True, method="HEAD", purpose="prefetch", has_sec_fetch=False, is_canary=True
    )
    signs = []
    for change in ({}, {"reported": None}, {"is_canary": False}, {"method": "GET"}, {"purpose": ""}):
        everything = replace(everything, **change)
        found = machines.machine(everything)
        signs.append(found.sign if found else "")
    assert signs == ["reported", "canary", "method", "prefetch", "program"]
