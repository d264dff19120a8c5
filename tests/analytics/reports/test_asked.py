"""What is asked is read strictly, and says where it is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from analytics.reports import asked
from analytics.reports.asked import BadFilters
from analytics.reports.register import named, reports

ATTRIBUTION = named("attribution")


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"model": "guess"}, "model"),
        ({"months_from": "yesterday"}, "months_from"),
        ({"months_from": "20260101"}, "months_from"),
        ({"months_from": "2026-03-01", "months_to": "2026-02-01"}, "months_to"),
        ({"currency": "E\x00R"}, "currency"),
        ({"currency": "E" * 501}, "currency"),
        ({"limit": "1"}, "limit"),
    ],
)
def test_what_cannot_be_asked_names_its_place(said, place):
    with pytest.raises(BadFilters) as refused:
        asked.read(ATTRIBUTION, said)
    assert [fault.loc for fault in refused.value.faults] == [(place,)]


def test_a_page_may_be_asked_for_more_than_the_report_knows():
    assert asked.read(ATTRIBUTION, {"utm_source": "mail", "model": "last"}, strict=False).given == {"model": "last"}


def test_what_is_usual_is_not_said_again():
    wanted = asked.read(ATTRIBUTION, {"model": "position", "currency": "", "months_from": "2026-01-01"})
    assert wanted.given == {"months_from": "2026-01-01"}
    assert asked.query(wanted) == "?months_from=2026-01-01"
    assert asked.query(asked.read(ATTRIBUTION, {})) == ""
    assert asked.read(ATTRIBUTION, wanted.given).values == wanted.values
    assert asked.sentence(ATTRIBUTION, wanted).endswith("Currency: All currencies · Months that begin: from 2026-01-01")


@given(some.sampled_from(reports()), some.dictionaries(some.text(max_size=12), some.text(max_size=30), max_size=3))
def test_nothing_that_is_said_breaks_the_reading(report, said):
    names = [name for each in report.filters for name in asked.names(each)]
    for name, text in said.items():
        for key in (name, *names):
            try:
                asked.read(report, {key: text})
            except BadFilters as error:
                assert error.faults
