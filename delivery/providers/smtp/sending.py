"""A batch of letters over a few connections, each in a thread that keeps its connection for the next letter."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import datetime
from queue import SimpleQueue

from contacts import chaos, clock, outside
from delivery.providers import letters, mime
from delivery.providers.base import IN_DOUBT, NOT_STARTED, REJECTED, STOP, Answer, Letter, Provider, setting
from delivery.providers.letters import Unsendable
from delivery.providers.smtp.conversation import Conversation, Mail, Server

LATE = Answer(NOT_STARTED, "lease_over")


class SMTP(Provider):
    name = "smtp"
    marks_starts = True

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        outside.check_open()
        now = clock.now()
        answers: dict[str, Answer] = {}
        work: SimpleQueue[Mail | None] = SimpleQueue()
        threads: list[threading.Thread] = []
        try:
            server = _server()
        except ValueError as error:
            return {letter.mid: Answer(STOP, "misconfigured", said=str(error)) for letter in letters}
        try:
            for letter in letters:
                try:
                    mail = _mail(letter, now)
                except Unsendable as error:
                    answers[letter.mid] = Answer(REJECTED, "invalid_message", said=str(error))
                    continue
                work.put(mail)
                if len(threads) < server.connections:
                    threads.append(
                        threading.Thread(target=_work_off, args=(server, work, answers, start_before), daemon=True)
                    )
                    threads[-1].start()
        finally:  # whatever befalls us: nobody waits for a letter that never comes
            for _ in threads:
                work.put(None)
        for thread in threads:
            thread.join()
        return answers


def _mail(letter: Letter, now: datetime) -> Mail:
    checked = letters.checked(letter)
    return Mail(checked.mid, checked.from_address, checked.to_address, mime.message(checked, now=now))


def _work_off(server: Server, work: SimpleQueue[Mail | None], answers: dict[str, Answer], start_before: float) -> None:
    conversation = Conversation(server)
    try:
        while (mail := work.get()) is not None:
            if time.monotonic() > start_before and not chaos.mutant("no_lease_check"):
                answers[mail.mid] = LATE
            else:
                answers[mail.mid] = Answer(IN_DOUBT, "no_answer")  # whatever may befall this thread
                answers[mail.mid] = conversation.send(mail, start_before=start_before)
    finally:
        conversation.end()


def _one_of(value: str, *known: str) -> str:
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(known)}")
    return value


def _server() -> Server:
    return Server(
        host=setting("SMTP_HOST"),
        port=int(setting("SMTP_PORT", "587")),
        user=setting("SMTP_USER"),
        password=setting("SMTP_PASSWORD"),
        security=_one_of(setting("SMTP_SECURITY", "starttls"), "starttls", "tls", "none"),
        ca_file=setting("SMTP_CA_FILE"),
        connections=int(setting("SMTP_CONNECTIONS", "10")),
    )
