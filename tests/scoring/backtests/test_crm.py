"""A back-test of a real pipeline: the leads of a CRM come in through the import, their touches as events, and the
figures are counted again by hand from the files themselves."""

from __future__ import annotations

import csv
import io
import statistics
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from contacts import events
from contacts.events import Identifiers, NewEvent
from scoring.lifecycle import stages
from scoring.models import Backtest
from tests.scoring.backtests.conftest import rows
from tests.scoring.conftest import rule

FOLDER = settings.BASE_DIR.parent / "shared" / "data" / "crm"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not (FOLDER / "leads.csv").exists(), reason="there is no CRM data here"),
]

SINCE, UNTIL = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)
POINTS = {"content_download": 10.0, "webinar": 15.0, "email": 4.0}
INBOUND, THRESHOLD = 12.0, 55.0
HALF_LIFE = 30  # days
AT_ONCE = 1000


def read(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def day(text: str) -> datetime:
    return datetime.fromisoformat(text[:10]).replace(tzinfo=UTC)


@pytest.fixture
def pipeline(transactional_db, tmp_path, now):
    """Everything that the files say, in the house; returns lead -> contact id."""
    leads = read("leads.csv")
    people = tmp_path / "leads.csv"
    with people.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["external_id", "lead_source"])
        writer.writerows([lead["lead_id"], lead["lead_source"]] for lead in leads)
    call_command("import_contacts", str(people), stdout=io.StringIO(), stderr=io.StringIO())
    happened = [
        NewEvent(touch["touch_type"], day(touch["touch_timestamp"]), Identifiers(external_id=touch["lead_id"]), {}, {},
                 key=touch["touch_id"])
        for touch in read("touches.csv")
    ] + [
        NewEvent("deal_won", day(lead["conversion_timestamp"]), Identifiers(external_id=lead["lead_id"]), {}, {},
                 key=f"won {lead['lead_id']}")
        for lead in leads if lead["conversion_timestamp"]
    ]  # fmt: skip
    for start in range(0, len(happened), AT_ONCE):
        with transaction.atomic():
            recorded = events.record_batch(happened[start : start + AT_ONCE], source="import", now=now, lane="bulk")
            assert not recorded.rejected
    with connection.cursor() as cursor:
        cursor.execute("SELECT external_id, id FROM contacts")
        known = dict(cursor.fetchall())
    for lead in leads:
        if lead["conversion_timestamp"]:
            with transaction.atomic():
                at = day(lead["conversion_timestamp"])
                contact_ids = [known[lead["lead_id"]]]
                stages.move(contact_ids=contact_ids, to_stage="customer", reason="won", source="import", now=at)
    return known


def by_hand() -> dict[str, tuple[datetime | None, datetime | None]]:
    """Lead -> when it would have crossed and when it was won, from the files alone."""
    touches = defaultdict(list)
    for touch in read("touches.csv"):
        if touch["touch_type"] in POINTS:
            touches[touch["lead_id"]].append((day(touch["touch_timestamp"]), POINTS[touch["touch_type"]]))
    found = {}
    for lead in read("leads.csv"):
        history = touches[lead["lead_id"]]
        own = INBOUND if lead["lead_source"] == "inbound_marketing" else 0.0
        crossed = None
        for at in sorted({at for at, _ in history}):
            score = own + sum(points * 0.5 ** ((at - then).days / HALF_LIFE) for then, points in history if then <= at)
            if round(score, 6) >= THRESHOLD:
                crossed = at
                break
        won = day(lead["conversion_timestamp"]) if lead["conversion_timestamp"] else None
        found[lead["lead_id"]] = (crossed, won)
    return found


def test_precision_and_recall_of_a_real_pipeline_are_those_counted_by_hand(pipeline, drafted, tried):
    fading = {"type": "half_life", "period": f"P{HALF_LIFE}D"}
    inbound = {"field": "lead_source", "op": "eq", "value": "inbound_marketing"}
    draft = drafted(
        *(rule(kind, points, decay=fading) for kind, points in POINTS.items()),
        {"name": "inbound", "signal": inbound, "points": INBOUND},
        mql_threshold=THRESHOLD,
    )
    wanted = by_hand()
    in_time = {lead for lead, (crossed, won) in wanted.items() if crossed and (won is None or crossed < won)}
    won = {lead for lead, (_, at) in wanted.items() if at}
    assert len(in_time & won) > 20, "the data says something"
    for conversion in ({"event": "deal_won"}, {"stage": "customer"}):
        backtest: Backtest = tried(draft, since=SINCE, until=UNTIL, conversion=conversion, limit=400)
        told = backtest.result["tried"]
        assert (told["crossed"], told["foretold"]) == (len(in_time), len(in_time & won))
        assert told["precision"]["share"] == len(in_time & won) / len(in_time)
        assert told["recall"]["share"] == len(in_time & won) / len(won)
        median = statistics.median((wanted[lead][1] - wanted[lead][0]) / timedelta(seconds=1) for lead in in_time & won)
        assert backtest.result["lead_time"][1] == pytest.approx(median)
        found = rows(backtest)
        for lead, (crossed, at) in wanted.items():
            row = found.get(pipeline[lead])
            assert (row.crossed_at if row else None, row.converted_at if row else None) == (crossed, at)
