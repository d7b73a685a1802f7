"""Charts, manifests and compose files, rendered and read as Kubernetes and Docker would."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from quipu_server.config import Settings
from quipu_server.rpc.health import LIVE
from tools import plain_manifest
from tools.plain_manifest import CHART, HELM, ROOT, render

DEPLOY = ROOT / "deploy"
CHECKER = ROOT / ".tools" / "bin" / "manifests"
EXTERNAL = {"postgresql.bundled": "false", "postgresql.external.existingSecret": "given"}
EVERYTHING = {
    "auth.existingSecret": "given",
    "tls.existingSecret": "given",
    "tls.requireClientCertificates": "true",
    "autoscaling.enabled": "true",
    "metrics.serviceMonitor.enabled": "true",
    "metrics.rules.enabled": "true",
    "metrics.dashboard.enabled": "true",
    "workers.enabled": "true",
    "settings.hot_bytes": "4000000000",
    "settings.trace_share": "0.1",
    "configFile": "pool_size = 5",
    "networkPolicy.clients": '[{"namespaceSelector":{"matchLabels":{"team":"a"}}}]',
    "extraEnv": '[{"name":"KEY","value":"x"}]',
    "podAnnotations": '{"a":"b"}',
    "nodeSelector": '{"disk":"ssd"}',
    "tolerations": '[{"key":"a","operator":"Exists"}]',
}
NOT_SETTINGS = {"config"}

Manifests = dict[tuple[str, str], Any]


def manifests(values: dict[str, str]) -> Manifests:
    """What the chart makes, by kind and name, after a check that Kubernetes would understand it."""
    text = render(values, "q")
    checked = subprocess.run([CHECKER], input=text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    found = [manifest for manifest in yaml.safe_load_all(text) if manifest]
    assert len(checked.stdout.splitlines()) == len(found)
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in found}


def server(made: Manifests) -> Any:
    return made["Deployment", "q"]["spec"]["template"]["spec"]


def environment(made: Manifests) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in server(made)["containers"][0]["env"]}


def refused(values: dict[str, str]) -> str:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        render(values)
    return str(caught.value.stderr)


def test_the_chart_is_linted() -> None:
    ended = subprocess.run([HELM, "lint", "--strict", CHART], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert "0 chart(s) failed" in ended.stdout


def test_by_default_there_is_a_database_with_a_volume() -> None:
    made = manifests({})
    database = made["StatefulSet", "q-database"]["spec"]
    assert database["replicas"] == 1
    assert database["volumeClaimTemplates"][0]["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert made["Deployment", "q"]["spec"]["replicas"] == 2
    assert {kind for kind, _ in made} == {
        "ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Secret", "Service", "ServiceAccount",
        "StatefulSet",
    } - {"ConfigMap"}  # fmt: skip
    allowed = made["NetworkPolicy", "q-database"]["spec"]["ingress"][0]["from"]
    assert allowed == [{"podSelector": made["Deployment", "q"]["spec"]["selector"]}]


def test_secrets_are_made_by_chance_and_differ() -> None:
    first, second = manifests({}), manifests({})
    for name, keys in {"q-auth": ("master-key", "key-secret"), "q-database": ("password",)}.items():
        for key in keys:
            values = {made["Secret", name]["data"][key] for made in (first, second)}
            assert len(values) == 2
            assert all(len(value) >= 40 for value in values)


def test_with_an_external_database_there_is_none_of_ours() -> None:
    made = manifests(EXTERNAL)
    assert not [kind for kind, _ in made if kind == "StatefulSet"]
    assert ("Secret", "q-database") not in made
    (volume,) = [volume for volume in server(made)["volumes"] if volume["name"] == "database"]
    assert volume["secret"] == {"secretName": "given", "items": [{"key": "database-url", "path": "url"}]}
    by_url = manifests({"postgresql.bundled": "false", "postgresql.external.url": "postgresql://u@h/d"})
    assert ("Secret", "q-database") in by_url


def test_everything_at_once() -> None:
    made = manifests(EVERYTHING)
    assert "replicas" not in made["Deployment", "q"]["spec"]
    assert made["HorizontalPodAutoscaler", "q"]["spec"]["scaleTargetRef"]["name"] == "q"
    monitored = made["ServiceMonitor", "q"]["spec"]["selector"]["matchLabels"].items()
    metrics = made["Service", "q-metrics"]
    assert monitored <= metrics["metadata"]["labels"].items()
    assert [port["name"] for port in metrics["spec"]["ports"]] == ["metrics"]
    assert made["PrometheusRule", "q"]["spec"] == yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    assert json.loads(made["ConfigMap", "q-dashboard"]["data"]["quipu.json"])["uid"] == "quipu"
    given = environment(made)
    assert (given["QUIPU_HOT_BYTES"], given["QUIPU_TRACE_SHARE"]) == ("4000000000", "0.1")
    container = server(made)["containers"][0]
    assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "metrics"}
    assert container["livenessProbe"]["tcpSocket"]


def test_probes_ask_for_life_and_readiness_apart() -> None:
    container = server(manifests({}))["containers"][0]
    assert container["livenessProbe"]["grpc"]["service"] == LIVE
    assert "service" not in container["readinessProbe"]["grpc"]


WORKERS = {"workers.enabled": "true", "workers.replicas": "3", "workers.jobs": "4", "settings.pool_size": "5"}


def test_workers_do_the_jobs_of_servers() -> None:
    made = manifests(WORKERS | {"configFile": "pool_size = 5"})
    deployment = made["Deployment", "q-worker"]["spec"]
    assert deployment["replicas"] == 3
    (container,) = deployment["template"]["spec"]["containers"]
    assert container["args"] == ["worker"]
    theirs = {entry["name"]: entry["value"] for entry in container["env"]}
    assert (theirs["QUIPU_JOB_WORKERS"], environment(made)["QUIPU_JOB_WORKERS"]) == ("4", "0")
    for name in ("QUIPU_POOL_SIZE", "QUIPU_DATABASE_URL", "QUIPU_CONFIG", "QUIPU_METRICS_PORT"):
        assert theirs[name] == environment(made)[name]
    assert "QUIPU_JOB_WORKERS" not in environment(manifests({}))
    assert environment(manifests(WORKERS | {"settings.job_workers": "1"}))["QUIPU_JOB_WORKERS"] == "1"


def test_workers_have_the_database_and_no_keys_of_callers() -> None:
    made = manifests(WORKERS)
    pod = made["Deployment", "q-worker"]["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    served = {volume["name"]: volume for volume in server(made)["volumes"]}
    assert volumes["database"] == served["database"]
    assert "auth" not in volumes
    mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert mounted == set(volumes)
    allowed = made["NetworkPolicy", "q-database"]["spec"]["ingress"][0]["from"]
    assert [peer["podSelector"] for peer in allowed] == [
        made["Deployment", name]["spec"]["selector"] for name in ("q", "q-worker")
    ]


def test_a_worker_is_probed_where_it_shows_metrics() -> None:
    made = manifests(WORKERS)
    (container,) = made["Deployment", "q-worker"]["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "metrics"}
    assert container["livenessProbe"]["tcpSocket"] == container["startupProbe"]["tcpSocket"] == {"port": "metrics"}
    assert [port["name"] for port in container["ports"]] == ["metrics"]
    metrics, servers = made["Service", "q-worker-metrics"], made["Service", "q-metrics"]
    assert metrics["metadata"]["labels"] == servers["metadata"]["labels"], "one ServiceMonitor finds both"
    assert metrics["spec"]["selector"] == made["Deployment", "q-worker"]["spec"]["selector"]["matchLabels"]
    ports = [rule["ports"] for rule in made["NetworkPolicy", "q-worker"]["spec"]["ingress"]]
    assert ports == [[{"port": "metrics", "protocol": "TCP"}]]


@pytest.mark.parametrize("values", [{}, EXTERNAL, EVERYTHING], ids=["default", "external", "everything"])
def test_the_environment_consists_of_settings(values: dict[str, str]) -> None:
    made = manifests(values)
    names = {name.removeprefix("QUIPU_").lower() for name in environment(made) if name.startswith("QUIPU_")}
    assert names <= set(Settings.model_fields) | NOT_SETTINGS
    given = {
        name: value
        for name, value in environment(made).items()
        if name.removeprefix("QUIPU_").lower() in Settings.model_fields
    }
    settings = Settings.model_validate(
        {n.removeprefix("QUIPU_").lower(): v for n, v in given.items() if "file:" not in v}
    )
    assert settings.metrics_port == 9464


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_pods_may_do_no_more_than_they_need(values: dict[str, str]) -> None:
    for (kind, _), manifest in manifests(values).items():
        if kind not in {"Deployment", "StatefulSet"}:
            continue
        pod = manifest["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        # A Service named quipu would set QUIPU_PORT to an address.
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]["memory"]
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replica": "3"}, "replica"),
        ({"replicas": "-1"}, "replicas"),
        ({"workers.jobs": "0"}, "jobs"),
        ({"workers.memory": "1Gi"}, "memory"),
        ({"postgresql.bundled": "false"}, "existingSecret"),
        ({"settings.master_key": "literal"}, "master_key"),
        ({"tls.requireClientCertificates": "true"}, "existingSecret"),
        ({"service.type": "Public"}, "service/type"),
        ({"metrics.serviceMonitor.interval": "soon"}, "interval"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, str], message: str) -> None:
    assert message in refused(values)


def test_every_value_is_in_the_schema_with_its_default() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    assert set(yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))) == set(schema["properties"]) - {"global"}


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {port: []}\n", 'unknown field "spec.port"'),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: http}]}\n", "cannot unmarshal"),
        ("apiVersion: apps/v1\nkind: Deploiment\nmetadata: {name: a}\n", "no kind"),
    ],
)
def test_the_checker_finds_what_is_wrong(broken: str, complaint: str) -> None:
    checked = subprocess.run([CHECKER], input=broken, capture_output=True, text=True, check=False)
    assert (checked.returncode, complaint in checked.stderr) == (1, True)


@pytest.mark.parametrize(
    ("path", "replicas"),
    [(plain_manifest.MANIFEST, {"quipu": 3}), (plain_manifest.WITH_WORKERS, {"quipu": 3, "quipu-worker": 2})],
)
def test_the_plain_manifests_are_those_of_the_chart(path: Path, replicas: dict[str, int]) -> None:
    text = path.read_text("utf-8")
    assert plain_manifest.page(path) == text
    checked = subprocess.run([CHECKER], input=text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    made = [manifest for manifest in yaml.safe_load_all(text) if manifest and manifest["kind"] == "Deployment"]
    assert {deployment["metadata"]["name"]: deployment["spec"]["replicas"] for deployment in made} == replicas
    assert "kind: Secret" not in text


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("compose*.yaml")), ids=lambda path: path.name)
def test_compose_files_name_what_is_there(path: Path) -> None:
    compose = yaml.safe_load(path.read_text("utf-8"))
    volumes = set(compose.get("volumes") or ())
    for name, service in compose["services"].items():
        assert {"image", "build", "extends"} & set(service), name
        if extended := service.get("extends"):
            assert extended["service"] in yaml.safe_load((DEPLOY / extended["file"]).read_text("utf-8"))["services"]
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            assert source in volumes or (source.startswith("./") and (DEPLOY / source).exists()), mount
        for variable in service.get("environment", {}):
            if variable.startswith("QUIPU_"):
                setting = variable.removeprefix("QUIPU_").lower()
                assert setting in Settings.model_fields, variable


def test_prometheus_reads_what_the_server_shows() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text("utf-8"))
    compose = yaml.safe_load((DEPLOY / "compose.observed.yaml").read_text("utf-8"))
    (target,) = config["scrape_configs"][0]["static_configs"][0]["targets"]
    assert target == f"quipu:{compose['services']['quipu']['environment']['QUIPU_METRICS_PORT']}"
    mounted = {mount.split(":")[1] for mount in compose["services"]["prometheus"]["volumes"]}
    assert {f"/etc/prometheus/{file}" for file in config["rule_files"]} <= mounted


def test_every_alert_has_a_runbook() -> None:
    from tests.unit.test_docs import anchors

    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            page, _, anchor = rule["annotations"]["runbook"].partition("#")
            assert anchor in anchors(ROOT / page), rule["alert"]
