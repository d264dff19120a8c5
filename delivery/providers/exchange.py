"""What all providers that are spoken to over HTTP have in common: each letter becomes a request, the transport carries
the requests, and what comes back gets its meaning from the provider's own table."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from django.conf import settings

from delivery import starts, transport
from delivery.providers import letters
from delivery.providers.base import ACCEPTED, IN_DOUBT, NOT_STARTED, REJECTED, RETRY, STOP, Answer, Letter, Writing
from delivery.transport import Call, NoReply, NotStarted, Reply

FIRST_LOOK = 0.05  # seconds after the last letter was written: what was answered until then is told at once
STEP = 0.02  # seconds between two looks for somebody who waits
Meaning = tuple[str, str]  # what an answer means (providers.base), and the reason that is shown

# What a status means where a provider says nothing else of it. A 500 is no refusal: nobody knows how far it came.
MEANING: Mapping[int, Meaning] = {
    301: (STOP, "redirected"),
    302: (STOP, "redirected"),
    307: (STOP, "redirected"),
    308: (STOP, "redirected"),
    400: (REJECTED, "invalid_message"),
    401: (STOP, "unauthorized"),
    402: (STOP, "payment_required"),
    403: (STOP, "forbidden"),
    404: (STOP, "not_found"),
    408: (RETRY, "timeout_at_provider"),
    413: (REJECTED, "too_large"),
    422: (REJECTED, "invalid_message"),
    429: (RETRY, "rate_limited"),
    500: (IN_DOUBT, "provider_error"),
    502: (IN_DOUBT, "bad_gateway"),
    503: (RETRY, "unavailable"),
    504: (IN_DOUBT, "gateway_timeout"),
}


@dataclass(frozen=True)
class Request:
    """A POST that is ready to go, and what its answer means."""

    url: str
    data: bytes
    headers: Mapping[str, str]
    read: Callable[[Reply], Answer]


class Misconfigured(Exception):
    """A setting of ours makes every request impossible; the words say which kind of fault it is."""


def hand_over(given: Iterable[Letter], write: Callable[[Letter], Request], *, start_before: float) -> dict[str, Answer]:
    """`Provider.deliver` over HTTP. `write` may raise ValueError for a letter that the provider would never take, and
    Misconfigured."""
    answers: dict[str, Answer] = {}
    waiting: dict[str, Future[Answer]] = {}
    for letter in given:  # the first ones are on their way while the later ones are being written
        try:
            request = write(letters.checked(letter) if letter.channel == "email" else letter)
        except Misconfigured as error:
            answers[letter.mid] = Answer(STOP, "misconfigured", said=str(error))
        except Exception as error:  # a package's own fault, too: the letters on their way are waited for all the same
            answers[letter.mid] = Answer(REJECTED, "invalid_message", said=type(error).__name__)
        else:
            waiting[letter.mid] = transport.start(send(request, start_before, mid=letter.mid))
        _tell_whoever_waits(waiting, given)
    return answers | _as_they_come(waiting, given)


def _as_they_come(waiting: Mapping[str, Future[Answer]], given: Iterable[Letter]) -> dict[str, Answer]:
    """All answers that nobody was told of early. Each look waits twice as long as the one before, so there are few;
    between them are looks for whoever waits, whose answer is told when it comes."""
    left = dict(waiting)
    pause = FIRST_LOOK
    until = time.monotonic() + pause
    while left and isinstance(given, Writing):
        seconds = min(STEP, max(until - time.monotonic(), 0.0))
        if awaited := given.awaited() & left.keys():
            wait([left[mid] for mid in awaited], timeout=seconds, return_when=FIRST_COMPLETED)
        else:
            wait(left.values(), timeout=seconds)
        if all(answer.done() for answer in left.values()):
            break
        if time.monotonic() >= until:
            _tell(left, given)
            pause *= 2
            until = time.monotonic() + pause
        else:
            _tell_whoever_waits(left, given)
    return {mid: answer.result() for mid, answer in left.items()}


def _tell_whoever_waits(waiting: dict[str, Future[Answer]], given: Iterable[Letter]) -> None:
    if not isinstance(given, Writing) or not (awaited := given.awaited()):
        return
    ended = [mid for mid in awaited if mid not in waiting or waiting[mid].done()]
    if ended:
        _tell(waiting, given, of=ended)  # the others would make it longer: nobody waits for them


def _tell(waiting: dict[str, Future[Answer]], given: Writing, of: Collection[str] | None = None) -> None:
    """Of everything that was answered (`of`: of these alone), which is then no longer waited for."""
    asked = waiting.keys() if of is None else waiting.keys() & of
    came = {mid: waiting[mid].result() for mid in asked if waiting[mid].done()}
    given.tell(came)
    for mid in came:
        del waiting[mid]


async def send(request: Request, start_before: float, *, mid: str = "") -> Answer:
    """Make this one request, on the transport's loop. `mid`: of the message whose only request it is."""
    try:
        reply = await transport.post(
            request.url,
            data=request.data,
            headers=request.headers,
            seconds=settings.ESP_TIMEOUT_SECONDS,
            call=Call(start_before, mid=mid),
        )
    except NotStarted as error:
        return Answer(NOT_STARTED, error.reason)
    if isinstance(reply, NoReply):
        kind, reason = (IN_DOUBT, "no_answer") if reply.began else (RETRY, "no_connection")
        return Answer(kind, reason, said=reply.why)
    answer = request.read(reply)
    if answer.kind == ACCEPTED:
        starts.accept(mid, answer.code)
    return answer


def by_status(reply: Reply, table: Mapping[int, Meaning], *, said: str) -> Answer:
    """What the status alone says. One that nobody knows is a doubt, unless it says that the request was at fault."""
    if 200 <= reply.status < 300:
        return Answer(ACCEPTED, code=reply.status)
    unknown = (REJECTED, "refused") if 400 <= reply.status < 500 else (IN_DOUBT, "unknown_answer")
    kind, reason = table.get(reply.status) or MEANING.get(reply.status, unknown)
    return Answer(kind, reason, reply.status, said, retry_after(reply.headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from `Retry-After` (seconds or a date) or from `X-RateLimit-Reset` (a Unix time); instants are measured
    from the answer's own `Date`, by the provider's clock."""
    try:
        given = headers.get("Retry-After", "").strip()
        if given.isdigit():
            return float(given)
        said_at = parsedate_to_datetime(headers.get("Date", "")).timestamp()
        until = parsedate_to_datetime(given).timestamp() if given else float(headers.get("X-RateLimit-Reset", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return max(until - said_at, 0.0)
