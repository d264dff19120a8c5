"""One connection to a mail server, and where it stands: the standard library speaks the protocol, step by step, so that
it is always known whether the server can have the mail.

It has it once the line with the lone dot was answered with 250. Until that line begins to leave, it has nothing:
whatever fails before is a refusal or nothing at all. Between the two lies the doubt."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from django.conf import settings

from contacts import chaos
from delivery import starts
from delivery.providers.base import ACCEPTED, IN_DOUBT, NOT_STARTED, REJECTED, RETRY, STOP, Answer

NEEDS_LOGIN = frozenset({530, 534, 535, 538})
OF_THE_MESSAGE = frozenset({500, 501, 502, 503, 504, 552, 555})  # to MAIL FROM: not about who we are
# To RCPT TO: the server takes no mail from us for others. What another server said to it is about the address.
RELAY_DENIED = re.compile(
    r"(?:5\.7\.\d+\s)?(?!5\.\d)(?!.*\bsaid:).*\brelay(?:ing)?\b(?!\.\w)", re.IGNORECASE | re.DOTALL
)
# What Amazon SES says of our account. Other servers' refusals for now may be about a mailbox.
THROTTLED = {
    "Throttling failure: Daily message quota exceeded": "over_quota",
    "Throttling failure": "rate_limited",
}
LATE = Answer(NOT_STARTED, "lease_over")


@dataclass(frozen=True)
class Server:
    """`security`: starttls · tls · none."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    security: str
    ca_file: str
    connections: int


@dataclass(frozen=True)
class Mail:
    """`data`: the mail with CRLF at the end of each line, ASCII unless an address in it is not."""

    mid: str
    sender: str
    recipient: str
    data: bytes = field(repr=False)


class _Refused(Exception):
    """The server said no, at a step before it could have the mail."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Conversation:
    """Letters one after another over one connection, which is made when it is first needed and again once it broke."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.line: smtplib.SMTP | None = None

    def send(self, mail: Mail, *, start_before: float) -> Answer:
        """Nothing of the mail leaves after `start_before` (time.monotonic()). Does not raise."""
        for is_new in (self.line is None, True):  # a server may hang up between two letters: that is no failure
            try:
                line = self.line = self.line or self._open(start_before)
                self._announce(line, mail, start_before)
                self._transmit(line, mail)
            except _Refused as refused:
                self._clear()
                return refused.answer
            except (smtplib.SMTPException, OSError, ValueError) as error:
                self.end()
                if is_new:
                    return Answer(RETRY, "no_connection", said=type(error).__name__)
            else:
                return self._end_of_mail(line, mail)
        raise AssertionError("a new connection ends it")

    def end(self) -> None:
        """Hang up."""
        if self.line is not None:
            with suppress(smtplib.SMTPException, OSError, ValueError):
                if self.line.sock is not None:
                    self.line.sock.settimeout(1.0)
                    self.line.quit()
            with suppress(OSError):
                self.line.close()
            self.line = None

    def _open(self, start_before: float) -> smtplib.SMTP:
        server = self.server
        context = ssl.create_default_context(cafile=server.ca_file or None)
        make = partial(smtplib.SMTP_SSL, context=context) if server.security == "tls" else smtplib.SMTP
        line: smtplib.SMTP = make(local_hostname=_own_name(), timeout=_patience(start_before))
        try:
            line._host = server.host  # type: ignore[attr-defined]  # what the certificate is compared with
            _expect(line.connect(server.host, server.port), at="greeting")
            line.ehlo_or_helo_if_needed()
            if server.security == "starttls":
                _expect(line.starttls(context=context), at="starttls")
                line.ehlo()
            if server.user:
                _login(line, server)
            assert line.sock is not None
            line.sock.settimeout(settings.ESP_TIMEOUT_SECONDS)
        except smtplib.SMTPNotSupportedError as error:  # no TLS, no login: what we ask for, and nothing less
            line.close()
            raise _Refused(Answer(STOP, "not_supported", said=str(error))) from error
        except BaseException:
            line.close()
            raise
        return line

    def _announce(self, line: smtplib.SMTP, mail: Mail, start_before: float) -> None:
        """MAIL FROM and RCPT TO."""
        options = [f"SIZE={len(mail.data)}"] if line.has_extn("size") else []
        if not (mail.sender.isascii() and mail.recipient.isascii()):
            if not line.has_extn("smtputf8"):
                raise _Refused(Answer(REJECTED, "smtputf8_not_supported"))
            line.command_encoding = "utf-8"
            options += ["BODY=8BITMIME", "SMTPUTF8"]
        else:
            line.command_encoding = "ascii"
        if _is_late(start_before):
            raise _Refused(LATE)
        _expect(line.mail(mail.sender, options), at="sender")
        _expect(line.rcpt(mail.recipient), at="recipient")
        if _is_late(start_before):
            raise _Refused(LATE)

    @staticmethod
    def _transmit(line: smtplib.SMTP, mail: Mail) -> None:
        """DATA and the mail, without the lone dot that ends it."""
        _expect(line.docmd("DATA"), at="data")
        stuffed = mail.data.replace(b"\r\n.", b"\r\n..")
        line.send(b"." + stuffed if stuffed.startswith(b".") else stuffed)

    def _end_of_mail(self, line: smtplib.SMTP, mail: Mail) -> Answer:
        try:
            starts.start(mail.mid)
        except starts.Unwritable:
            line.close()  # without the dot there is no mail
            self.line = None
            return Answer(NOT_STARTED, "no_journal")
        try:
            line.send(b".\r\n")
            code, words = line.getreply()
        except (smtplib.SMTPException, OSError, ValueError) as error:
            self.end()
            return Answer(IN_DOUBT, "no_answer", said=type(error).__name__)
        said = words.decode("utf-8", "replace")
        if 200 <= code < 300:
            starts.accept(mail.mid, code)
            return Answer(ACCEPTED, code=code, said=said)
        if code == 421:
            self.end()
        if 400 <= code < 500:
            return _later(code, said)
        if 500 <= code < 600:
            return (
                Answer(STOP, "unauthorized", code, said)
                if code in NEEDS_LOGIN
                else Answer(REJECTED, "refused", code, said)
            )
        self.end()
        return Answer(IN_DOUBT, "unknown_answer", code, said)

    def _clear(self) -> None:
        """Ready for the next letter; a server that no longer answers is left."""
        if self.line is None:
            return
        try:
            if self.line.rset()[0] != 250:
                self.end()
        except (smtplib.SMTPException, OSError, ValueError):
            self.end()


def _later(code: int, said: str) -> Answer:
    reason = next((reason for words, reason in THROTTLED.items() if words in said), "refused_for_now")
    return Answer(RETRY, reason, code, said)


def _is_late(start_before: float) -> bool:
    return time.monotonic() > start_before and not chaos.mutant("no_lease_check")


def _patience(start_before: float) -> float:
    """A connection that stands only once the lease is over would not be used."""
    return min(max(start_before - time.monotonic(), 0.05), settings.ESP_TIMEOUT_SECONDS)


def _login(line: smtplib.SMTP, server: Server) -> None:
    try:
        line.login(server.user, server.password)
    except smtplib.SMTPAuthenticationError as error:
        words = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        kind = (RETRY, "refused_for_now") if 400 <= error.smtp_code < 500 else (STOP, "unauthorized")
        raise _Refused(Answer(*kind, error.smtp_code, words)) from error


def _own_name() -> str:
    """What we call ourselves; without asking anybody, which may take seconds."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _expect(reply: tuple[int, bytes], *, at: str) -> None:
    """Raises _Refused unless the server said yes. Who is turned away at the door, or as a sender, is turned away with
    every mail: that is about us."""
    code, words = reply
    if 200 <= code < 400:
        return
    said = words.decode("utf-8", "replace")
    if code == -1:
        raise smtplib.SMTPServerDisconnected(said)
    if 400 <= code < 500:
        raise _Refused(_later(code, said))
    if at == "recipient" and RELAY_DENIED.match(said):
        raise _Refused(Answer(STOP, "relay_denied", code, said))
    if code in NEEDS_LOGIN:
        raise _Refused(Answer(STOP, "unauthorized", code, said))
    if at in ("greeting", "starttls") or (at == "sender" and code not in OF_THE_MESSAGE):
        raise _Refused(Answer(STOP, "refused_sender" if at == "sender" else "refused_connection", code, said))
    raise _Refused(Answer(REJECTED, "refused_recipient" if at == "recipient" else "refused", code, said))
