"""I17: what providers report, each thing three times and in no order, by web processes and workers that are killed,
comes to the same as a fold of the set; and what somebody else reports in their name comes to nothing."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.drills.rig import checker, people
from tests.drills.rig.drill import Play
from tests.drills.rig.nemesis import Nemesis, by_kind
from tests.drills.rig.processes import Program, beat, dispatcher, web, worker
from tests.drills.rig.report import Finding, Run, first
from tests.drills.rig.servers import Servers
from tests.drills.rig.stage import TEMPLATE, Stage, manage
from tests.drills.rig.stub_plan import StubPlan
from tests.drills.rig.stub_webhooks import Signer
from tests.drills.webhook_fold.knocking import FORGED_DOMAIN, Answers, Resend, attacks, deliver, genuine
from tests.drills.webhook_fold.reports import Fold, Mail, everything, fold

JOURNEY = Path(__file__).parent.parent / "journeys" / "webhook_fold.yaml"
COPIES = 3
MAILS_EACH = 8  # to one person
SENDERS = 8
SUPPRESSED = "whoever must not be written to any more is who follows from the set of reports, and nobody else"
FAULTS = {"worker": 3.0, "web_child": 3.0, "terminate_backends": 1.0, "flush_redis": 1.0}
FULL_FAULTS = {**FAULTS, "web": 1.0, "dispatcher": 1.0, "restart_postgres": 0.5, "restart_redis": 0.5}
CHAOS = "webhooks.stored=kill:0.004,webhooks.folded=pause:0.1:0.2+kill:0.02;seed={seed}"

# Mail that went out two months ago, a tenth of it into doubt.
MESSAGES = """
INSERT INTO messages (contact_id, channel, template_version_id, message_class, topic, override_cap, lane, workflow_id,
                      version_id, step, idempotency_key, created_at)
SELECT c.id, 'email', t.live_version_id, 'marketing', '', true, 'urgent', w.id, w.live_version_id, 'mail',
       'drill:' || mail || ':' || c.id, now() - interval '61 days'
  FROM templates t, workflows w, contacts c, generate_series(1, %s) AS mail
 ORDER BY mail, c.id
"""
LOG = """
INSERT INTO contact_send_log (message_id, contact_id, address_id, channel, workflow_id, kind, attempt, provider, at)
SELECT m.id, m.contact_id, a.id, 'email', m.workflow_id,
       CASE WHEN k.n = 1 THEN 'claimed' WHEN m.id % 10 = 0 THEN 'in_doubt' ELSE 'accepted' END, 1, 'sendgrid',
       m.created_at
  FROM messages m JOIN contacts c ON c.id = m.contact_id JOIN addresses a ON a.shown = c.email,
       generate_series(1, 2) AS k (n)
 ORDER BY m.id, k.n
"""
DOUBTS = """
INSERT INTO outbox (message_id, state, lane, priority, contact_id, address_id, due_at, attempt, claimed_at, lease_until)
SELECT m.id, 'in_doubt', m.lane, m.priority, m.contact_id, l.address_id, m.created_at, 1, m.created_at, now()
  FROM messages m JOIN contact_send_log l ON l.message_id = m.id AND l.kind = 'in_doubt'
"""
MAILS = """
SELECT m.id, m.public_id::text, m.contact_id, c.email, EXISTS (SELECT FROM outbox o WHERE o.message_id = m.id)
  FROM messages m JOIN contacts c ON c.id = m.contact_id ORDER BY m.id
"""


@dataclass(frozen=True)
class Size:
    """`people` got MAILS_EACH mails each, of which a good two things are reported. `seconds`: the bodies are spread
    over so long, if the machine can. `attacks`: of each kind. `patience`: for what is stored to be folded."""

    people: int
    seconds: float
    attacks: int
    patience: float
    fault_every: float


FULL = Size(people=1_325, seconds=120, attacks=300, patience=120, fault_every=2.0)
SMOKE = Size(people=45, seconds=3, attacks=6, patience=30, fault_every=1.0)


class WebhookFold:
    name = "webhook_fold"
    has_calm_run = False
    mutants: Mapping[str, tuple[str, ...]] = {"webhooks.last_write_wins": (SUPPRESSED,)}

    def __init__(self) -> None:
        self._resend = Resend()

    def furnish(self, servers: Servers, env: Mapping[str, str], *, smoke: bool) -> None:
        manage(env, "import_workflow", str(JOURNEY), "--publish")
        with servers.connect(TEMPLATE) as connection:
            people.settle(connection, (SMOKE if smoke else FULL).people)
            connection.execute(people.ADDRESSES)
            connection.execute(MESSAGES, [MAILS_EACH])
            connection.execute(LOG)
            connection.execute(DOUBTS)
        manage(env, "rebuild_counters")  # of mail that no journey sent

    def settings(self, play: Play) -> dict[str, str]:
        chaos = {} if play.mutant else {"CARILLON_CHAOS": CHAOS.format(seed=play.seed)}
        return {"RESEND_WEBHOOK_SECRET": self._resend.secret, "IN_DOUBT_DEADLINE": "P1D", **chaos}

    def plan(self, play: Play) -> StubPlan:
        return StubPlan(seed=play.seed)

    def play(self, scene: Stage, play: Play) -> Run:
        size = SMOKE if play.smoke else FULL
        dice = random.Random(f"{play.seed}:webhooks")
        mails = [Mail(*row) for row in scene.rows(MAILS)]
        told = everything(mails, now=int(time.time()), seed=play.seed)
        signer = Signer((scene.requests.parent / "key.pem").read_text())
        knocks = genuine(told, copies=COPIES, signer=signer, resend=self._resend, dice=dice)
        knocks += attacks(told, size.attacks, signer=signer, resend=self._resend, dice=dice)
        dice.shuffle(knocks)
        crew = scene.start(_installation(scene.web_port, play))
        nemesis = Nemesis(
            crew=crew,
            services=scene.servers,
            weights=FAULTS if play.smoke else FULL_FAULTS,
            every=size.fault_every,
            seed=play.seed,
            record=scene.directory / "faults.jsonl",
            progress=lambda: scene.number("SELECT count(*) FROM webhook_inbox WHERE folded_at IS NOT NULL"),
        )
        if not play.mutant:
            nemesis.start()
        answers = asyncio.run(deliver(scene.base_url, knocks, senders=SENDERS, seconds=size.seconds))
        nemesis.stop()
        came_to_rest = scene.wait_until(
            lambda: not scene.number("SELECT count(*) FROM webhook_inbox WHERE folded_at IS NULL"), size.patience
        )
        faults = nemesis.collect()
        crew.stop()
        return Run(
            mutant=play.mutant,
            seconds=0,
            findings=tuple(_findings(scene, fold(mails, told), answers)),
            faults=by_kind(faults),
            figures={
                "reports": len(told),
                "told": len(told) * COPIES,
                "bodies": answers.taken,
                "sent again after a fault": answers.again,
                "processes started again": crew.restarts(),
                "came to rest": "yes" if came_to_rest else f"not within {size.patience:.0f} s",
            },
        )


def _installation(web_port: int, play: Play) -> list[Program]:
    if play.mutant:
        return [web(web_port), worker("webhooks")]
    crew = [web(web_port), worker("webhooks", 1), worker("webhooks", 2), dispatcher()]
    return crew if play.smoke else [*crew, worker("housekeeping"), beat()]


def _findings(scene: Stage, wanted: Fold, answers: Answers) -> Iterator[Finding]:
    yield _same_feedback(scene, wanted)
    yield _same_states(scene, wanted)
    yield _same_suppressions(scene, wanted)
    yield _told_once(scene, wanted)
    yield _no_impostor(scene, answers)
    yield checker.books_balance(scene)


def _same_feedback(scene: Stage, wanted: Fold) -> Finding:
    found: Counter[tuple[str, str, bool, int]] = Counter(
        (mid, kind, is_machine, at)
        for mid, kind, is_machine, at in scene.rows(
            """
            SELECT COALESCE(m.public_id::text, ''), f.kind, f.is_machine, extract(epoch FROM f.occurred_at)::bigint
              FROM message_feedback f LEFT JOIN messages m ON m.id = f.message_id
            """
        )
    )
    lost, more = wanted.feedback - found, found - wanted.feedback
    return Finding(
        "what is known of each mail is the set of what was told of it, each thing once",
        holds=not lost and not more,
        figures={"reports": found.total(), "lost": lost.total(), "twice, or never told": more.total()},
        examples=first([f"mail {mid}: {kind}" for mid, kind, _, _ in [*lost, *more]]),
        counts={"lost": lost.total(), "twice": more.total()},
    )


def _same_states(scene: Stage, wanted: Fold) -> Finding:
    query = "SELECT m.public_id::text, s.state FROM messages m JOIN message_states s ON s.message_id = m.id"
    found = {mid: state for mid, state in scene.rows(query)}
    wrong = sorted(mid for mid in found.keys() | wanted.states.keys() if found.get(mid) != wanted.states.get(mid))
    return Finding(
        "every mail's state is what the set of reports makes of it; every doubt that was reported of is over",
        holds=bool(found) and not wrong,
        figures={"mails": len(found), **dict(sorted(Counter(found.values()).items())), "wrong": len(wrong)},
        examples=first([f"mail {mid}: {found.get(mid)} for {wanted.states.get(mid)}" for mid in wrong]),
    )


def _same_suppressions(scene: Stage, wanted: Fold) -> Finding:
    found = {
        (address, scope, reason)
        for address, scope, reason in scene.rows(
            "SELECT a.shown, s.scope, s.reason FROM suppressions s JOIN addresses a ON a.id = s.address_id"
            " WHERE s.released_at IS NULL"
        )
    }
    missing, wrong = wanted.suppressed - found, found - wanted.suppressed
    return Finding(
        SUPPRESSED,
        holds=bool(found) and not missing and not wrong,
        figures={
            "suppressed": len(found),
            **{f"by {reason}": count for reason, count in sorted(Counter(reason for _, _, reason in found).items())},
            "missing": len(missing),
            "wrong": len(wrong),
        },
        examples=first([f"missing: {row}" for row in sorted(missing)] + [f"wrong: {row}" for row in sorted(wrong)]),
    )


def _told_once(scene: Stage, wanted: Fold) -> Finding:
    events = Counter(
        {
            (contact_id, kind): count
            for contact_id, kind, count in scene.rows(
                "SELECT contact_id, type, count(*) FROM contact_events WHERE type LIKE 'email_%%' GROUP BY 1, 2"
            )
        }
    )
    tallies = Counter(
        dict(
            scene.rows(
                "SELECT what, sum(n)::bigint FROM post_tallies WHERE what = ANY(%s) GROUP BY 1", [list(wanted.tallies)]
            )
        )
    )
    amiss = sorted(key for key in events.keys() | wanted.events.keys() if events[key] != wanted.events[key])
    off = sorted(what for what in wanted.tallies if tallies[what] != wanted.tallies[what])
    return Finding(
        "each thing is in the contact's log once, and each mail is tallied once for what it met",
        holds=not amiss and not off,
        figures={
            "events": events.total(),
            "contacts amiss": len(amiss),
            "tallied": tallies.total(),
            "tallies off": len(off),
        },
        examples=first(
            [f"contact {key[0]}, {key[1]}: {events[key]} / {wanted.events[key]}" for key in amiss]
            + [f"{what}: {tallies[what]} / {wanted.tallies[what]}" for what in off]
        ),
    )


def _no_impostor(scene: Stage, answers: Answers) -> Finding:
    traces = scene.number(
        "SELECT (SELECT count(*) FROM webhook_inbox WHERE position(%s::bytea IN body) > 0)"
        " + (SELECT count(*) FROM addresses WHERE shown LIKE %s)",
        [FORGED_DOMAIN.encode(), f"%{FORGED_DOMAIN}"],
    )
    return Finding(
        "forged, altered, unsigned and old bodies were all refused, and left no trace",
        holds=bool(answers.refused) and not answers.let_in and not traces,
        figures={**dict(sorted(answers.refused.items())), "let in": answers.let_in.total(), "traces": traces},
        examples=first([f"{kind}: {count} let in" for kind, count in answers.let_in.items()]),
    )
