"""compose.yaml, deploy/kubernetes and deploy/systemd start what `bin/up` starts: everything, and nothing else."""

import pytest
from django.urls import resolve

from config import pulse
from config.lanes import LANES, queues_of
from tests.operations import deployed

SERVERS = {"postgres", "redis", "nginx"}


@pytest.fixture
def expected(tmp_path, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.internal:9092")
    monkeypatch.delenv("EMAIL_PROVIDER", raising=False)
    return deployed.expected(tmp_path)


def own(name):
    """As the code names it."""
    found = name.removeprefix("carillon-").removeprefix("worker-").replace("-", "_")
    return {"migrate": "prepare"}.get(found, found)


def containers():
    """(name, pod, container) of every workload of Kubernetes'."""
    for _, document in deployed.manifests():
        if document["kind"] in ("Deployment", "Job"):
            pod = document["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            yield own(document["metadata"]["name"]), pod, container


def test_compose_starts_every_process(expected):
    services = deployed.compose()["services"]
    found = {own(name): deployed.words(of["command"]) for name, of in services.items() if name not in SERVERS}
    assert found == expected


def test_kubernetes_starts_every_process(expected):
    assert {name: deployed.words(container["command"]) for name, _, container in containers()} == expected


def test_systemd_starts_every_process(expected):
    found = {name: deployed.words(command) for name, (command, _, _) in deployed.services().items()}
    for lane in LANES:
        at = found[lane].index("-Q") + 1
        listened = found[lane][at].split(",")
        assert set(queues_of(lane).split(",")) <= set(listened) <= {lane, f"{lane}_eta"}
        found[lane][at] = queues_of(lane)
    assert found == expected


def test_the_web_listens_where_everybody_looks_for_it():
    image = (deployed.ROOT / "Dockerfile").read_text(encoding="utf-8")
    web = next(container for name, _, container in containers() if name == "web")
    (port,) = web["ports"]
    (service,) = [document for _, document in deployed.manifests() if document["kind"] == "Service"]
    assert port["containerPort"] == pulse.PORT == service["spec"]["ports"][0]["port"]
    assert f"EXPOSE {pulse.PORT}\n" in image
    for command in (web["command"], deployed.compose()["services"]["web"]["command"]):
        assert command[command.index("--bind") + 1] == f"0.0.0.0:{pulse.PORT}"
    assert f"s#127.0.0.1:8000#web:{pulse.PORT}#" in deployed.compose()["services"]["nginx"]["command"][2]


def test_who_is_asked_whether_he_is_well_can_answer():
    """Every probe names a route of ours, or a name that config.pulse knows and that is his own."""
    asked = set()
    for name, _, container in containers():
        for probe in (container.get(each) for each in ("startupProbe", "livenessProbe", "readinessProbe")):
            if probe and "httpGet" in probe:
                assert name == "web" and resolve(probe["httpGet"]["path"])
                assert {"name": "Host", "value": "localhost"} in probe["httpGet"]["httpHeaders"]
                asked.add(name)
            elif probe:
                assert probe["exec"]["command"] == ["python", "-m", "config.pulse", name]
                asked.add(name)
    assert asked == {"web", *pulse.NAMES}
    services = deployed.compose()["services"]
    tests = {own(name): of["healthcheck"]["test"] for name, of in services.items() if "test" in of["healthcheck"]}
    assert {name: test[1:] for name, test in tests.items() if name not in SERVERS} == {
        name: ["python", "-m", "config.pulse", name] for name in ("web", *pulse.NAMES)
    }
    assert set(services) - set(tests) - {name.replace("_", "-") for name in tests} == {"migrate", "beat", "sandbox"}


def test_who_stops_has_the_time_that_its_work_may_take(settings):
    longest = settings.CELERY_TASK_TIME_LIMIT
    services = deployed.compose()["services"]
    for name, pod, _ in containers():
        if name in LANES:
            assert pod["terminationGracePeriodSeconds"] >= longest
            assert int(services[name.replace("_", "-")]["stop_grace_period"].removesuffix("s")) >= longest
            assert deployed.services()[name][2] >= longest


def test_every_setting_that_is_named_is_one():
    named: set[str] = set()
    for service in deployed.compose()["services"].values():
        if service["image"].startswith("carillon:"):
            named |= set(service["environment"])
    for _, pod, container in containers():
        for each in (container, *pod.get("initContainers", [])):
            named |= {variable["name"] for variable in each["env"]}
    for _, environment, _ in deployed.services().values():
        named |= set(environment)
    assert {"DATABASE_URL_FILE", "CARILLON_STATE_DIR", "DATABASE_OWNER_SESSION"} <= named
    unknown = {name for name in named - deployed.OTHERS if name.removesuffix("_FILE") not in deployed.DOCUMENTED}
    assert unknown == set()


@pytest.mark.parametrize("where", ["compose", "kubernetes", "systemd"])
def test_only_who_migrates_is_without_time_limits(where):
    found = {
        "compose": lambda: {
            own(name) for name, of in deployed.compose()["services"].items()
            if "DATABASE_OWNER_SESSION" in of.get("environment", {})
        },
        "kubernetes": lambda: {
            name for name, _, container in containers()
            if "DATABASE_OWNER_SESSION" in {variable["name"] for variable in container["env"]}
        },
        "systemd": lambda: {
            name for name, (_, added, _) in deployed.services().items() if "DATABASE_OWNER_SESSION" in added
        },
    }[where]()  # fmt: skip
    assert found == {"prepare"}
