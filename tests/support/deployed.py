"""What runs on Kubernetes: the plain manifests, and the chart as Helm itself renders it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "corehost-app"
WAYS = ("plain", "plain with a job", "chart, by pods", "chart, by job")
"""Every way to deploy, by name."""

# Helm is Go, in a library: a process of its own keeps its threads and signal handlers out of this one.
_HELM = """
import json, sys
import helm_python as helm

path, values = json.load(sys.stdin)
try:
    with helm.Chart.load(path) as chart:
        rendered = chart.render(values, name="shop", namespace="shop")
    print(json.dumps({"rendered": rendered, "lint": helm.lint(path, values)}))
except helm.HelmError as error:
    print(json.dumps({"error": str(error)}))
"""

Document = dict[str, Any]


def helm(values: Document) -> Document:
    """The chart rendered with these values, and what Helm's linter says of it; or Helm's error."""
    finished = subprocess.run(
        [sys.executable, "-c", _HELM], input=json.dumps([str(CHART), values]), capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    found: Document = json.loads(finished.stdout)
    return found


def documents(text: str) -> list[Document]:
    """The documents of a YAML stream."""
    return [document for document in yaml.safe_load_all(text) if document]


def merged(document: Document, patch: Document) -> Document:
    """A document after a strategic merge patch: lists of named things are merged by their names."""
    result = dict(document)
    for key, value in patch.items():
        old = result.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            result[key] = merged(old, value)
        elif isinstance(value, list) and isinstance(old, list):
            named = {item["name"]: item for item in old}
            for item in value:
                named[item["name"]] = merged(named.get(item["name"], {}), item)
            result[key] = list(named.values())
        else:
            result[key] = value
    return result


def plain(folder: Path) -> list[Document]:
    """The documents of a folder's manifests."""
    return [document for file in sorted(folder.glob("*.yaml")) for document in documents(file.read_text())]


def ways() -> dict[str, list[Document]]:
    """The documents that reach the cluster, by way."""
    folder = DEPLOY / "kubernetes"
    optional = plain(folder / "optional")
    (patch,) = [document for document in optional if document["kind"] == "Deployment"]
    patched = [merged(found, patch) if found["kind"] == "Deployment" else found for found in plain(folder)]
    by_name = {
        "plain": plain(folder),
        "plain with a job": [*patched, *(found for found in optional if found is not patch)],
        **{f"chart, by {way}": chart(way) for way in ("pods", "job")},
    }
    assert tuple(by_name) == WAYS
    return by_name


def chart_values(way: str) -> Document:
    """The values that the chart's own tests give."""
    values: Document = yaml.safe_load((CHART / "ci" / f"{way}-values.yaml").read_text())
    return values


def chart(way: str) -> list[Document]:
    """The chart's documents with these values."""
    result = helm(chart_values(way))
    assert "error" not in result, result
    texts = [text for name, text in sorted(result["rendered"].items()) if name.endswith(".yaml")]
    return [document for text in texts for document in documents(text)]


def containers(documents: list[Document]) -> Iterator[Document]:
    """All containers of all pods."""
    for pod in pods(documents):
        yield from (*pod.get("initContainers", []), *pod["containers"])


def pods(documents: list[Document]) -> Iterator[Document]:
    """The specs of all pods."""
    for document in documents:
        if document["kind"] in ("Deployment", "Job"):
            yield document["spec"]["template"]["spec"]


def environment(container: Document) -> dict[str, str]:
    """What of corehost a container is told."""
    return {item["name"]: item["value"] for item in container["env"] if item["name"].startswith("COREHOST_")}
