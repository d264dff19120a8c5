"""The post office beside sendgrid's own client in fifty threads, and beside its own transport with nothing around it:
the same mail of 20 kB to an ESP that answers after 20 ms, over TLS as every ESP does.

Ours is the whole path on real workers: claim and gate (suppression, consent, cap, all under their locks), render, hand
over, write down, with PostgreSQL's and Redis's cost. The two others send words that are ready and write nothing down.
All must bring every message to the ESP once."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.bench import harness, mail
from tests.bench.child import Child
from tests.drills.rig import bells, machine, processes, stage
from tests.drills.rig.bells import TooManyBells
from tests.drills.rig.processes import Crew
from tests.drills.rig.servers import Servers

DATABASE = "bench_delivery"
OURS, SENDGRID, BARE = "carillon", "sendgrid's client, 50 threads", "bare transport, 50 under way"
GOAL_SENDGRID, GOAL_BARE = 20.0, 0.7
SENDERS = 3  # while one waits for the ESP or the database, the two cores have the others
JOURNEY = {
    "schema": 1,
    "name": "Bench delivery",
    "slug": "bench-delivery",
    "entry": {"trigger": {"type": "event", "event": "bench_started"}},
    "settings": {"lane": "urgent"},
    "start": "mail",
    "steps": {"mail": {"type": "send_email", "config": {"template": "bench-mail"}, "next": {"next": None}}},
}
CONTACTS = """
INSERT INTO contacts (id, external_id, email, attributes, timezone)
SELECT n, 'bench-' || n, 'bench-' || n || '@example.com', %s::jsonb || jsonb_build_object('seats', n), 'Europe/Berlin'
  FROM generate_series(1, %s) AS n
"""
MESSAGES = """
INSERT INTO messages (contact_id, channel, template_version_id, message_class, topic, lane, idempotency_key, created_at)
SELECT n, 'email', t.live_version_id, 'marketing', '', 'urgent', 'bench:' || n, now()
  FROM templates t, generate_series(1, %s) AS n
"""
OUTBOX = """
INSERT INTO outbox (message_id, lane, priority, contact_id, due_at)
SELECT id, lane, priority, contact_id, %s FROM messages ORDER BY id
"""


@dataclass(frozen=True)
class Size:
    """Messages a round."""

    ours: int
    sendgrid: int
    bare: int
    rounds: int


FULL = Size(ours=20_000, sendgrid=1_000, bare=20_000, rounds=3)
QUICK = Size(ours=4_000, sendgrid=200, bare=4_000, rounds=2)


class DeliveryBench:
    def __init__(self, servers: Servers, directory: Path, size: Size) -> None:
        self.servers, self.directory, self.size = servers, directory, size
        self._esp = _start_esp(directory)
        self._esp_url = f"https://127.0.0.1:{(directory / 'port').read_text()}"
        self._trust = ssl.create_default_context(cafile=directory / "authorities.pem")
        self.env = stage.product_env(
            servers,
            DATABASE,
            directory,
            EMAIL_PROVIDER="sendgrid",
            SENDGRID_API_KEY="stub",
            SENDGRID_API_URL=self._esp_url,
            ESP_RATE_LIMIT="100000",
            SSL_CERT_FILE=str(directory / "authorities.pem"),
        )
        self._crew: Crew | None = None
        self._child: Child | None = None
        self._before = (0, 0)

    def furnish(self) -> None:
        """Contacts of whom much is known, and the template."""
        stage.manage(self.env | {"DATABASE_OWNER_SESSION": "1"}, "migrate", "--no-input", "--verbosity", "0")
        template = {
            "slug": "bench-mail",
            "name": "Bench mail",
            "subject": mail.SUBJECT,
            "preheader": mail.PREHEADER,
            "html": mail.html(distinct=False),
            "text": mail.TEXT,
        }
        document = self.directory / "workflow.json"
        document.write_text(json.dumps({"workflow": JOURNEY, "templates": [template]}))
        stage.manage(self.env, "import_workflow", str(document), "--publish")
        with self._database() as database:
            database.execute(CONTACTS, [json.dumps(mail.attributes(distinct=False)), self.size.ours])
            database.execute("VACUUM ANALYZE contacts")

    def contenders(self) -> list[harness.Contender]:
        peers = "tests.bench.peers"
        return [
            harness.Contender(
                OURS, self._prepare_ours, self._run_ours, lambda: self._settle(OURS, self.size.ours), self._roots,
                self._workers,
            ),
            self._peer(BARE, f"{peers}.bare_transport.sending", self.size.bare),
            self._peer(SENDGRID, f"{peers}.sendgrid_client.sending", self.size.sendgrid),
        ]  # fmt: skip

    def _peer(self, what: str, module: str, count: int) -> harness.Contender:
        def prepare() -> None:
            self._before = self._counts()
            env = {**self.env, "DJANGO_SETTINGS_MODULE": "config.settings"}
            self._child = Child([sys.executable, "-m", module, str(count)], env)

        def run() -> int:
            assert self._child is not None
            self._child.go()
            return count

        return harness.Contender(what, prepare, run, lambda: self._settle(what, count), self._workers, self._workers)

    def _settle(self, what: str, count: int) -> None:
        """Speed means nothing if something did not arrive, or twice."""
        self.stop()
        taken, different = (now - before for now, before in zip(self._counts(), self._before, strict=True))
        if (taken, different) != (count, count):
            raise AssertionError(f"{what}: the ESP took {taken} mails of {different} messages, not {count}")
        if what == OURS:
            with self._database() as database:
                states: dict[str, int] = dict(
                    database.execute(
                        "SELECT kind || CASE kind WHEN 'retry' THEN ' ' || reason ELSE '' END, count(*)"
                        " FROM contact_send_log GROUP BY 1"
                    ).fetchall()
                )
            # on a busy machine a lease may pass before a request began, or a connection be refused: that claim is given
            # back, and taken again; each mail still came to the ESP once, as it has just said
            given_back = states.pop("not_started", 0) + states.pop("retry no_connection", 0)
            if states != {"claimed": count + given_back, "accepted": count}:
                raise AssertionError(f"{what}: the log says {states}")

    def _counts(self) -> tuple[int, int]:
        with urllib.request.urlopen(self._esp_url, timeout=10, context=self._trust) as response:
            counts = json.load(response)
        return counts["taken"], counts["different"]

    # -- ours ----------------------------------------------------------------------------------------------------------
    def _prepare_ours(self) -> None:
        """Workers that wait, and messages that are all due at the same instant: that is the shot."""
        self.servers.flush_redis()
        senders = [processes.worker("delivery_urgent", number) for number in range(1, SENDERS + 1)]
        self._crew = Crew(
            [*senders, processes.worker("housekeeping"), processes.beat()], self.env, self.directory / "logs"
        )
        self._crew.start()
        self._before = self._counts()
        with self._database() as database:
            database.execute("TRUNCATE messages, outbox, contact_send_log, contact_events, message_feedback CASCADE")
            row = database.execute("SELECT now() + make_interval(secs => %s)", [3 + self.size.ours / 5_000]).fetchone()
            assert row is not None
            database.execute(MESSAGES, [self.size.ours])
            database.execute(OUTBOX, row)
            database.execute("VACUUM ANALYZE messages, outbox")
            database.execute("CHECKPOINT")
            left = database.execute("SELECT extract(epoch FROM %s - clock_timestamp())::float", row).fetchone()
            assert left is not None and left[0] > 0, "they were due before they were all written"
        time.sleep(left[0])

    def _run_ours(self) -> int:
        """Until the last has its outcome."""
        ringing = TooManyBells(self.servers, [("delivery.deliver", "delivery_urgent")], times=SENDERS, every=0.5)
        for _ in range(SENDERS):
            bells.broker(self.servers).send_task(
                "delivery.deliver", kwargs={"lane": "delivery_urgent"}, queue="delivery_urgent"
            )
        ringing.start()
        try:
            with self._database() as database:
                deadline = time.monotonic() + 600
                while (row := database.execute("SELECT EXISTS (SELECT FROM outbox)").fetchone()) and row[0]:
                    if time.monotonic() > deadline:
                        raise TimeoutError("not everything was delivered within 600 s")
                    time.sleep(0.05)
        finally:
            ringing.stop()
        return self.size.ours

    def _roots(self) -> list[int]:
        return [*self.servers.roots(), *self._workers()]

    def _workers(self) -> list[int]:
        return [*(self._crew.pids() if self._crew else []), *([self._child.pid] if self._child else [])]

    def _database(self) -> psycopg.Connection:
        return self.servers.connect(DATABASE)

    def stop(self) -> None:
        for each in (self._crew, self._child):
            if each is not None:
                each.stop()
        self._crew = self._child = None

    def close(self) -> None:
        self.stop()
        self._esp.send_signal(signal.SIGTERM)
        self._esp.wait(10)


def _start_esp(directory: Path) -> subprocess.Popen[bytes]:
    port = directory / "port"
    port.unlink(missing_ok=True)
    with (directory / "esp.log").open("ab") as log:
        esp = processes.spawn([sys.executable, "-m", "tests.bench.slow_esp", str(directory)], stdout=log, stderr=log)
    deadline = time.monotonic() + 20
    while not port.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the stub ESP did not start; see {directory / 'esp.log'}")
        time.sleep(0.05)
    return esp


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    with Servers(directory / "servers", say=say) as servers:
        ground = machine.describe(postgresql=servers.version())
        servers.create_database(DATABASE)
        bench = DeliveryBench(servers, directory, size)
        try:
            bench.furnish()
            rounds = harness.interleave(bench.contenders(), size.rounds, say)
        finally:
            bench.close()
    rows = {what: harness.median_row(what, turns) for what, turns in rounds.items()}
    ours = rows[OURS]
    claims = [
        harness.at_least(
            f"CPU of a message: {SENDGRID} / ours", harness.cpu_ratio(ours, rows[SENDGRID]), GOAL_SENDGRID
        ),
        harness.at_least(
            f"messages a second: ours / {BARE}", ours.per_second / rows[BARE].per_second, GOAL_BARE
        ),
    ]  # fmt: skip
    return harness.Result(machine=ground, rows=list(rows.values()), claims=claims, rounds=rounds)
