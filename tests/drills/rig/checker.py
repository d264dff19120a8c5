"""Checks that more than one drill makes: they read the tables, the stub's record and the clients' logs of a finished
run, and say which invariant held."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from tests.drills.rig.processes import PYTHON, ROOT
from tests.drills.rig.record import Request, read_requests
from tests.drills.rig.report import Finding, first
from tests.drills.rig.stage import Stage

LOST_ANSWER = {"hang", "reset"}
APPLIED_ONCE = "the counters equal the journal: no step was applied twice"


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile (`share` 0.99 for p99), None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    rank = -(-round(share * 10_000) * len(ordered) // 10_000)  # rounded up
    return ordered[max(0, rank - 1)]


def journal_is_gapless(stage: Stage) -> Finding:
    """(enrolment, seq) counts 1, 2, 3 … without a gap, up to the `seq` of the enrolment itself."""
    broken = stage.rows(
        """
        SELECT e.id, e.seq, count(j.seq), count(DISTINCT j.seq), min(j.seq), max(j.seq)
          FROM workflow_enrolments e LEFT JOIN workflow_journal j ON j.enrolment_id = e.id
         GROUP BY e.id
        HAVING count(j.seq) <> e.seq OR count(DISTINCT j.seq) <> e.seq
            OR (e.seq > 0 AND (min(j.seq) <> 1 OR max(j.seq) <> e.seq))
        """
    )
    entries = stage.number("SELECT count(*) FROM workflow_journal")
    return Finding(
        "the journal has no gap and no double entry",
        holds=not broken,
        figures={"entries": entries, "broken": len(broken)},
        examples=first([f"enrolment {row[0]}: seq {row[1]}, {row[2]} entries" for row in broken]),
    )


def everybody_finished(stage: Stage, expected: int) -> Finding:
    states = dict(stage.rows("SELECT state, count(*) FROM workflow_enrolments GROUP BY state ORDER BY state"))
    finished = states.get("completed", 0) + states.get("exited", 0)
    return Finding(
        "every acknowledged trigger enrolled once, and every enrolment finished",
        holds=finished == expected == sum(states.values()),
        figures={"acknowledged": expected, **states},
        counts={"acknowledged": expected, "processed": finished, "lost": max(0, expected - sum(states.values()))},
    )


def counters_equal_the_journal(stage: Stage) -> Finding:
    """A step that was applied twice is counted twice, even where a constraint kept its second journal entry out."""
    counted = _totals(
        stage,
        """
        SELECT step, metric, sum(amount)::bigint
          FROM (SELECT step, metric, facet, amount FROM counters
                UNION ALL SELECT step, metric, facet, amount FROM counter_deltas) c
         WHERE facet = '' AND metric LIKE 'left:%%' GROUP BY 1, 2
        """,
    )
    written = _totals(
        stage,
        "SELECT step, 'left:' || port, count(*) FROM workflow_journal WHERE outcome = 'advanced' GROUP BY 1, 2",
    )
    wrong = sorted(key for key in counted.keys() | written.keys() if counted[key] != written[key])
    return Finding(
        APPLIED_ONCE,
        holds=not wrong,
        figures={"applied": sum(counted.values()), "in the journal": sum(written.values())},
        examples=first(
            [f"{step} {metric}: {counted[step, metric]} / {written[step, metric]}" for step, metric in wrong]
        ),
        counts={"twice": sum(abs(counted[key] - written[key]) for key in wrong)},
    )


def _totals(stage: Stage, query: str) -> Counter[tuple[str, str]]:
    return Counter({(step, metric): amount for step, metric, amount in stage.rows(query)})


def one_message_per_step(stage: Stage) -> Finding:
    doubled = stage.rows(
        "SELECT enrolment_id, step, count(*) FROM messages GROUP BY enrolment_id, step HAVING count(*) > 1"
    )
    return Finding(
        "one message per enrolment and step",
        holds=not doubled,
        figures={"messages": stage.number("SELECT count(*) FROM messages"), "doubled": len(doubled)},
        examples=first([f"enrolment {row[0]}, step {row[1]}: {row[2]} messages" for row in doubled]),
        counts={"twice": len(doubled)},
    )


def nothing_sent_twice(requests: Sequence[Request]) -> Finding:
    """The ESP took no message twice, and none was sent again after an answer that was lost."""
    of_message: dict[str, list[Request]] = {}
    for request in requests:
        of_message.setdefault(request.mid, []).append(request)
    twice = [mid for mid, sent in of_message.items() if sum(one.taken for one in sent) > 1]
    blind = [mid for mid, sent in of_message.items() if any(one.verdict in LOST_ANSWER for one in sent[:-1])]
    return Finding(
        "no message reached the ESP twice, none was resent blindly",
        holds=not twice and not blind,
        figures={
            "requests": len(requests),
            "messages": len(of_message),
            "twice": len(twice),
            "resent after a lost answer": len(blind),
            **{f"answered {verdict}": count for verdict, count in sorted(Counter(r.verdict for r in requests).items())},
        },
        examples=first([f"message {mid}" for mid in [*twice, *blind]]),
        counts={"requests": len(requests), "twice": len(twice), "resent": len(blind)},
    )


def ledger_agrees_with_the_esp(stage: Stage, requests: Sequence[Request], used: Collection[str] = ()) -> Finding:
    """Accepted here means taken there; taken there means accepted or in doubt here; and nothing is left under way.

    `used`: messages whose link somebody used, which proves to the product that they have it. The people of a drill use
    the links of mails that they never got."""
    taken = {request.mid for request in requests if request.taken}
    states = {
        str(mid): state
        for mid, state in stage.rows(
            "SELECT m.public_id, s.state FROM messages m JOIN message_states s ON s.message_id = m.id"
        )
    }
    unsaid = [mid for mid, state in states.items() if state == "accepted" and mid not in taken and mid not in used]
    denied = [mid for mid in taken if states.get(mid) not in {"accepted", "in_doubt", "undetermined"}]
    open_ones = [mid for mid, state in states.items() if state in {"queued", "sending"}]
    return Finding(
        "the ledger agrees with the ESP, and nothing is left under way",
        holds=not unsaid and not denied and not open_ones,
        figures={
            **dict(sorted(Counter(states.values()).items())),
            "accepted but never received": len(unsaid),
            "received but denied": len(denied),
        },
        examples=first([f"message {mid}: {states.get(mid)}" for mid in [*unsaid, *denied, *open_ones]]),
    )


BOOKS = """
import json, django
django.setup()
from analytics.counting import books
print(json.dumps([[book.name, book.left, book.right, book.balanced] for book in books.balance()]))
"""


def books_balance(stage: Stage) -> Finding:
    """By the product's own reckoning."""
    env = {**stage.env, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run([PYTHON, "-c", BOOKS], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"the books cannot be read:\n{done.stderr[-2000:]}")
    books: list[list[Any]] = json.loads(done.stdout.splitlines()[-1])
    wrong = [book for book in books if not book[3]]
    return Finding(
        "the product's own books balance",
        holds=bool(books) and not wrong,
        figures={"books": len(books), "unbalanced": len(wrong)},
        examples=first([f"{name}: {left} / {right}" for name, left, right, _ in wrong]),
    )


def counters_equal_a_recount(stage: Stage) -> Finding:
    """Of every metric, step, facet, day and version, and of their months and days, by the product's own command; its
    exit code says whether one is wrong, and its lines which."""
    command = [PYTHON, "manage.py", "rebuild_counters", "--check"]
    env = {**stage.env, "DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_OWNER_SESSION": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900)
    said = done.stdout.splitlines()
    if done.returncode not in {0, 1} or not said:
        raise RuntimeError(f"the counters cannot be counted again:\n{done.stderr[-2000:]}")
    return Finding(
        "every counter equals a recount of the facts",
        holds=done.returncode == 0,
        figures={"said": said[-1]} if done.returncode == 0 else {"wrong": len(said)},
        examples=first(said if done.returncode else []),
    )


def requests_of(stage: Stage) -> list[Request]:
    return read_requests(stage.requests)
