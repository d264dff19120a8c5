"""The door for producers of events. A plain view: it is the hottest address of the house."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from contacts import access, events, quarantine, transactions
from contacts.api.bodies import read_body
from contacts.api.repeating import say_once
from contacts.collect import parsing, strict_json
from contacts.events import Recorded
from contacts.problems import answers_problems
from contacts.quarantine import Refused

ACCEPTED = 202
SOURCE = "api"


@csrf_exempt
@answers_problems("POST")
def record_events(request: HttpRequest) -> HttpResponse:
    """`POST /api/v1/events`: 202 only after the rows are committed, with what became of each element."""
    key = access.authenticate(request.headers.get("Authorization", ""))
    access.require(key, "events:write")
    body = read_body(request)
    say_once(request, key, [body])
    batch = parsing.parse_batch(body)

    def record(now: datetime) -> tuple[Recorded, datetime]:
        refused = batch.rejected.values()
        return events.record_batch(batch.events_at(now), source=SOURCE, now=now, lane=batch.lane, refused=refused), now

    recorded, now = transactions.run(record)
    rejected = {**batch.rejected, **{batch.positions[each.index]: each.errors for each in recorded.rejected}}
    if rejected:
        texts = strict_json.element_texts(body, "events")
        quarantine.keep(
            [Refused(SOURCE, key.name, texts[index], faults) for index, faults in sorted(rejected.items())], now=now
        )
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
