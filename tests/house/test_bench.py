"""The bench harness: what it publishes, and that it compares like with like."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from delivery.authoring import mustache
from tests.bench import api_data, harness, http_load, intake_stream, journey, lateness, mail, timers
from tests.bench.harness import Claim, Contender, Result, Round
from tests.bench.peers.naive import tasks as naive


def round_of(items: int, seconds: float, cpu: float) -> Round:
    return Round(items=items, seconds=seconds, cpu=cpu, rss_mb=100.0)


def test_a_row_is_the_median_of_its_rounds():
    row = harness.median_row("ours", [round_of(100, 1.0, 0.01), round_of(100, 2.0, 0.02), round_of(100, 50.0, 0.9)])
    assert (row.items, row.per_second, row.cpu_us, row.rss_mb) == (100, 50.0, 200.0, 100.0)


def test_a_claim_holds_from_its_goal_on():
    assert harness.at_least("x", 100.0, 100.0).holds
    assert not harness.at_least("x", 99.999, 100.0).holds


def test_the_ratio_is_how_many_times_our_cost_theirs_is():
    ours, theirs = (harness.median_row(what, [round_of(100, 1.0, cpu)]) for what, cpu in [("a", 0.01), ("b", 1.5)])
    assert harness.cpu_ratio(ours, theirs) == pytest.approx(150.0)


def test_contenders_take_turns_and_only_the_run_is_measured():
    deeds: list[str] = []

    def contender(name: str) -> Contender:
        def run() -> int:
            deeds.append(f"{name} runs")
            return 10

        return Contender(
            what=name,
            prepare=lambda: deeds.append(f"{name} prepares"),
            run=run,
            settle=lambda: deeds.append(f"{name} settles"),
            roots=lambda: [os.getpid()],
            workers=lambda: [os.getpid()],
        )

    rounds = harness.interleave([contender("a"), contender("b")], 2, say=lambda line: None)
    turn = ["a prepares", "a runs", "a settles", "b prepares", "b runs", "b settles"]
    assert deeds == turn * 2
    assert [len(turns) for turns in rounds.values()] == [2, 2]
    assert rounds["a"][0].items == 10


def test_the_json_is_what_the_contract_says(tmp_path):
    row = harness.median_row("ours", [round_of(100, 1.0, 0.01)])
    result = Result(machine={"cores": 2}, rows=[row], claims=[harness.at_least("fast", 3.0, 2.0)], rounds={})
    written = json.loads(harness.write(tmp_path, "engine", result, quick=True).read_text())
    assert written["quick"] is True
    assert written["machine"] == {"cores": 2}
    assert written["rows"] == [{"what": "ours", "items": 100, "per_second": 100.0, "cpu_us": 100.0, "rss_mb": 100.0}]
    assert written["claims"] == [{"name": "fast", "value": 3.0, "goal": 2.0, "holds": True}]
    assert "FAILS" in harness.table([row], [Claim("slow", 1.0, 2.0, False)])


def test_the_benchs_journey_is_one_that_the_product_publishes():
    from workflows.definition.validation import validate

    assert [problem for problem in validate(journey.definition()) if problem.severity == "error"] == []


def test_the_naive_peer_decides_each_branch_both_ways():
    conditions = [step["config"]["arms"][0]["if"] for step in journey.definition()["steps"].values()]
    yes = {"plan": "pro", "country": "DE", "seats": 150, "job_title": "Brand director", "mrr": 900,
           "company_size": 5, "industry": "software"}  # fmt: skip
    assert [naive.holds(condition, yes) for condition in conditions] == [True] * journey.STEPS
    assert [naive.holds(condition, {}) for condition in conditions] == [False] * journey.STEPS
    with pytest.raises(ValueError, match="does not know"):
        naive.holds({"has_tag": "vip"}, yes)


def test_intakes_stream_is_the_same_for_everybody_and_says_what_has_to_come_of_it():
    from workflows.definition.validation import validate

    assert [problem for problem in validate(intake_stream.definition()) if problem.severity == "error"] == []
    events = list(intake_stream.elements(1, 400, people=50))
    assert events == [
        event for body in intake_stream.bodies(1, 400, 100, people=50) for event in json.loads(body)["events"]
    ]
    awaited = sum(event["type"] == intake_stream.TRIGGER for event in events)
    assert awaited == len(events) * intake_stream.AWAITED == 40
    outcome = intake_stream.outcome(1, 400, people=50)
    assert outcome.stored == 380
    assert 0 < outcome.enrolled <= 54


def test_the_journey_of_the_apis_bench_is_one_that_the_product_publishes():
    from workflows.definition.validation import validate

    assert [problem for problem in validate(api_data.WORKFLOW["workflow"]) if problem.severity == "error"] == []


def test_of_what_was_waited_for_the_middle_and_the_last_hundredth_are_told():
    waited = harness.latency("a page", [number / 1000 for number in range(200, 0, -1)])
    assert (waited.requests, waited.p50_ms, waited.p99_ms) == (200, 100.0, 198.0)
    assert harness.latency("a page", [0.002]) == harness.Latency("a page", 1, 2.0, 2.0)
    assert "198.0" in harness.table([], [], [waited])


def test_a_page_that_does_not_say_what_it_should_is_no_answer():
    """Whom a bench asks may be wrong, but not unnoticed."""
    with HTTPServer(("127.0.0.1", 0), Echo) as server, ThreadPoolExecutor(1) as threads:
        serving = threads.submit(server.serve_forever)
        try:
            port = server.server_address[1]
            right = [http_load.Ask(f"/bench-{n}", says=b"/bench-%d" % n) for n in range(6)]
            answers = http_load.ask(port, right, key="k", connections=2)
            assert [(each.size, each.etag) for each in answers] == [(8, '"7"')] * 6
            for wrong in (http_load.Ask("/bench-1", says=b"/bench-2"), http_load.Ask("/bench-1", status=304)):
                with pytest.raises(AssertionError, match="bench-1"):
                    http_load.ask(port, [*right, wrong], key="k", connections=2)
        finally:
            server.shutdown()
            serving.result(10)


class Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("ETag", '"7"')
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_: object) -> None:
        pass


def test_the_timers_journey_is_one_that_the_product_publishes():
    from workflows.definition.validation import validate

    assert [problem for problem in validate(timers.DEFINITION) if problem.severity == "error"] == []


def test_lateness_is_told_in_percentiles_and_who_ended_early_is_counted():
    late = lateness.of([number / 1000 for number in range(100)])
    assert (late.count, late.p50, late.p99, late.most, late.early) == (100, 0.05, 0.099, 0.099, 0)
    assert lateness.of([-0.001, 0.002]).early == 1
    assert lateness.of([0.003], early=1).early == 1


@pytest.mark.parametrize("distinct", [True, False])
def test_the_benches_mail_is_what_it_is_said_to_be_and_every_tag_finds_something(distinct):
    source, data = mail.html(distinct=distinct), mail.data(distinct=distinct)
    assert 19_000 < len(source) < 21_000
    assert source.count("{{") == 204
    filled = mustache.render(source, data, escape=True)
    assert "> and " not in filled and " and <" not in filled and filled.count("shop.example.com") == 8
    assert filled.count("Smith &amp; Sons") == (1 if distinct else 65)
