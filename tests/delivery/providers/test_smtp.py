"""A real mail server on loopback, and one that misbehaves: what arrives is well-formed, and it is always known whether
the server has it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from delivery.providers import base, named
from tests.delivery.providers.certificates import localhost
from tests.delivery.providers.conftest import deliver, letter
from tests.delivery.providers.reading import read
from tests.delivery.providers.smtp_script import HANG_UP, RESET, Say, Script

pytestmark = pytest.mark.django_db


class Inbox:
    """What the server took: (recipient, bytes as they came, options of MAIL)."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, bytes, list[str]]] = []
        self.sessions: set[int] = set()

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        assert isinstance(envelope.original_content, bytes)
        self.mails.append((envelope.rcpt_tos[0], envelope.original_content, envelope.mail_options))
        self.sessions.add(id(session))
        return "250 taken"


@pytest.fixture
def serve(settings) -> Iterator[Callable[..., Inbox]]:
    controllers: list[Controller] = []

    def serve(**how: Any) -> Inbox:
        inbox = Inbox()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        controller = Controller(inbox, hostname="127.0.0.1", port=port, **how)
        controller.start()
        controllers.append(controller)
        settings.SMTP_PORT = str(port)
        return inbox

    settings.SMTP_HOST, settings.SMTP_SECURITY = "127.0.0.1", "none"
    yield serve
    for controller in controllers:
        controller.stop()


@pytest.fixture
def script(settings) -> Iterator[Callable[..., Script]]:
    scripts: list[Script] = []

    def script(**steps: Any) -> Script:
        scripts.append(Script(**steps))
        settings.SMTP_PORT = str(scripts[-1].port)
        return scripts[-1]

    settings.SMTP_HOST, settings.SMTP_SECURITY, settings.ESP_TIMEOUT_SECONDS = "127.0.0.1", "none", 0.5
    yield script
    for each in scripts:
        each.stop()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"from_name": "Grüße; Söhne, GmbH", "subject": "Ihr Gutschein 🎁"},
        {"subject": "שלום עולם", "html": "<p dir='rtl'>مرحبا بالعالم</p>", "text": "مرحبا بالعالم"},
        {"subject": "🎉" * 60},
        {"subject": "A very long subject that goes on " * 30},
        {"to_address": "ada@bücher.example"},
        {"text": ".\n..\n.leading dots\n.", "html": ""},
        {"html": "<p>" + "x" * 20_000 + "</p>"},
        {"from_name": "Eve\r\nBcc: eve@example.net", "subject": "Two\r\nlines"},
        {"message_class": "transactional", "headers": {}},
    ],
)
def test_what_arrives_is_well_formed_and_says_what_was_meant(serve, changes):
    inbox = serve()
    sent = letter(**changes)
    answer = deliver(named("smtp"), sent)
    assert (answer.kind, answer.code) == (base.ACCEPTED, 250)
    ((recipient, data, _),) = inbox.mails
    mail = read(data)
    assert data.isascii()
    assert recipient == str(mail["To"]) == sent.to_address.replace("bücher", "xn--bcher-kva")
    assert str(mail["Subject"]).split() == sent.subject.split()
    assert "Bcc" not in mail
    plain = mail.get_body(("plain",))
    assert plain is not None and plain.get_content().splitlines() == sent.text.splitlines()
    if sent.headers:
        assert str(mail["List-Unsubscribe"]) == "<https://mail.example/u/x>"


def test_an_address_that_needs_it_goes_where_smtputf8_is_spoken(serve):
    inbox = serve(enable_SMTPUTF8=True)
    assert deliver(named("smtp"), letter(to_address="jürgen@example.com")).kind == base.ACCEPTED
    ((recipient, data, options),) = inbox.mails
    assert recipient == "jürgen@example.com" and "SMTPUTF8" in options
    assert "To: jürgen@example.com" in data.decode()


def test_and_nowhere_else(serve):
    inbox = serve(enable_SMTPUTF8=False)
    answer = deliver(named("smtp"), letter(to_address="jürgen@example.com"))
    assert (answer.kind, answer.reason) == (base.REJECTED, "smtputf8_not_supported")
    assert inbox.mails == []


def test_a_batch_shares_a_few_connections(serve, settings):
    settings.SMTP_CONNECTIONS = "3"
    inbox = serve()
    letters = [letter(mid=f"{n:08}-0000-4000-8000-000000000000", to_address=f"p{n}@example.com") for n in range(40)]
    answers = named("smtp").deliver(iter(letters), start_before=time.monotonic() + 10)
    assert {answer.kind for answer in answers.values()} == {base.ACCEPTED} and len(answers) == 40
    assert len(inbox.mails) == 40 and len({data for _, data, _ in inbox.mails}) == 40


def _login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"carillon", b"right"), handled=False)


@pytest.mark.parametrize(
    ("password", "kind", "reason"), [("right", base.ACCEPTED, ""), ("wrong", base.STOP, "unauthorized")]
)
def test_a_login_goes_over_tls_and_a_wrong_one_stops_the_provider(serve, settings, tmp_path, password, kind, reason):
    context, settings.SMTP_CA_FILE = localhost(tmp_path)
    inbox = serve(tls_context=context, require_starttls=True, authenticator=_login, auth_required=True)
    settings.SMTP_HOST, settings.SMTP_SECURITY = "localhost", "starttls"
    settings.SMTP_USER, settings.SMTP_PASSWORD = "carillon", password
    answer = deliver(named("smtp"))
    assert (answer.kind, answer.reason) == (kind, reason)
    assert len(inbox.mails) == (kind == base.ACCEPTED)


def test_tls_from_the_first_byte_on(serve, settings, tmp_path):
    context, settings.SMTP_CA_FILE = localhost(tmp_path)
    inbox = serve(ssl_context=context)
    settings.SMTP_HOST, settings.SMTP_SECURITY = "localhost", "tls"
    assert deliver(named("smtp")).kind == base.ACCEPTED
    assert len(inbox.mails) == 1


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_server_that_is_not_who_it_says_gets_nothing(serve, settings, tmp_path, security):
    context, _ = localhost(tmp_path)
    inbox = serve(**({"ssl_context": context} if security == "tls" else {"tls_context": context}))
    settings.SMTP_HOST, settings.SMTP_SECURITY = "localhost", security
    answer = deliver(named("smtp"))
    assert (answer.kind, answer.reason) == (base.RETRY, "no_connection")
    assert inbox.mails == []


def test_where_tls_is_asked_for_nothing_goes_without_it(serve, settings):
    inbox = serve()
    settings.SMTP_SECURITY = "starttls"
    answer = deliver(named("smtp"))
    assert (answer.kind, answer.reason) == (base.STOP, "not_supported")
    assert inbox.mails == []


def test_a_setting_that_makes_no_sense_stops_the_provider(settings):
    settings.SMTP_HOST, settings.SMTP_SECURITY = "127.0.0.1", "ssl"
    assert (deliver(named("smtp")).kind, deliver(named("smtp")).reason) == (base.STOP, "misconfigured")


@pytest.mark.parametrize(
    ("steps", "kind", "reason", "has_it"),
    [
        ({"greeting": "421 too busy"}, base.RETRY, "refused_for_now", 0),
        ({"greeting": "554 not you"}, base.STOP, "refused_connection", 0),
        ({"greeting": HANG_UP}, base.RETRY, "no_connection", 0),
        ({"greeting": Say("220 slow", wait=1.0)}, base.RETRY, "no_connection", 0),
        ({"mail": "451 later"}, base.RETRY, "refused_for_now", 0),
        ({"mail": "530 log in first"}, base.STOP, "unauthorized", 0),
        ({"mail": "550 not your domain"}, base.STOP, "refused_sender", 0),
        ({"mail": "552 too large"}, base.REJECTED, "refused", 0),
        ({"mail": RESET}, base.RETRY, "no_connection", 0),
        ({"rcpt": "450 mailbox busy"}, base.RETRY, "refused_for_now", 0),
        ({"rcpt": "550 5.1.1 no such user"}, base.REJECTED, "refused_recipient", 0),
        ({"rcpt": "550 5.7.1 Relaying denied"}, base.STOP, "relay_denied", 0),
        ({"rcpt": "554 5.7.1 <a@example.com>: Relay access denied"}, base.STOP, "relay_denied", 0),
        ({"rcpt": "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"}, base.STOP, "relay_denied", 0),
        ({"rcpt": "553 we do not relay"}, base.STOP, "relay_denied", 0),
        ({"rcpt": "550 5.7.1 mailbox closed"}, base.REJECTED, "refused_recipient", 0),
        ({"rcpt": "550 5.1.1 no such user at relay.example"}, base.REJECTED, "refused_recipient", 0),
        ({"rcpt": "550 5.7.1 undeliverable: mx said: 554 Relay denied"}, base.REJECTED, "refused_recipient", 0),
        ({"rcpt": "454 4.7.1 Relay access denied"}, base.RETRY, "refused_for_now", 0),
        ({"data": "454 Throttling failure: Maximum sending rate exceeded."}, base.RETRY, "rate_limited", 0),
        ({"dot": "454 Throttling failure: Daily message quota exceeded."}, base.RETRY, "over_quota", 1),
        ({"dot": "452 4.2.2 the recipient is over quota"}, base.RETRY, "refused_for_now", 1),
        ({"rcpt": HANG_UP}, base.RETRY, "no_connection", 0),
        ({"data": "451 later"}, base.RETRY, "refused_for_now", 0),
        ({"data": "554 no"}, base.REJECTED, "refused", 0),
        ({"data": RESET}, base.RETRY, "no_connection", 0),
        ({"data": "what"}, base.RETRY, "no_connection", 0),
        ({"dot": "250 2.0.0 ok"}, base.ACCEPTED, "", 1),
        ({"dot": "451 4.3.0 later"}, base.RETRY, "refused_for_now", 1),
        ({"dot": "421 4.3.0 closing"}, base.RETRY, "refused_for_now", 1),
        ({"dot": "554 5.7.1 spam"}, base.REJECTED, "refused", 1),
        ({"dot": "535 not any more"}, base.STOP, "unauthorized", 1),
        ({"dot": HANG_UP}, base.IN_DOUBT, "no_answer", 1),
        ({"dot": RESET}, base.IN_DOUBT, "no_answer", 1),
        ({"dot": "gibberish"}, base.IN_DOUBT, "unknown_answer", 1),
        ({"dot": "199 what"}, base.IN_DOUBT, "unknown_answer", 1),
        ({"dot": Say("250 slow", wait=1.0)}, base.IN_DOUBT, "no_answer", 1),
    ],
)
def test_every_step_knows_where_it_stands(script, steps, kind, reason, has_it):
    server = script(**steps)
    answer = deliver(named("smtp"))
    assert (answer.kind, answer.reason) == (kind, reason), answer
    assert len(server.mails) == has_it
    if answer.kind == base.IN_DOUBT:
        assert has_it  # and nothing that the server cannot have is a doubt


def test_a_connection_that_breaks_within_the_mail_is_no_doubt(script):
    """The lone dot was never sent, so there is no mail."""
    server = script(body=RESET)
    answer = deliver(named("smtp"), letter(html="<p>" + "x" * 3_000_000 + "</p>"))
    assert (answer.kind, answer.reason) == (base.RETRY, "no_connection")
    assert server.mails == []


def test_a_server_that_hangs_up_between_two_mails_is_called_again(script, settings):
    settings.SMTP_CONNECTIONS = "1"
    server = script(hangs_up_after=1)
    letters = [letter(mid=f"{n:08}-0000-4000-8000-000000000000") for n in range(3)]
    answers = named("smtp").deliver(letters, start_before=time.monotonic() + 5)
    assert {answer.kind for answer in answers.values()} == {base.ACCEPTED}
    assert (server.connections, len(server.mails)) == (3, 3)


def test_one_refused_recipient_does_not_harm_the_next(script, settings):
    settings.SMTP_CONNECTIONS = "1"
    server = script(rcpt=Say("550 no such user", times=1))
    letters = [letter(mid=f"{n:08}-0000-4000-8000-000000000000") for n in range(2)]
    answers = named("smtp").deliver(letters, start_before=time.monotonic() + 5)
    assert [answers[each.mid].kind for each in letters] == [base.REJECTED, base.ACCEPTED]
    assert server.connections == 1 and "rset" in [line.lower() for line in server.heard]


def test_nothing_is_said_of_a_mail_whose_lease_is_over(script):
    server = script()
    assert deliver(named("smtp"), seconds=-0.1).kind == base.NOT_STARTED
    assert server.connections == 0


def test_the_clock_is_looked_at_again_right_before_the_mail(script):
    """The connection and the greetings took the rest of the lease."""
    server = script(ehlo=Say("250 mail.example", wait=0.3))
    assert deliver(named("smtp"), seconds=0.2).kind in (base.NOT_STARTED, base.RETRY)
    assert not any(line.upper().startswith("MAIL") for line in server.heard)
    slow = script(rcpt=Say("250 ok", wait=0.3))
    assert deliver(named("smtp"), seconds=0.2).kind == base.NOT_STARTED
    assert "DATA" not in [line.upper() for line in slow.heard] and slow.mails == []


def test_a_letter_that_can_be_no_mail_is_refused_alone(script):
    server = script()
    bad = letter(mid="00000001-0000-4000-8000-000000000000", headers={"X-Note": "a\r\nBcc: eve@example.net"})
    answers = named("smtp").deliver([bad, letter()], start_before=time.monotonic() + 5)
    assert [answers[bad.mid].kind, answers[letter().mid].kind] == [base.REJECTED, base.ACCEPTED]
    assert len(server.mails) == 1
