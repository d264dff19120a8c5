"""The REST API as an integrator uses it, among a million contacts: through HTTP, with a key, on two web workers.

Beside it stands what most Django projects have, a ModelViewSet that is paged by number, in the same tables. It is given
an advantage: it asks for no key, counts no requests, and shows no consents, lists and segments, so a single contact
costs it less. What counts is what becomes of a page deep inside, and of a write when many are said at once."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import psycopg

from tests.bench import api_data, harness, http_load
from tests.bench.api_data import COMMON, EARLY, PAGE, RARE
from tests.bench.http_load import Ask
from tests.drills.rig import machine, processes, stage
from tests.drills.rig.processes import PYTHON, Crew, Program
from tests.drills.rig.servers import Servers, free_port

DATABASE = "bench_api"
Asks = Callable[[], list[Ask]]
WARM = 20  # requests of each kind before the first round
CONNECTIONS = 2  # one for each web worker, so that a request waits for its answer and for no other
BULK, NEAR = 500, 20  # contacts in a bulk; so many pages in a row are read at each depth, again and again
ONE, NARROW, KNOWN = "one contact", "one contact, two of its fields", "one contact, known by its ETag (304)"
FOUND, TIMELINE, MESSAGES = "a contact by its address", "a timeline, 50 entries", "the messages of a contact"
NEWEST_MESSAGES = "the newest 50 messages"
TAGGED, TAGGED_DEEP = "a page of a tag", "a page of a tag, half of all contacts deep"
TAGGED_OLD = "a page of a tag that only the oldest have"
UPSERT, UPSERTS, ENROL = "an upsert", f"upserts, {BULK} at once", "one contact into a journey"
PEER_ONE, PEER_TAGGED = "plain viewset: one contact", "plain viewset: a page of a tag"
PEER_TAGGED_OLD = "plain viewset: a page of a tag that only the oldest have"
SCOPES = "contacts:read,contacts:write,workflows:write,delivery:read"
GOAL_DEEP, GOAL_OFFSET, GOAL_KNOWN, GOAL_BULK, GOAL_P99_MS = 1.5, 10.0, 1.1, 10.0, 50.0


@dataclass(frozen=True)
class Size:
    """`depths`: how many contacts stand before a page. `reads`, `pages`, `offsets` (pages of the peer), `writes` (one
    by one): requests a round; `bulks`: of BULK contacts each."""

    people: int
    depths: tuple[int, ...]
    reads: int
    pages: int
    offsets: int
    writes: int
    bulks: int
    rounds: int


FULL = Size(
    people=1_000_000, depths=(1, 1_000, 10_000, 100_000, 900_000), reads=1_200, pages=120, offsets=8, writes=300,
    bulks=8, rounds=3,
)  # fmt: skip
QUICK = Size(
    people=30_000, depths=(1, 1_000, 25_000), reads=100, pages=40, offsets=20, writes=60, bulks=2, rounds=2
)  # fmt: skip


def page(depth: int) -> str:
    return f"a page of {PAGE}, {depth:,} deep"


def peer_page(depth: int) -> str:
    return f"plain viewset: a page of {PAGE}, {depth:,} deep"


class ApiBench:
    def __init__(self, servers: Servers, directory: Path, size: Size) -> None:
        self.servers, self.directory, self.size = servers, directory, size
        self.env = stage.product_env(servers, DATABASE, directory, API_REQUESTS_PER_MINUTE="1000000")
        self.seconds: dict[str, list[float]] = {}
        self._port, self._peer_port, self._key = free_port(), free_port(), ""
        self._crew: Crew | None = None
        self._peer: Crew | None = None
        self._ids: list[tuple[int, str]] = []  # of some contacts: their number, and what the API calls them
        self._etags: dict[str, str] = {}
        self._written = 0

    def furnish(self) -> None:
        stage.manage(self.env | {"DATABASE_OWNER_SESSION": "1"}, "migrate", "--no-input", "--verbosity", "0")
        document = self.directory / "workflow.json"
        document.write_text(json.dumps(api_data.WORKFLOW))
        stage.manage(self.env, "import_workflow", str(document), "--publish")
        self._key = stage.manage(self.env, "create_api_key", "--name", "bench", "--scopes", SCOPES).strip()
        told = min(api_data.TOLD, self.size.people // 5)
        chosen = random.Random(7).sample(range(1, told + 1), self.size.reads)
        with self._database() as database:
            api_data.fill(database, self.size.people)
            self._ids = [
                (number, str(public_id))
                for number, public_id in database.execute(
                    "SELECT id, public_id FROM contacts WHERE id = ANY(%s)", [chosen]
                ).fetchall()
            ]

    def start(self) -> None:
        """Both servers; then something of everything is read, unmeasured."""
        self._crew = Crew([processes.web(self._port)], self.env, self.directory / "logs")
        self._crew.start()
        application, bind = "tests.bench.peers.plain_rest.app:application", f"127.0.0.1:{self._peer_port}"
        command = [PYTHON, "-m", "gunicorn", "--workers", "2", "--threads", "8", "--bind", bind, application]
        first = f"http://{bind}/contacts/{self._ids[0][1]}/"
        peer = Program("peer", "web", command, is_ready=lambda log: processes.answers(first))
        self._peer = Crew([peer], self.env, self.directory / "logs")
        self._peer.start()
        self._check_cursors()
        for port, readings in ((self._port, self._readings()), (self._peer_port, self._peer_readings())):
            for asks in readings.values():
                http_load.ask(port, asks()[:WARM], key=self._key, connections=CONNECTIONS)

    def stop(self) -> None:
        for each in (self._crew, self._peer):
            if each is not None:
                each.stop()
        self._crew = self._peer = None

    def contenders(self) -> list[harness.Contender]:
        return [
            *(self._reading(what, asks) for what, asks in self._readings().items()),
            self._knowing(),
            self._writing(UPSERT, 1, self.size.writes),
            self._writing(UPSERTS, BULK, self.size.bulks),
            self._enrolling(),
            *(self._reading(what, asks, of_peer=True) for what, asks in self._peer_readings().items()),
        ]

    def _readings(self) -> dict[str, Asks]:
        people, pages = self.size.people, self.size.pages
        return {
            ONE: self._ones,
            NARROW: lambda: self._ones("?fields=external_id,email"),
            FOUND: self._by_address,
            **{page(depth): partial(self._pages, depth) for depth in self.size.depths},
            TAGGED: lambda: self._tagged(RARE),
            TAGGED_DEEP: lambda: self._tagged(COMMON, people // 2),
            TAGGED_OLD: lambda: self._tagged(EARLY),
            TIMELINE: lambda: self._of_contacts("/api/v1/contacts/{}/timeline?limit=50"),
            MESSAGES: lambda: self._of_contacts("/api/v1/messages/?contact={}"),
            NEWEST_MESSAGES: lambda: [Ask(f"/api/v1/messages/?limit={PAGE}", says=b'"results":[{')] * pages,
        }

    def _peer_readings(self) -> dict[str, Asks]:
        return {
            PEER_ONE: self._peer_ones,
            **{peer_page(depth): partial(self._peer_pages, depth) for depth in self.size.depths},
            PEER_TAGGED: lambda: self._peer_tagged(RARE),
            PEER_TAGGED_OLD: lambda: self._peer_tagged(EARLY),
        }

    # -- what is asked -------------------------------------------------------------------------------------------------
    def _ones(self, query: str = "") -> list[Ask]:
        return [
            Ask(f"/api/v1/contacts/{public_id}{query}", says=api_data.named(number)) for number, public_id in self._ids
        ]

    def _by_address(self) -> list[Ask]:
        return [
            Ask(f"/api/v1/contacts/?email=bench-{number}@example.com", says=api_data.named(number))
            for number, _ in self._ids
        ]

    def _pages(self, depth: int) -> list[Ask]:
        return [
            Ask(f"/api/v1/contacts/?limit={PAGE}&cursor={api_data.cursor(first + 1)}", says=api_data.named(first))
            for first in islice(self._firsts(depth), self.size.pages)
        ]

    def _firsts(self, depth: int) -> Iterator[int]:
        """With which contacts the pages at that depth begin."""
        start = self.size.people - depth // PAGE * PAGE
        while True:
            yield from range(start, start - NEAR * PAGE, -PAGE)

    def _tagged(self, tag: str, deep: int = 0) -> list[Ask]:
        begins = self._newest(tag) - deep
        place = f"&cursor={api_data.cursor(begins + 1)}" if deep else ""
        asked = f"/api/v1/contacts/?tag={tag}&limit={PAGE}{place}"
        return [Ask(asked, says=api_data.named(begins))] * self.size.pages

    def _newest(self, tag: str) -> int:
        return self.size.people // 10 if tag == EARLY else self.size.people

    def _of_contacts(self, path: str) -> list[Ask]:
        return [
            Ask(path.format(public_id), says=b'"results":[{') for _, public_id in islice(self._ids, self.size.pages)
        ]

    def _known(self) -> list[Ask]:
        return [Ask(each.path, headers={"If-None-Match": self._etags[each.path]}, status=304) for each in self._ones()]

    def _peer_ones(self) -> list[Ask]:
        return [Ask(f"/contacts/{public_id}/", says=api_data.named(number)) for number, public_id in self._ids]

    def _peer_pages(self, depth: int) -> list[Ask]:
        return [
            Ask(f"/contacts/?page={1 + (self.size.people - first) // PAGE}", says=api_data.named(first))
            for first in islice(self._firsts(depth), self.size.offsets)
        ]

    def _peer_tagged(self, tag: str) -> list[Ask]:
        return [Ask(f"/contacts/?tags__name={tag}", says=api_data.named(self._newest(tag)))] * self.size.offsets

    # -- contenders ----------------------------------------------------------------------------------------------------
    def _reading(self, what: str, asks: Asks, *, of_peer: bool = False) -> harness.Contender:
        prepared: list[Ask] = []

        def prepare() -> None:
            prepared[:] = asks()

        return self._contender(what, prepare, lambda: self._ask(what, prepared, of_peer=of_peer), of_peer=of_peer)

    def _knowing(self) -> harness.Contender:
        def prepare() -> None:
            asks = self._ones()
            answers = http_load.ask(self._port, asks, key=self._key, connections=1)
            self._etags = {each.path: answer.etag for each, answer in zip(asks, answers, strict=True)}

        return self._contender(KNOWN, prepare, lambda: self._ask(KNOWN, self._known()))

    def _writing(self, what: str, at_once: int, requests: int) -> harness.Contender:
        """Of people who are known, an attribute that changes: nobody is changed twice in a round."""
        prepared: list[Ask] = []

        def prepare() -> None:
            self._written += 1
            people = random.Random(self._written).sample(range(1, self.size.people + 1), at_once * requests)
            said = [
                {"external_id": f"bench-{number}", "attributes": {"plan": f"round-{self._written}"}}
                for number in people
            ]
            parts = [said[first : first + at_once] for first in range(0, len(said), at_once)]
            prepared[:] = [
                Ask("/api/v1/contacts/", "POST", json.dumps(part[0]).encode())
                if at_once == 1
                else Ask("/api/v1/contacts/bulk", "POST", json.dumps({"contacts": part}).encode())
                for part in parts
            ]

        def settle() -> None:
            with self._database() as database:
                (changed,) = database.execute(
                    "SELECT count(*) FROM contact_changes WHERE name = 'plan' AND new = to_jsonb(%s::text)",
                    [f"round-{self._written}"],
                ).fetchall()[0]
            if changed != at_once * requests:
                raise AssertionError(f"{what}: {changed} of {at_once * requests} contacts were changed")

        return self._contender(what, prepare, lambda: self._ask(what, prepared) * at_once, settle)

    def _enrolling(self) -> harness.Contender:
        """Somebody else each time."""
        entered = 0
        asks: list[Ask] = []

        def prepare() -> None:
            nonlocal entered
            with self._database() as database:
                ((entered,),) = database.execute("SELECT count(*) FROM workflow_enrolments").fetchall()
            bodies = [
                {"contact": {"external_id": f"bench-{1 + (entered + n) % self.size.people}"}}
                for n in range(self.size.writes)
            ]
            path = "/api/v1/workflows/bench-api/enrol"
            asks[:] = [Ask(path, "POST", json.dumps(body).encode(), says=b'"entered":1') for body in bodies]

        def settle() -> None:
            with self._database() as database:
                ((now,),) = database.execute("SELECT count(*) FROM workflow_enrolments").fetchall()
            if now - entered != len(asks):
                raise AssertionError(f"{now - entered} of {len(asks)} contacts were enrolled")

        return self._contender(ENROL, prepare, lambda: self._ask(ENROL, asks), settle)

    def _contender(
        self,
        what: str,
        prepare: Callable[[], None],
        run: Callable[[], int],
        settle: Callable[[], None] = lambda: None,
        *,
        of_peer: bool = False,
    ) -> harness.Contender:
        def workers() -> list[int]:
            crew = self._peer if of_peer else self._crew
            return crew.pids() if crew else []

        return harness.Contender(what, prepare, run, settle, lambda: [*self.servers.roots(), *workers()], workers)

    def _ask(self, what: str, asks: Sequence[Ask], *, of_peer: bool = False) -> int:
        port = self._peer_port if of_peer else self._port
        answers = http_load.ask(port, asks, key=self._key, connections=CONNECTIONS)
        self.seconds.setdefault(what, []).extend(each.seconds for each in answers)
        return len(answers)

    def _check_cursors(self) -> None:
        """That a page deep inside is what one comes to by following `next`."""
        onward = f"cursor={api_data.cursor(self.size.people - PAGE + 1)}&"
        first = Ask(f"/api/v1/contacts/?limit={PAGE}", says=onward.encode())
        http_load.ask(self._port, [first], key=self._key, connections=1)

    def _database(self) -> psycopg.Connection:
        return self.servers.connect(DATABASE)


def _claims(size: Size, rows: dict[str, harness.Row], latencies: dict[str, harness.Latency]) -> list[harness.Claim]:
    first, deep = size.depths[0], size.depths[-1]

    def ratio(what: str, beside: str) -> float:
        return harness.cpu_ratio(rows[beside], rows[what])

    return [
        harness.at_most(f"CPU: a page {deep:,} deep / the first", ratio(page(deep), page(first)), GOAL_DEEP),
        harness.at_most(f"CPU: {TAGGED_DEEP} / the newest page", ratio(TAGGED_DEEP, TAGGED), GOAL_DEEP),
        harness.at_most(f"CPU: {TAGGED_OLD} / one of the newest", ratio(TAGGED_OLD, TAGGED), GOAL_DEEP),
        harness.at_least(
            f"CPU of a page {deep:,} deep: plain viewset / ours", ratio(peer_page(deep), page(deep)), GOAL_OFFSET
        ),
        harness.at_least(f"CPU of {TAGGED_OLD}: plain viewset / ours", ratio(PEER_TAGGED_OLD, TAGGED_OLD), GOAL_OFFSET),
        harness.at_most("CPU: a contact that is known (304) / one that is not", ratio(KNOWN, ONE), GOAL_KNOWN),
        harness.at_least(f"CPU of a contact: an upsert / {BULK} at once", ratio(UPSERT, UPSERTS), GOAL_BULK),
        *(
            harness.at_most(f"ms until {what} is there, p99", latencies[what].p99_ms, GOAL_P99_MS)
            for what in (ONE, page(deep), UPSERT)
        ),
    ]


def run(directory: Path, *, quick: bool, say: Callable[[str], None]) -> harness.Result:
    size = QUICK if quick else FULL
    with Servers(directory / "servers", say=say) as servers:
        ground = machine.describe(postgresql=servers.version())
        servers.create_database(DATABASE)
        bench = ApiBench(servers, directory, size)
        try:
            bench.furnish()
            bench.start()
            rounds = harness.interleave(bench.contenders(), size.rounds, say)
        finally:
            bench.stop()
    rows = {what: harness.median_row(what, turns) for what, turns in rounds.items()}
    latencies = {what: harness.latency(what, seconds) for what, seconds in bench.seconds.items()}
    return harness.Result(
        machine=ground,
        rows=list(rows.values()),
        claims=_claims(size, rows, latencies),
        rounds=rounds,
        curves=[
            {"what": what, "points": [(depth, rows[of(depth)].cpu_us) for depth in size.depths]}
            for what, of in (("by cursor", page), ("plain viewset, by number", peer_page))
        ],
        over="contacts before the page",
        latencies=list(latencies.values()),
    )
