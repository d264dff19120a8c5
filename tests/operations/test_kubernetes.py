"""deploy/kubernetes against the schemas of Kubernetes, what Kustomize makes of it, and what its autoscalers ask for."""

import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from analytics.health import queues
from config.lanes import LANES
from config.reference import installation
from tests.operations.deployed import KUBERNETES, manifests

VERSIONS = ("1.30", "1.34")  # the oldest that is still to be met, and a new one
ALL = list(manifests())
TOOLS = (["kubectl", "kustomize"], ["kustomize", "build"])
KUSTOMIZE = next((tool for tool in TOOLS if shutil.which(tool[0])), [])
needs_kustomize = pytest.mark.skipif(not KUSTOMIZE, reason="there is neither kubectl nor kustomize here")


def named(kind):
    return {document["metadata"]["name"]: document for _, document in ALL if document["kind"] == kind}


def build(folder):
    done = subprocess.run([*KUSTOMIZE, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("path", "document"), ALL, ids=[f"{p.stem}-{d['kind']}" for p, d in ALL])
def test_a_manifest_is_what_kubernetes_takes(path, document, version):
    kubernetes_validate.validate(document, version, strict=True)


def test_a_manifest_that_it_does_not_take_is_found():
    document = {**named("Service")["carillon-web"], "spec": {"portz": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)


def test_a_kustomization_names_every_file_beside_it():
    for path in KUBERNETES.rglob("kustomization.yaml"):
        beside = {each.name for each in path.parent.glob("*.yaml")} - {path.name}
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))["resources"]
        assert {name for name in listed if name.endswith(".yaml")} == beside
        assert all((path.parent / name).exists() for name in listed)


@needs_kustomize
def test_the_example_is_built_and_everything_that_it_names_is_in_it():
    documents = build(KUBERNETES / "overlays" / "example")
    assert len(documents) >= len([path for path, _ in ALL if "components" not in path.parts])
    names = {(document["kind"], document["metadata"]["name"]) for document in documents}
    for document in documents:
        kubernetes_validate.validate(document, VERSIONS[1], strict=True)
        assert document["metadata"]["namespace"] == "carillon"
        for container, pod in containers_of(document):
            assert container["image"] == "registry.internal/carillon:0.1.0"
            assert ("ConfigMap", container["envFrom"][0]["configMapRef"]["name"]) in names
            assert (
                "Secret",
                next(each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each),
            ) in names
            assert ("ServiceAccount", pod["serviceAccountName"]) in names
        if document["kind"] == "HorizontalPodAutoscaler":
            assert ("Deployment", document["spec"]["scaleTargetRef"]["name"]) in names
    secret = next(document for document in documents if document["kind"] == "Secret")
    wanted = {
        variable["value"].rpartition("/")[2]
        for document in documents
        for container, _ in containers_of(document)
        for variable in container["env"]
        if variable["name"].endswith("_FILE")
    }
    assert wanted == set(secret["data"])


@needs_kustomize
@pytest.mark.parametrize("component", ["kafka", "sandbox"])
def test_a_component_can_be_added(component, tmp_path):
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    example = tmp_path / "kubernetes" / "overlays" / "example"
    text = (example / "kustomization.yaml").read_text(encoding="utf-8")
    (example / "kustomization.yaml").write_text(f"{text}components: [../../components/{component}]\n", encoding="utf-8")
    assert f"carillon-{component}" in {document["metadata"]["name"] for document in build(example)}


def containers_of(document):
    if document["kind"] in ("Deployment", "Job"):
        pod = document["spec"]["template"]["spec"]
        yield from ((container, pod) for container in (*pod.get("initContainers", []), *pod["containers"]))


@pytest.mark.parametrize(("path", "document"), ALL, ids=[f"{p.stem}-{d['kind']}" for p, d in ALL])
def test_nobody_has_more_rights_than_he_needs(path, document):
    for container, pod in containers_of(document):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]["memory"] and container["resources"]["limits"]["memory"]
        written = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert written == {"/tmp", "/var/lib/carillon"}


def test_every_workload_is_selected_by_its_own_labels():
    labels = {}
    for name, document in {**named("Deployment"), **named("Job")}.items():
        labels[name] = document["spec"]["template"]["metadata"]["labels"]
        if document["kind"] == "Deployment":
            assert document["spec"]["selector"]["matchLabels"] == labels[name]
    assert len({tuple(sorted(each.items())) for each in labels.values()}) == len(labels)
    for name, document in named("PodDisruptionBudget").items():
        assert document["spec"]["selector"]["matchLabels"] == labels[name]
    web = named("Service")["carillon-web"]["spec"]["selector"]
    assert web == labels["carillon-web"]


@pytest.mark.django_db
def test_a_lane_grows_by_the_age_of_queues_that_there_are(now):
    scalers = named("HorizontalPodAutoscaler")
    grown = {name.removeprefix("carillon-worker-").replace("-", "_") for name in scalers}
    assert grown == set(LANES) - {"housekeeping"}, "its only queue has no age"
    served = {(queue.name, queue.lane) for queue in queues.read(now=now)}
    labels = {each.name: set(each.labels) for each in installation.metrics()}
    adapter = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text(encoding="utf-8"))
    (rule,) = adapter["rules"]["external"]
    for name, document in scalers.items():
        assert "replicas" not in named("Deployment")[name]["spec"], "else every update sets it back"
        (metric,) = (each["external"] for each in document["spec"]["metrics"])
        asked, (which,) = metric["metric"]["name"], metric["metric"]["selector"]["matchExpressions"]
        lane = metric["metric"]["selector"]["matchLabels"]["lane"]
        assert asked == rule["name"]["as"] and asked in rule["seriesQuery"]
        assert labels[asked] == {"queue", "lane"} and which["operator"] == "In"
        assert {(queue, lane) for queue in which["values"]} <= served
        patience = {"urgent": 10.0, "bulk": 600.0, "webhooks": 60.0}[lane]
        assert queues.TOO_OLD[lane] == patience and 0 < float(metric["target"]["value"]) < patience, "before it is late"
