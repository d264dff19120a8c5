"""The sandbox: mail goes into a table, to be read in the browser, and people who are not there react to it.

See `sandbox_people` for what they do."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta

from django.db import DatabaseError, transaction

from contacts import chaos, clock
from delivery import sandbox_people
from delivery.models import SandboxMail
from delivery.providers.base import ACCEPTED, IN_DOUBT, NOT_STARTED, Answer, Letter


class Sandbox:
    name = "sandbox"
    is_throttled = False
    channels = frozenset({"email", "sms", "push"})

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        taken = list(letters)
        if time.monotonic() > start_before and not chaos.mutant("no_lease_check"):
            return {letter.mid: Answer(NOT_STARTED, "lease_over") for letter in taken}
        try:
            with transaction.atomic():
                now = clock.now()
                first = now + timedelta(seconds=sandbox_people.FIRST.after)
                SandboxMail.objects.bulk_create(
                    SandboxMail(
                        mid=letter.mid,
                        to_address=letter.to_address,
                        subject=letter.subject,
                        html=letter.html,
                        text=letter.text,
                        headers=_headers(letter),
                        received_at=now,
                        reacts_at=first if letter.channel == "email" else None,  # the people react to mail only
                        reaction=sandbox_people.FIRST.name if letter.channel == "email" else "",
                    )
                    for letter in taken
                )
        except DatabaseError as error:  # the connection may have broken after the commit
            return {letter.mid: Answer(IN_DOUBT, "no_answer", said=type(error).__name__) for letter in taken}
        return {letter.mid: Answer(ACCEPTED, code=202) for letter in taken}


def _headers(letter: Letter) -> dict[str, str]:
    if letter.channel != "email":
        return {"Channel": letter.channel}
    return {"From": f"{letter.from_name} <{letter.from_address}>", **letter.headers}
