"""The rig that accuses or acquits the product must itself be right: its pure parts, and its parts on real processes."""

import base64
import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.drills.__main__ import DRILLS
from tests.drills.no_step_twice import way_of
from tests.drills.rig import checker, nemesis, people, processor, report, stub_plan, stub_webhooks
from tests.drills.rig.nemesis import Fault, Nemesis
from tests.drills.rig.processes import ROOT, Crew, Program
from tests.drills.rig.record import Journal, Request, read_lines
from tests.drills.rig.report import Finding, Report, Run
from tests.drills.rig.stub_plan import StubPlan
from tests.drills.webhook_fold import reports
from tests.drills.webhook_fold.reports import Mail, Told

GOOD, BAD = Finding("it holds", holds=True), Finding("it holds", holds=False)


def run_of(mutant: str, *findings: Finding) -> Run:
    return Run(mutant=mutant, seconds=1.0, findings=findings, to_catch=("it holds",))


def report_of(*runs: Run) -> Report:
    return Report(drill="x", seed=1, smoke=True, machine={}, runs=runs)


def test_a_drill_is_well_only_if_the_product_holds_and_every_mutant_is_caught():
    assert report_of(run_of("", GOOD), run_of("m", GOOD, BAD)).is_well
    assert not report_of(run_of("", BAD), run_of("m", BAD)).is_well
    assert not report_of(run_of("", GOOD), run_of("m", GOOD)).is_well
    assert not report_of(run_of("m", BAD)).is_well
    assert not report_of(run_of("")).is_well, "a run that checked nothing proves nothing"
    slow = Finding("it comes to rest", holds=False)
    assert not report_of(run_of("", GOOD), run_of("m", GOOD, slow)).is_well, "being slow is not being caught"


def test_a_mutant_that_a_drill_leaves_to_others_is_caught_by_another_in_its_smoke_form_too():
    drills = [make() for make in DRILLS.values()]
    left = {drill.name: set(getattr(drill, "left_to_others", ())) for drill in drills}
    assert any(left.values())
    for drill in drills:
        assert left[drill.name] <= set(drill.mutants)
        others = [set(other.mutants) - left[other.name] for other in drills if other is not drill]
        assert left[drill.name] <= set().union(*others)


def test_the_report_is_written_whole_and_says_whether_it_is_well(tmp_path):
    faults = {"web": {"faults": 2, "mended_after_median": 1.5, "mended_after_most": None, "never_mended": 1}}
    product = Run("", 1.0, (Finding("it holds", True, {"sent": 12_345}),), faults, {"rounds": 3})
    path = report.write(report_of(product, run_of("m", BAD)), tmp_path)
    assert json.loads(path.read_text())["ok"] is True
    table = report.table(report_of(product, run_of("m", GOOD)))
    assert "12,345" in table and "NOT CAUGHT" in table and table.endswith("FAILED")


def test_a_kind_of_fault_is_summed_up_with_its_mending():
    faults = [Fault("web", "web", 1.0, 0.5), Fault("web", "web", 2.0, None), Fault("web", "web", 3.0, 2.0)]
    assert nemesis.by_kind(faults)["web"] == {
        "faults": 3,
        "mended_after_median": 2.0,
        "mended_after_most": 2.0,
        "never_mended": 1,
    }


def test_the_stub_answers_a_message_the_same_way_whenever_it_comes():
    plan = StubPlan(seed=3, too_many=0.1, reset=0.1, hang=0.1)
    mids = [f"m{n}" for n in range(300)]
    first = {mid: stub_plan.answer(plan, mid, 0) for mid in mids}
    random.shuffle(mids)
    assert {mid: stub_plan.answer(plan, mid, 0) for mid in mids} == first
    assert {answer.verdict for answer in first.values()} == {"accepted", "too_many", "reset", "hang"}
    assert any(stub_plan.answer(plan, mid, 1) != first[mid] for mid in mids)


def test_the_stub_takes_what_it_answers_with_2xx_or_loses_the_answer_of():
    taken = {verdict for verdict in stub_plan.VERDICTS if stub_plan.Answer(verdict, 0).taken}
    assert taken == {"accepted", "hang", "reset"}


def test_a_misspelt_fault_of_the_stub_is_refused():
    with pytest.raises(ValueError, match="latensy"):
        stub_plan.read_plan({"latensy_ms": [1, 2]})


def test_the_stub_signs_as_sendgrid_does():
    private, public = stub_webhooks.new_key()
    body = b'[{"event":"delivered"}]'
    headers = stub_webhooks.Signer(private).headers(body)
    key = serialization.load_der_public_key(base64.b64decode(public))
    signature = base64.b64decode(headers[stub_webhooks.SIGNATURE])
    key.verify(signature, headers[stub_webhooks.TIMESTAMP].encode() + body, ec.ECDSA(hashes.SHA256()))


def test_a_line_that_a_kill_cut_off_is_not_read(tmp_path):
    journal = Journal(tmp_path / "log")
    journal.write({"n": 1})
    with (tmp_path / "log").open("ab") as file:
        file.write(b'{"n": 2')
    assert read_lines(tmp_path / "log") == [{"n": 1}]
    assert read_lines(tmp_path / "none") == []


def sent(mid: str, verdict: str) -> Request:
    taken = stub_plan.VERDICTS[verdict][1]
    return Request(after=1.0, by=1.1, mid=mid, to="a@example.com", verdict=verdict, taken=taken)


@pytest.mark.parametrize(
    ("requests", "holds"),
    [
        ([sent("a", "accepted"), sent("b", "accepted")], True),
        ([sent("a", "too_many"), sent("a", "unavailable"), sent("a", "accepted")], True),
        ([sent("a", "reset")], True),
        ([sent("a", "accepted"), sent("a", "accepted")], False),
        ([sent("a", "reset"), sent("a", "accepted")], False),
        ([sent("a", "hang"), sent("a", "too_many")], False),
    ],
)
def test_a_refused_request_may_be_repeated_and_a_lost_answer_may_not(requests, holds):
    assert checker.nothing_sent_twice(requests).holds is holds


@pytest.mark.django_db
def test_the_drills_people_have_the_address_rows_that_the_product_would_make(now):
    from django.db import connection

    from delivery import addresses

    with connection.cursor() as cursor:
        cursor.execute(people.CONTACTS, [3])
        cursor.execute(people.ADDRESSES)
        cursor.execute("SELECT count(*) FROM addresses")
        before = cursor.fetchone()
        assert len(addresses.rows(channel="email", given=[people.address(2)], now=now)) == 1
        cursor.execute("SELECT count(*) FROM addresses")
        assert cursor.fetchone() == before


def test_percentiles_are_of_the_nearest_rank():
    values = [float(n) for n in range(1, 101)]
    assert [checker.percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert checker.percentile([7.0], 0.99) == 7.0
    assert checker.percentile([], 0.5) is None


def test_the_oracle_knows_every_way_through_the_journey():
    ways = {tuple(way_of(n)) for n in range(12)}
    assert {way[1].split(":")[0] for way in ways} == {"mark_pro", "mark_free"}
    assert {way[-1] for way in ways} == {"finished:advanced:next", "elsewhere:left:"}


# -- real processes ----------------------------------------------------------------------------------------------------


def test_the_time_of_a_child_that_is_gone_is_counted_in_its_parent():
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    parent = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\nprint('done', flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "done\n"
        assert processor.descendants(process.pid) == []
        assert processor.cpu_seconds([process.pid]) >= 0.28
        assert processor.memory_mb([process.pid]) > 1
        process.communicate("\n")


def test_a_program_with_a_strange_name_is_read_right():
    line = "42 (a) b (c) R 7 42 42 0 -1 4194304 100 0 0 0 11 22 33 44 20 0 1 0 12345 1000 10"
    assert processor.read_stat(line) == processor.Stat(pid=42, parent=7, started=12345, own=33, reaped=77)


class NoServices:
    def flush_redis(self) -> None: ...

    def broker_faults(self) -> dict[str, float]:
        return {}


SLEEPER = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)"]


def test_a_killed_process_is_started_again_and_its_mending_is_written_down(tmp_path):
    program = Program("sleeper", "worker", SLEEPER, is_ready=lambda log: "ready" in log)
    crew = Crew([program], dict(os.environ), tmp_path)
    crew.start()
    try:
        villain = Nemesis(
            crew=crew,
            services=NoServices(),
            weights={"worker": 1.0},
            every=0.05,
            seed=1,
            record=tmp_path / "faults.jsonl",
            progress=lambda: 0,
        )
        villain.start()
        deadline = time.monotonic() + 20
        while crew.restarts() < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        villain.stop()
        faults = villain.collect()
    finally:
        crew.stop()
    assert len(faults) >= 2
    assert all(fault.target == "sleeper" and fault.mended_after > 0 for fault in faults)
    assert len(read_lines(tmp_path / "faults.jsonl")) == len(faults)
    assert crew.pids() == []


def test_a_fault_that_nobody_knows_is_refused(tmp_path):
    with pytest.raises(ValueError, match="earthquake"):
        Nemesis(
            crew=Crew([], {}, tmp_path),
            services=NoServices(),
            weights={"earthquake": 1.0},
            every=1,
            seed=1,
            record=tmp_path / "faults.jsonl",
            progress=lambda: 0,
        )


def test_the_stub_records_a_request_between_two_instants_that_enclose_it(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"latency_ms": [0, 1]}))
    command = [sys.executable, "-m", "tests.drills.rig.stub_esp", "--directory", str(tmp_path)]
    with subprocess.Popen(command) as stub:
        try:
            deadline = time.monotonic() + 20
            while not (tmp_path / "port").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            url = f"http://127.0.0.1:{(tmp_path / 'port').read_text()}/v3/mail/send"
            body = {"personalizations": [{"to": [{"email": "a@example.com"}], "custom_args": {"mid": "m"}}]}
            before = time.monotonic()
            data = json.dumps(body).encode()
            with urllib.request.urlopen(
                urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"}), timeout=10
            ) as response:
                assert response.status == 202
            after = time.monotonic()
        finally:
            stub.terminate()
    [row] = read_lines(tmp_path / "requests.jsonl")
    assert row["after"] < row["by"] < after
    assert row["by"] > before
    assert (row["mid"], row["to"], row["taken"]) == ("m", "a@example.com", True)


def test_a_program_with_a_wrong_clock_is_wrong_in_every_module_and_right_by_the_monotonic_clock():
    code = (
        "import json, time; from time import time as kept; print(json.dumps([time.time(), kept(), time.monotonic()]))"
    )
    module = [sys.executable, "-m", "tests.drills.rig.skewed", "-300", "-m", "timeit", "-n", "1", "-r", "1", code]
    done = subprocess.run(module, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    wrong, kept, monotonic = json.loads(done.stdout.splitlines()[0])
    assert wrong == pytest.approx(time.time() - 300, abs=60)
    assert kept == pytest.approx(wrong, abs=1)
    assert monotonic <= time.monotonic()


def mail_of(number: int) -> Mail:
    return Mail(number, f"mid-{number}", 1, "a@example.com", is_doubtful=number == 1)


def test_the_oracle_of_reports_folds_a_set_whatever_its_order():
    bounces = [Told(mail_of(n), reports.BLOCKED, 1_000_000 + n, "sendgrid") for n in range(1, 6)]
    between = Told(mail_of(6), reports.DELIVERED, 1_000_002, "sendgrid")
    mails = [mail_of(n) for n in range(1, 8)]
    worn_out = {("a@example.com", "email", "soft_bounce")}
    assert reports.fold(mails, bounces).suppressed == worn_out
    assert reports.fold(mails, [*bounces, replace(between, at=1_000_010)]).suppressed == worn_out
    assert reports.fold(mails, [*bounces, between]).suppressed == set()
    assert reports.fold(mails, bounces[1:]).suppressed == set()
    late = [replace(bounces[0], at=1_000_001 - 30 * reports.DAY), *bounces[1:]]
    assert reports.fold(mails, late).suppressed == set()
    assert reports.fold(mails, bounces) == reports.fold(mails, bounces[::-1])
    assert reports.fold(mails, bounces).states["mid-1"] == "accepted"
    assert reports.fold(mails, bounces[1:]).states["mid-1"] == "in_doubt"
    gone = Told(mail_of(7), reports.GONE, 5, "sendgrid")
    assert reports.fold(mails, [gone]).suppressed == {("a@example.com", "all", "hard_bounce")}
