"""Push messages: one letter goes to all devices of its contact, and what they answer becomes one answer.

It is accepted if any device's service took it; only if none may have taken it is it tried again, so nobody gets it
twice. A letter is the notification's title (its subject) and words (its text); if the last line of the text is an
address (https://…), a tap leads there and the line is not shown."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from django.db import DatabaseError

from contacts import clock
from delivery import devices, transport
from delivery.devices import Device
from delivery.providers import exchange
from delivery.providers.base import ACCEPTED, IN_DOUBT, NOT_STARTED, REJECTED, RETRY, STOP, Answer, Letter, Provider
from delivery.providers.exchange import Request

log = logging.getLogger(__name__)

GONE = "device_gone"  # the reason of an answer that says that nobody is there any more
NO_DEVICE = "no_device"
KEPT_SECONDS = 24 * 60 * 60  # how long a service keeps a message for a device that is off
LONGEST_WORDS = 2000  # bytes as JSON; a service takes 3,993 in all
LONGEST_TITLE = 300
_BEST_FIRST = (ACCEPTED, IN_DOUBT, RETRY, NOT_STARTED, STOP, REJECTED)
_LINK = re.compile(r"https?://\S{1,1500}")


@dataclass(frozen=True)
class Notification:
    """`url`: where a tap leads; empty: nowhere."""

    mid: str
    title: str
    words: str
    url: str

    def as_json(self) -> bytes:
        told = {"mid": self.mid, "title": self.title, "body": self.words, "url": self.url}
        return json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")


def notification(letter: Letter) -> Notification:
    """What a device shows of a letter. Pure."""
    lines = letter.text.strip().splitlines()
    url = lines.pop().strip() if lines and _LINK.fullmatch(lines[-1].strip()) else ""
    return Notification(
        mid=letter.mid,
        title=_cut(letter.subject.strip() or letter.from_name, LONGEST_TITLE),
        words=_cut("\n".join(lines).strip(), LONGEST_WORDS),
        url=url,
    )


def _cut(text: str, most: int) -> str:
    """At most so many bytes as JSON, ending where a character ends."""
    whole = text
    while len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) > most:
        whole = whole[: len(whole) * 9 // 10]
        text = f"{whole}…"
    return text


class Carrier:
    """How devices of one kind are reached. `write` raises ValueError for one that can never be; `hindrance` says why
    none can be reached now, once for all letters of a call, and may ask somebody for a key first."""

    kind: str = ""

    def hindrance(self) -> Answer | None:
        return None

    def write(self, device: Device, note: Notification) -> Request:
        raise NotImplementedError


class Pushing(Provider):
    """`carriers`: of the kinds of devices that it reaches."""

    is_throttled = True
    channels = frozenset({"push"})
    carriers: Sequence[Carrier] = ()

    def deliver(self, letters: Iterable[Letter], *, start_before: float) -> dict[str, Answer]:
        taken = list(letters)
        by_kind = {carrier.kind: carrier for carrier in self.carriers}
        try:
            asked_at = clock.now()
            found = devices.of_contacts({letter.to_address for letter in taken}, kinds=list(by_kind))
        except DatabaseError as error:
            return {letter.mid: Answer(NOT_STARTED, "no_database", said=type(error).__name__) for letter in taken}
        kinds = {device.kind for some in found.values() for device in some}
        hindrances = {kind: by_kind[kind].hindrance() for kind in kinds}
        waiting: dict[str, dict[int, Answer | Future[Answer]]] = {}
        for letter in taken:
            note = notification(letter)
            waiting[letter.mid] = {
                device.id: hindrances[device.kind] or _start(by_kind[device.kind], device, note, start_before)
                for device in found.get(letter.to_address, ())
            }
        answers = {
            mid: {device_id: each if isinstance(each, Answer) else each.result() for device_id, each in some.items()}
            for mid, some in waiting.items()
        }
        gone = {device_id: each.said for some in answers.values() for device_id, each in some.items() if _is_gone(each)}
        try:
            devices.note_gone(gone, asked_at=asked_at, now=clock.now())
        except DatabaseError as error:  # the next message finds out again
            log.warning("%d devices that are gone could not be noted: %s", len(gone), type(error).__name__)
        return {mid: together(list(some.values())) for mid, some in answers.items()}


def _start(carrier: Carrier, device: Device, note: Notification, start_before: float) -> Answer | Future[Answer]:
    try:
        request = carrier.write(device, note)
    except ValueError as error:
        return Answer(REJECTED, GONE, said=type(error).__name__)  # its keys are none
    return transport.start(exchange.send(request, start_before))


def _is_gone(answer: Answer) -> bool:
    return answer.kind == REJECTED and answer.reason == GONE


def together(answers: Sequence[Answer]) -> Answer:
    """One answer for the message out of those of its devices. Pure."""
    reached = [each for each in answers if not _is_gone(each)]
    if not reached:
        return Answer(REJECTED, NO_DEVICE, said=f"{len(answers)} devices, all gone" if answers else "no devices")
    best = min(reached, key=lambda each: _BEST_FIRST.index(each.kind))
    if best.kind != ACCEPTED:
        return best
    count = sum(each.kind == ACCEPTED for each in answers)
    return Answer(ACCEPTED, code=best.code, said=f"taken for {count} of {len(answers)} devices")


def not_stopping(answer: Answer, table: Mapping[str, str]) -> Answer:
    """The same answer, where a refusal of one device must not stop the others: anybody may register a device."""
    return Answer(table.get(answer.kind, answer.kind), answer.reason, answer.code, answer.said, answer.retry_after)
