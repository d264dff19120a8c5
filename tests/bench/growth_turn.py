"""One turn of the growth bench in a process of its own: `python -m tests.bench.growth_turn DEED FIRST COUNT PEOPLE`.

DEED: events (stored and matched; one in ten starts a journey, and walks through it) · scores (of COUNT people, five
hundred in a statement, computed from their events) · pages (COUNT people of the list of contacts, a hundred a page)."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable

from contacts.garbage import collect_seldom
from tests.bench import intake_ours, intake_stream
from tests.bench.turn import take_turn

ONCE = 1_000  # events that come together; then everybody walks on before the next
SCORES, PAGE = 500, 100


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.db import connection

    deed = sys.argv[1]
    first, count, people = (int(argument) for argument in sys.argv[2:5])
    deeds: dict[str, Callable[[int, int, int], object]] = {"events": events, "scores": scores, "pages": pages}
    deeds[deed](first, ONCE, people)  # once unmeasured: statements are planned and modules loaded
    connection.ensure_connection()
    collect_seldom()
    take_turn(lambda: deeds[deed](first + ONCE, count, people))


def events(first: int, count: int, people: int) -> None:
    from workflows import engine

    for start in range(first, first + count, ONCE):
        intake_ours.take(list(intake_stream.elements(start, ONCE, people=people)))
        while engine.advance_batch(lane="urgent"):
            pass


def scores(first: int, count: int, people: int) -> None:
    from django.db import connection

    from contacts import transactions
    from scoring.projection import compiler
    from scoring.rulesets import reading

    def read(now: object) -> None:
        ruleset = reading.active_ruleset("lead")
        assert ruleset is not None
        score = compiler.score(ruleset, at=now, contact="c")  # type: ignore[arg-type]
        dice = random.Random(first)
        with connection.cursor() as cursor:
            for _ in range(0, count, SCORES):
                ids = dice.sample(range(1, people + 1), SCORES)
                cursor.execute(f"SELECT sum({score.text}) FROM contacts c WHERE c.id = ANY(%s)", [*score.params, ids])

    transactions.run(read)


def pages(first: int, count: int, people: int) -> None:
    """From a place in the middle on, as an integrator's nightly copy does."""
    from contacts.models import Contact

    after = people // 2
    for _ in range(0, count, PAGE):
        found = list(Contact.objects.filter(pk__gt=after).order_by("pk")[:PAGE])
        after = found[-1].pk if len(found) == PAGE else 0


if __name__ == "__main__":
    main()
