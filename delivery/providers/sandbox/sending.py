"""The sandbox: mail goes into a table, to be read in the browser, and people who are not there react to it.

See `sandbox_people` for what they do."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction

from contacts import chaos, clock
from delivery import starts
from delivery.models import SandboxMail
from delivery.providers.base import ACCEPTED, AUTO_SUBMITTED, IN_DOUBT, NOT_STARTED, Answer, Letter, Provider
from delivery.providers.sandbox import people as sandbox_people


class Sandbox(Provider):
    name = "sandbox"
    is_throttled = False
    marks_starts = True
    does_track = True  # its people say so when they open and click
    channels = frozenset({"email", "sms", "push"})

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        taken = list(letters)
        if time.monotonic() > start_before and not chaos.mutant("no_lease_check"):
            return {letter.mid: Answer(NOT_STARTED, "lease_over") for letter in taken}
        try:
            for letter in taken:
                starts.start(letter.mid)
        except starts.Unwritable:
            return {letter.mid: Answer(NOT_STARTED, "no_journal") for letter in taken}
        try:
            with transaction.atomic():
                now = clock.now()
                SandboxMail.objects.bulk_create(_received(letter, now) for letter in taken)
        except DatabaseError as error:  # the connection may have broken after the commit
            return {letter.mid: Answer(IN_DOUBT, "no_answer", said=type(error).__name__) for letter in taken}
        return {letter.mid: Answer(ACCEPTED, code=202) for letter in taken}


def _received(letter: Letter, now: datetime) -> SandboxMail:
    # the people react to mail, and those who work here have a mailbox that bounces nothing
    does_react = letter.channel == "email" and AUTO_SUBMITTED not in letter.headers
    return SandboxMail(
        mid=letter.mid,
        to_address=letter.to_address,
        subject=letter.subject,
        html=letter.html,
        text=letter.text,
        headers=_headers(letter),
        attachments=[asdict(each) for each in letter.attachments],
        received_at=now,
        reacts_at=now + timedelta(seconds=sandbox_people.FIRST.after) if does_react else None,
        reaction=sandbox_people.FIRST.name if does_react else "",
    )


def _headers(letter: Letter) -> dict[str, str]:
    if letter.channel != "email":
        return {"Channel": letter.channel}
    return {"From": f"{letter.from_name} <{letter.from_address}>", **letter.headers}
