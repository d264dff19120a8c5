"""`celery --app tests.bench.peers.naive.tasks worker`."""

import json
import os
from functools import cache
from typing import Any

from celery import Celery

app = Celery("naive")
app.config_from_object("django.conf:settings", namespace="CELERY")


@cache
def definition() -> dict[str, Any]:
    with open(os.environ["NAIVE_DEFINITION"], encoding="utf-8") as file:
        return json.load(file)


@app.task
def run_step(enrolment_id: int) -> None:
    from django.db import transaction

    from contacts.models import Contact
    from tests.bench.peers.naive.models import NaiveEnrolment, NaiveLog

    enrolment = NaiveEnrolment.objects.get(pk=enrolment_id)  # type: ignore[attr-defined]
    contact = Contact.objects.get(pk=enrolment.contact_id)
    step = definition()["steps"][enrolment.step]
    port = next((arm["key"] for arm in step["config"]["arms"] if holds(arm["if"], contact.attributes)), "else")
    following = step["next"][port]
    with transaction.atomic():
        enrolment.seq += 1
        NaiveLog.objects.create(  # type: ignore[attr-defined]
            enrolment=enrolment, seq=enrolment.seq, step=enrolment.step, port=port
        )
        if following is None:
            enrolment.state = "completed"
        else:
            enrolment.step = following
        enrolment.save()
    if following is not None:
        run_step.delay(enrolment_id)


def holds(condition: dict[str, Any], attributes: dict[str, Any]) -> bool:
    """The few kinds of conditions that the bench's journey has."""
    match condition:
        case {"all": parts}:
            return all(holds(part, attributes) for part in parts)
        case {"any": parts}:
            return any(holds(part, attributes) for part in parts)
        case {"field": field, "op": "eq", "value": value}:
            return attributes.get(field) == value
        case {"field": field, "op": "in", "value": values}:
            return attributes.get(field) in values
        case {"field": field, "op": "gte", "value": value}:
            return attributes.get(field) is not None and attributes[field] >= value
        case {"field": field, "op": "contains", "value": value}:
            return value.lower() in (attributes.get(field) or "").lower()
    raise ValueError(f"the naive peer does not know {condition}")
