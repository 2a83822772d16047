"""What is deployed: valid for Kubernetes, and as careful as its comments say."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest

from corehost.asgi import ReadinessGate
from corehost.config import load_settings
from support.deployed import WAYS, Document, chart_values, containers, environment, helm, plain, pods

ROOT = Path(__file__).parents[2]
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
OF_OPERATORS = {"ServiceMonitor"}
"""Kinds that Kubernetes does not bring, and has no schema for."""

every_way = pytest.mark.parametrize("way", WAYS)


def served(documents: list[Document]) -> tuple[Document, Document]:
    """The spec of the Deployment's pod, and its container."""
    (deployment,) = [document for document in documents if document["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    return pod, pod["containers"][0]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@every_way
def test_every_document_is_valid(variants: dict[str, list[Document]], way: str, version: str) -> None:
    """Kubernetes' own schemas, in which no unknown field may be, accept everything."""
    checked = [document for document in variants[way] if document["kind"] not in OF_OPERATORS]
    assert {document["kind"] for document in checked} >= {"Deployment", "Service", "PodDisruptionBudget"}
    for document in checked:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_mistake_in_a_manifest_is_found() -> None:
    """The validator sees a misspelt field deep inside."""
    (document,) = [found for found in plain(ROOT / "deploy" / "kubernetes") if found["kind"] == "Deployment"]
    document["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(document, NEWEST, strict=True)


@every_way
def test_only_readiness_waits_for_migrations(variants: dict[str, list[Document]], way: str) -> None:
    """Readiness asks for readiness; liveness and start-up never do, or a long migration would be killed."""
    paths = {name: value.default for name, value in inspect.signature(ReadinessGate).parameters.items()}
    _, container = served(variants[way])
    asked = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert asked == {
        "startupProbe": paths["live"],
        "livenessProbe": paths["live"],
        "readinessProbe": paths["ready"],
    }


@every_way
def test_no_pod_goes_before_another_is_ready(variants: dict[str, list[Document]], way: str) -> None:
    """The rolling update keeps every ready pod until a new one is ready."""
    (deployment,) = [document for document in variants[way] if document["kind"] == "Deployment"]
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@every_way
def test_a_pod_has_time_to_end_well(variants: dict[str, list[Document]], way: str) -> None:
    """Kubernetes waits for preStop, shutdown_grace and shutdown_timeout before it kills."""
    pod, container = served(variants[way])
    sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    settings = load_settings(environ=environment(container))
    needed = (settings.shutdown_grace + settings.shutdown_timeout).total_seconds()
    assert pod["terminationGracePeriodSeconds"] >= sleep + needed


@every_way
def test_a_migrating_job_has_time_to_end_well(variants: dict[str, list[Document]], way: str) -> None:
    """Kubernetes waits for its shutdown_grace, and gives up where trying again is useless."""
    for document in variants[way]:
        if document["kind"] == "Job":
            pod = document["spec"]["template"]["spec"]
            settings = load_settings(environ=environment(pod["containers"][0]))
            assert pod["terminationGracePeriodSeconds"] > settings.shutdown_grace.total_seconds()
            (rule,) = document["spec"]["podFailurePolicy"]["rules"]
            assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [2, 5])


@every_way
def test_nothing_runs_as_root_or_writes_its_image(variants: dict[str, list[Document]], way: str) -> None:
    """Every pod is an ordinary user's, and every container's root file system is read-only."""
    for pod in pods(variants[way]):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
    for container in containers(variants[way]):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


@every_way
def test_secrets_come_as_files(variants: dict[str, list[Document]], way: str) -> None:
    """No container gets a connection string in its environment; the files named lie in a mounted Secret."""
    for container in containers(variants[way]):
        told = environment(container)
        assert "valueFrom" not in str(container["env"])
        assert not {"COREHOST_DATABASE_URL", "COREHOST_MIGRATION_URL", "DATABASE_URL"} & set(told)
        folders = [mount["mountPath"] for mount in container["volumeMounts"] if mount.get("readOnly")]
        assert str(Path(told["COREHOST_DATABASE_URL_FILE"]).parent) in folders


@every_way
def test_corehost_knows_every_setting(
    variants: dict[str, list[Document]], way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No COREHOST_ variable is misspelt, and each value is one that the setting takes."""
    caplog.set_level(logging.WARNING)
    for container in containers(variants[way]):
        load_settings(environ=environment(container))
    assert caplog.messages == []


@pytest.mark.parametrize("way", ["pods", "job"])
def test_the_linter_of_helm_finds_nothing(way: str) -> None:
    """helm lint has no error and no warning; it recommends an icon."""
    found = helm(chart_values(way))["lint"]
    assert found["errors"] == []
    assert [message for message in found["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"replica": 3}, "'replica' not allowed"),
        ({"migrations": {"by": "hand"}}, "/migrations/by"),
        ({"image": {"tag": ""}}, "/image/tag"),
        ({"database": {"secret": ""}}, "/database/secret"),
        ({"userId": 0}, "/userId"),
    ],
)
def test_wrong_values_are_refused(wrong: Document, named: str) -> None:
    """Helm renders nothing from values that the chart's schema does not allow, and names them."""
    assert named in helm({**chart_values("pods"), **wrong})["error"]


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    """hadolint has nothing to say of the example's Dockerfile."""
    dockerfile = ROOT / "example_hosts" / "container" / "Dockerfile"
    program = Path(sys.executable).with_name("hadolint")
    finished = subprocess.run([program, dockerfile], capture_output=True, text=True)
    assert (finished.returncode, finished.stdout) == (0, "")
