"""Requests to other people's servers: to the address that was looked at, bounded, and nowhere else."""

from __future__ import annotations

import pytest

from delivery.outgoing import calls
from delivery.outgoing.calls import READ_AT_MOST, Answered, Request, Unanswered
from tests.receiver import receiving


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1", "shop.test"]
    settings.WEBHOOK_TIMEOUT_SECONDS = 3.0
    with receiving() as found:
        yield found


def ask(url: str, **changes) -> Answered | Unanswered:
    return calls.start(Request("POST", url, **changes)).result()


def answers_with(monkeypatch, *rounds: str) -> list[str]:
    """A resolver that answers with these, one after the other."""
    asked: list[str] = []

    async def look_up(host: str, port: int):
        asked.append(host)
        return [(rounds[min(len(asked), len(rounds)) - 1], 2)]

    monkeypatch.setattr(calls, "look_up", look_up)
    return asked


def test_a_request_goes_out_as_it_was_given(receiver):
    receiver.answers(201, {"ok": True}, X_Said="yes")
    answer = ask(f"{receiver.url}/a?b=%2F", headers={"X-Key": "1"}, body=b"{}")
    assert isinstance(answer, Answered)
    assert (answer.status, answer.body, answer.is_whole) == (201, b'{"ok": true}', True)
    assert answer.headers["x-said"] == "yes"
    (got,) = receiver.got
    assert (got.path, got.body, got.headers["x-key"], got.headers["user-agent"]) == ("/a?b=%2F", b"{}", "1", "Carillon")


def test_a_name_is_looked_up_once_and_its_address_is_the_one_that_is_connected_to(receiver, monkeypatch):
    """The rebinding attack: a name that answers with a good address first and another one later."""
    asked = answers_with(monkeypatch, "127.0.0.1", "10.255.255.1")
    answer = ask(f"http://shop.test:{receiver.port}/")
    assert isinstance(answer, Answered)
    assert asked == ["shop.test"]
    assert receiver.got[0].headers["host"] == f"shop.test:{receiver.port}"


def test_a_public_name_with_a_private_address_is_never_connected_to(receiver, settings, monkeypatch):
    settings.WEBHOOK_ALLOWED_HOSTS = []
    answers_with(monkeypatch, "127.0.0.1")
    assert ask("https://shop.test/") == Unanswered("private_address", refused=True)
    assert receiver.got == []


def test_an_address_that_is_private_is_not_connected_to_either(receiver, settings):
    settings.WEBHOOK_ALLOWED_HOSTS = []
    for url in ("https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/meta-data"):
        assert ask(url) == Unanswered("private_address", refused=True)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
def test_other_spellings_of_an_address_find_no_way_in(settings, host):
    settings.WEBHOOK_ALLOWED_HOSTS = []
    assert ask(f"https://{host}/") == Unanswered("bad_url", refused=True)


def test_redirects_are_answers_and_are_not_followed(receiver):
    receiver.answers(302, None, Location=f"{receiver.url}/elsewhere")
    answer = ask(receiver.url)
    assert isinstance(answer, Answered) and answer.status == 302
    assert len(receiver.got) == 1


def test_no_proxy_of_the_environment_is_used(receiver, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert isinstance(ask(receiver.url), Answered)


def test_of_a_large_answer_only_the_beginning_is_read(receiver):
    receiver.answers(200, b"x" * (READ_AT_MOST * 20))
    answer = ask(receiver.url)
    assert isinstance(answer, Answered)
    assert (len(answer.body), answer.is_whole) == (READ_AT_MOST, False)


def test_a_server_that_takes_too_long_has_not_answered(receiver, settings):
    import threading

    settings.WEBHOOK_TIMEOUT_SECONDS = 0.2
    go_on = threading.Event()
    receiver.answer = lambda _: (go_on.wait(5), (200, {}, b""))[1]
    try:
        assert ask(receiver.url) == Unanswered("timeout")
    finally:
        go_on.set()


def test_a_server_that_is_not_there_has_not_answered(receiver):
    assert ask("http://127.0.0.1:9/") == Unanswered("no_connection")


def test_a_name_that_nobody_has_has_no_address(settings, monkeypatch):
    async def look_up(host: str, port: int):
        raise OSError("no such name")

    monkeypatch.setattr(calls, "look_up", look_up)
    assert ask("https://nobody.example/") == Unanswered("unknown_host")
