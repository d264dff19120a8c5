"""A condition tried before it is a segment."""

from __future__ import annotations

from datetime import datetime

import pytest

from contacts import transactions
from contacts.audiences import preview
from contacts.audiences.naming import Refused
from contacts.models import Contact
from tests.contacts.audiences.keeping import PRO, people

pytestmark = pytest.mark.django_db


def tried(condition: object) -> preview.Preview:
    return transactions.run(lambda now: preview.preview(condition, now=now))


def test_it_counts_and_shows_the_newest_of_those_who_live():
    found = people(*[{"plan": "pro"}] * 12, {"plan": "free"})
    Contact.objects.filter(pk=found[11]).update(erased_at=datetime.fromisoformat("2026-01-01T00:00Z"))
    seen = tried(PRO)
    assert (seen.count, seen.estimated, seen.slow) == (11, False, False)
    assert seen.sample == tuple(sorted(found[1:11], reverse=True))
    assert seen.total >= seen.count and seen.cost > 0
    assert seen.sentence == "plan is “pro”"


def test_an_empty_house_has_an_answer():
    assert tried(PRO).count == 0


def test_what_is_no_condition_of_a_segment_is_refused():
    with pytest.raises(Refused) as caught:
        tried({"in_segment": "nowhere"})
    assert caught.value.faults[0].code == "unknown_segment"


class SlowWhereExact:
    """Stands for the query: the exact count takes ten seconds, that of a sample does not."""

    def __init__(self, query: str) -> None:
        self._query = query

    def format(self, *, found: str) -> str:
        slow = "" if "TABLESAMPLE" in found else " AND pg_sleep(10) IS NOT NULL"
        return self._query.format(found=found + slow)


def test_where_counting_takes_too_long_it_is_estimated(monkeypatch):
    """The sampled pages are all there are."""
    people(*[{"plan": "pro"}] * 3)
    monkeypatch.setattr(preview, "_COUNT", SlowWhereExact(preview._COUNT))
    monkeypatch.setattr(preview, "PATIENCE_MS", 100)
    seen = tried(PRO)
    assert (seen.count, seen.estimated, seen.slow) == (3, True, True)


def test_where_even_the_estimate_takes_too_long_it_says_so(monkeypatch):
    people(*[{"plan": "pro"}] * 3)
    monkeypatch.setattr(
        preview, "_COUNT", preview._COUNT.replace("({found})", "({found} AND pg_sleep(10) IS NOT NULL)")
    )
    monkeypatch.setattr(preview, "PATIENCE_MS", 100)
    seen = tried(PRO)
    assert (seen.count, seen.sample, seen.estimated, seen.slow) == (None, (), True, True)
    with transactions.transaction.atomic(), transactions.connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "15s"  # as it was
