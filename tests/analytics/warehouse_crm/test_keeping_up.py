"""What is told after the warehouse was built: late news, merges, partings, erasure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from contacts import clock, merging
from contacts.privacy import erasing
from tests import journeys
from tests.analytics.committed import committed
from tests.analytics.warehouse_crm import lives
from tests.analytics.warehouse_crm.conftest import Ask

# three runs of dbt take their time on a busy machine
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600), pytest.mark.warehouse]

MARTS = [
    "attribution",
    "attribution_by_touch",
    "attribution_by_workflow",
    "conversions",
    "time_to_conversion",
    "time_to_stage",
    "time_to_stage_spread",
    "cohorts",
    "cohorts_by_week",
    "cohort_revenue",
    "retention",
    "revenue",
]


def contents(ask: Ask) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the marts, without the marks of the run."""
    return {
        mart: ask(f"SELECT (to_jsonb(m) - 'built_at' - 'rules')::text AS row FROM marts.{mart} m ORDER BY 1")
        for mart in MARTS
    }


def test_an_incremental_run_makes_of_late_news_merges_and_erasure_what_a_full_one_does(
    django_db_blocker, dbt_state, ask
):
    with committed(django_db_blocker, dbt_state):
        late, touched, survivor, absorbed, parted, partner, erased, calm = everybody = journeys.contacts(8)
        for contact_id in everybody:
            lives.touch(contact_id, "call", 10 * lives.DAY)
            lives.sell(contact_id, 50)
            lives.tell(contact_id, "stage_reached", stage="customer")
        with transaction.atomic():
            merged = merging.merge(survivor_id=partner, absorbed_id=parted, source="api", actor="t", now=clock.now())
        call_command("build_warehouse", full_refresh=True)
        assert ask("SELECT count(*) FROM marts.conversions WHERE contact_id = %s", partner) == [(3,)]

        lives.touch(touched, "letter", 20 * lives.DAY)  # of long ago, told now
        lives.sell(late, 7, at=lives.WON - timedelta(days=400))
        with transaction.atomic():
            merging.merge(survivor_id=survivor, absorbed_id=absorbed, source="api", actor="t", now=clock.now())
            merging.undo(merged, actor="t", now=clock.now())
            erasing.erase(erased, actor="t", now=clock.now())
        call_command("build_warehouse")
        kept_up = contents(ask)
        assert dict(ask("SELECT contact_id, count(*) FROM marts.conversions GROUP BY 1")) == {
            late: 3, touched: 2, survivor: 3, parted: 2, partner: 2, calm: 2,
        }  # fmt: skip
        first = (
            "SELECT touch_type, amount FROM marts.attribution WHERE contact_id = %s AND model = 'first' AND amount > 0"
        )
        assert ask(first, touched) == [("letter", 50)]
        assert set(ask(first, late)) == {("call", 50), ("direct", 7)}
        call_command("build_warehouse", full_refresh=True)
        assert contents(ask) == kept_up
