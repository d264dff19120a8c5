"""The door for producers of events. A plain view: it is the hottest address of the house."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from contacts import access, events, transactions
from contacts.collect import parsing
from contacts.events import Recorded
from contacts.problems import BadRequest, TooLarge, answers_problems

ACCEPTED = 202


@csrf_exempt
@answers_problems("POST")
def record_events(request: HttpRequest) -> HttpResponse:
    """`POST /api/v1/events`: 202 only after the rows are committed, with what became of each element."""
    access.require(access.authenticate(request.headers.get("Authorization", "")), "events:write")
    batch = parsing.parse_batch(read_body(request))

    def record(now: datetime) -> Recorded:
        return events.record_batch(batch.events, source="api", now=now, lane=batch.lane)

    recorded = transactions.run(record)
    rejected = {**batch.rejected, **{batch.positions[each.index]: each.errors for each in recorded.rejected}}
    return JsonResponse(
        {
            "accepted": recorded.accepted,
            "duplicates": recorded.duplicates,
            "rejected": [
                {"index": index, "errors": [fault.as_json() for fault in rejected[index]]} for index in sorted(rejected)
            ],
        },
        status=ACCEPTED,
    )


def read_body(request: HttpRequest) -> bytes:
    """Raises TooLarge (413), or BadRequest (400) where the sender stopped in the middle."""
    try:
        return request.body
    except RequestDataTooBig as error:
        raise TooLarge from error
    except (UnreadablePostError, ValueError) as error:  # ValueError: a Content-Length that is not a number
        raise BadRequest("The body could not be read.") from error
