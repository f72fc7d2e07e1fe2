"""Tests the chart without a cluster: lint, golden files, refused values, schemas, references, kube-score, rules, the program itself.

Runs by the Python of `./dev tool chart`, beside which lie helm, helm-unittest, kube-score and promtool. AULM_GATEWAY_BIN is
the folder of aulm-gateway. With UPDATE_GOLDEN=1 the golden files are written anew.
"""

import contextlib
import copy
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import kubernetes_validate
import yaml

import references

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
CHART = ROOT / "helm/aulm-gateway"
TOOLS = pathlib.Path(sys.executable).parent
# The oldest Kubernetes that the chart takes, and the newest whose schemas are at hand.
KUBERNETES = ("1.30", "1.37")
VALUES = sorted((HERE / "values").glob("*.yaml"))
RULE_TESTS = ("rules_test.yaml", "rules_slow_test.yaml")
# Kinds of other projects; their fields are checked by custom_kinds.yaml.
CUSTOM = re.compile(r"(gateway\.networking|istio|cert-manager|monitoring\.coreos)")


def run(tool, *arguments, check=True, **options):
    done = subprocess.run([TOOLS / tool, *map(str, arguments)], capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{tool} {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
    return done


def render(*arguments, check=True, version=KUBERNETES[0]):
    return run("helm", "template", "gw", CHART, "-n", "messaging", "--kube-version", version, *arguments, check=check)


@functools.cache
def rendered(path):
    return render("-f", path).stdout


@functools.cache
def objects(text):
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def of_kind(text, kind):
    return [document for document in objects(text) if document["kind"] == kind]


def metric_names(expressions):
    """The names of our and of gRPC's metrics in PromQL, without the suffixes of a histogram's series."""
    names = re.findall(r"\b(?:aulm|grpc_server|process)_[a-z_]+(?![a-z_:])", " ".join(expressions))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names if not name.startswith("aulm_gateway_webhook_")}


def dashboard_expressions():
    dashboard = json.loads((CHART / "files/dashboard.json").read_text())
    asked = [target for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return [each["expr"] for each in asked + dashboard["annotations"]["list"]]


class RenderTest(unittest.TestCase):
    def test_lint_is_clean(self):
        run("helm", "lint", "--strict", "--kube-version", KUBERNETES[0], CHART)
        for path in VALUES:
            with self.subTest(path.stem):
                run("helm", "lint", "--strict", "--kube-version", KUBERNETES[0], CHART, "-f", path)

    def test_renders_are_the_golden_files(self):
        self.assertGreaterEqual(len(VALUES), 12)
        for path in VALUES:
            with self.subTest(path.stem):
                golden = HERE / "golden" / path.name
                if os.environ.get("UPDATE_GOLDEN"):
                    golden.write_text(rendered(path))
                self.assertEqual(golden.read_text(), rendered(path), "if that is meant, run with UPDATE_GOLDEN=1")
        stems = {path.name for path in VALUES}
        self.assertEqual(stems, {path.name for path in (HERE / "golden").glob("*.yaml")})

    def test_two_renders_are_the_same_bytes(self):
        for path in VALUES:
            with self.subTest(path.stem):
                self.assertEqual(rendered(path), render("-f", path).stdout)

    def test_objects_have_names_of_their_own(self):
        for path in VALUES:
            names = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects(rendered(path))]
            self.assertEqual(len(names), len(set(names)), path.stem)

    def test_selectors_are_name_and_instance_alone(self):
        for path in VALUES:
            for workload in of_kind(rendered(path), "StatefulSet") + of_kind(rendered(path), "Deployment"):
                labels = workload["spec"]["selector"]["matchLabels"]
                self.assertEqual(
                    labels, {"app.kubernetes.io/name": "aulm-gateway", "app.kubernetes.io/instance": "gw"}, path.stem
                )
                pod = workload["spec"]["template"]["metadata"]["labels"]
                self.assertLessEqual(labels.items(), pod.items())

    def test_another_configuration_starts_the_pods_anew(self):
        def checksum(path):
            workload = of_kind(rendered(path), "StatefulSet")[0]
            return workload["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

        self.assertNotEqual(checksum(HERE / "values/default.yaml"), checksum(HERE / "values/pacing.yaml"))

    def test_bad_values_are_refused_with_a_sentence(self):
        cases = yaml.safe_load((HERE / "refused.yaml").read_text())
        self.assertGreaterEqual(len(cases), 20)
        for case in cases:
            with self.subTest(case["name"]), tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
                yaml.safe_dump(case["values"], values)
                values.flush()
                done = render("-f", values.name, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(case["says"], " ".join(done.stderr.split()))

    def test_values_and_readme_are_as_the_schema_has_them(self):
        subprocess.run([sys.executable, HERE / "write_values.py", "--check", CHART], check=True)

    def test_unit_tests_pass(self):
        done = run("helm-unittest", "--strict", "--file", os.path.relpath(HERE, CHART) + "/unit/*_test.yaml", CHART)
        passed = int(re.search(r"Tests:\s+(\d+) passed", done.stdout)[1])
        self.assertGreaterEqual(passed, 100)


class ObjectsTest(unittest.TestCase):
    def test_objects_fit_the_schemas_of_kubernetes(self):
        seen = []
        for path in VALUES:
            for item in objects(rendered(path)):
                if CUSTOM.search(item["apiVersion"]) or item in seen:
                    continue
                seen.append(item)
                for version in KUBERNETES:
                    with self.subTest(path.stem, kind=item["kind"], version=version):
                        kubernetes_validate.validate(item, version, strict=True)

    def test_objects_of_other_projects_have_known_fields(self):
        kinds = yaml.safe_load((HERE / "custom_kinds.yaml").read_text())
        for path in VALUES:
            for item in objects(rendered(path)):
                if CUSTOM.search(item["apiVersion"]):
                    with self.subTest(path.stem, kind=item["kind"]):
                        self.check_fields(item["spec"], kinds[f"{item['apiVersion']}/{item['kind']}"], item["kind"])

    def check_fields(self, value, known, where):
        """Every field of `value` stands in `known`, a tree of names where {} takes anything."""
        if isinstance(value, list):
            for item in value:
                self.check_fields(item, known, where)
        elif isinstance(value, dict) and known:
            for name, nested in value.items():
                self.assertIn(name, known, where)
                self.check_fields(nested, known[name], f"{where}.{name}")

    def test_what_objects_refer_to_is_there(self):
        of_the_user = {
            "extras": ["gw-aulm-gateway has no ConfigMap authorities", "gw-aulm-gateway has no ConfigMap proxies"],
            "scheduling": ["messages has no service account messages"],
        }
        for path in VALUES:
            with self.subTest(path.stem):
                self.assertEqual(references.dangling(objects(rendered(path))), of_the_user.get(path.stem, []))

    def test_a_reference_to_nothing_is_found(self):
        def broken(kind, change):
            copies = copy.deepcopy([o for name in ("monitoring", "ingress", "jetstream-autoscaling")
                                    for o in objects(rendered(HERE / f"values/{name}.yaml"))])
            self.assertEqual(references.dangling(copies), [])
            change(next(o for o in copies if o["kind"] == kind)["spec"])
            return references.dangling(copies)

        def container(spec):
            return spec["template"]["spec"]["containers"][0]

        for kind, change in {
            "Service": lambda spec: spec["selector"].update(app="other"),
            "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"].update(app="other"),
            "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"].update(app="other"),
            "HorizontalPodAutoscaler": lambda spec: spec["scaleTargetRef"].update(name="other"),
            "ServiceMonitor": lambda spec: spec["endpoints"][0].update(port="other"),
            "Ingress": lambda spec: spec["rules"][0]["http"]["paths"][0]["backend"]["service"].update(name="other"),
            "StatefulSet": lambda spec: container(spec)["volumeMounts"][0].update(name="other"),
            "Deployment": lambda spec: container(spec)["ports"].clear(),
        }.items():
            with self.subTest(kind):
                self.assertNotEqual(broken(kind, change), [])

    def test_kube_score_finds_nothing(self):
        for path in VALUES:
            with self.subTest(path.stem), tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                # The pod of helm test lives for a second, and what a user adds is the user's.
                kept = [o for o in objects(rendered(path)) if o["kind"] != "Pod"]
                yaml.safe_dump_all(kept, file)
                file.flush()
                ignored = [
                    "container-image-pull-policy",  # a version's image does not change
                    "deployment-has-host-podantiaffinity",  # the pods are spread by topologySpreadConstraints
                    "statefulset-has-host-podantiaffinity",
                    "statefulset-pod-selector-labels-match-template-metadata-labels",  # tested above
                ]
                if path.stem in ("tls-secrets", "cert-manager"):
                    ignored += ["pod-probes-identical"]  # the kubelet's gRPC probe knows no TLS
                if path.stem in ("trial", "extras"):
                    ignored += ["pod-networkpolicy", "container-resources", "container-security-context-user-group-id"]
                    ignored += ["container-security-context-readonlyrootfilesystem", "container-ephemeral-storage-request-and-limit"]
                run("kube-score", "score", file.name, "--kubernetes-version", "v1.30", "--ignore-container-cpu-limit",
                    "--exit-one-on-warning", "--enable-optional-test", "container-seccomp-profile",
                    *[word for name in ignored for word in ("--ignore-test", name)])

    def test_every_pod_meets_the_restricted_standard(self):
        for path in VALUES:
            if path.stem == "extras":
                continue
            for item in objects(rendered(path)):
                spec = item["spec"]["template"]["spec"] if item["kind"] in ("StatefulSet", "Deployment") else item.get("spec")
                if item["kind"] not in ("StatefulSet", "Deployment", "Pod"):
                    continue
                with self.subTest(path.stem, kind=item["kind"]):
                    self.assertTrue(spec["securityContext"]["runAsNonRoot"])
                    self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                    self.assertFalse(spec["automountServiceAccountToken"])
                    for container in spec["containers"]:
                        self.assertEqual(container["securityContext"], {
                            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]}})


class RulesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        text = render("-f", HERE / "values/cert-manager.yaml").stdout
        cls.spec = of_kind(text, "PrometheusRule")[0]["spec"]
        cls.alerts = [rule for group in cls.spec["groups"] for rule in group["rules"] if "alert" in rule]
        pathlib.Path(cls.folder.name, "rules.yaml").write_text(yaml.safe_dump(cls.spec))

    def test_rules_are_sound(self):
        run("promtool", "check", "rules", "rules.yaml", cwd=self.folder.name)

    def test_alerts_fire_when_they_should_and_not_else(self):
        for name in RULE_TESTS:
            pathlib.Path(self.folder.name, name).write_text((HERE / name).read_text())
        run("promtool", "test", "rules", *RULE_TESTS, cwd=self.folder.name)

    def test_every_alert_is_tested(self):
        tested = set(re.findall(r'alertname="(\w+)"', "".join((HERE / name).read_text() for name in RULE_TESTS)))
        self.assertEqual({alert["alert"] for alert in self.alerts}, tested)

    def test_every_alert_has_an_entry_in_the_runbook(self):
        headings = re.findall(r"^### (AulmGateway\w+)$", (ROOT / "docs/operating.md").read_text(), re.M)
        self.assertEqual(sorted(alert["alert"] for alert in self.alerts), sorted(headings))

    def test_every_alert_says_what_and_where(self):
        for alert in self.alerts:
            with self.subTest(alert["alert"]):
                self.assertIn(alert["labels"]["severity"], ("critical", "warning"))
                self.assertTrue(alert["annotations"]["summary"].endswith("."))
                self.assertEqual(alert["annotations"]["runbook_url"], f"docs/operating.md#{alert['alert'].lower()}")


# What the program warns of in these values, and is to.
WARNINGS = {
    "callers": "listeners.grpc.tls: is absent, so callers' tokens cross the network in the clear unless a mesh encrypts "
    "them\n"
}


class ProgramTest(unittest.TestCase):
    """The chart against the program as it is."""

    @contextlib.contextmanager
    def configuration(self, path):
        """The configuration of these values in a file, with its Secrets as files in a folder of the test's."""
        with tempfile.TemporaryDirectory() as folder:
            config = of_kind(rendered(path), "ConfigMap")[0]["data"]["gateway.json"]
            for name in set(re.findall(r'"/run/secrets/([^"]+)"', config)):
                file = pathlib.Path(folder, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(self.secret(name))
            config = config.replace("/run/secrets", folder).replace("/var/lib/aulm-gateway", folder + "/store")
            file = pathlib.Path(folder, "gateway.json")
            file.write_text(config)
            yield file

    def secret(self, name):
        """What a Secret has under that name: a digest, a certificate, its key, or an aulm key."""
        if "sha256" in name:
            return hashlib.sha256(name.encode()).hexdigest().encode()
        if name.endswith((".crt", ".key")):
            certificate, key = self.certificate
            return key if name.endswith(".key") else certificate
        return f"alm_sk_test_{pathlib.Path(name).name}".encode()

    @functools.cached_property
    def certificate(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [pathlib.Path(folder, name) for name in ("certificate", "key")]
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                            "-subj", "/CN=gateway", "-days", "30", "-out", files[0], "-keyout", files[1]],
                           check=True, capture_output=True)
            return [file.read_bytes() for file in files]

    def gateway(self, *arguments):
        environment = {"PATH": os.environ["PATH"]}
        return [os.path.join(os.environ["AULM_GATEWAY_BIN"], "aulm-gateway"), *map(str, arguments)], environment

    def test_the_program_takes_what_the_chart_writes(self):
        for path in VALUES:
            with self.subTest(path.stem), self.configuration(path) as file:
                command, environment = self.gateway("--config", file, "--check-config")
                done = subprocess.run(command, env=environment, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stderr, WARNINGS.get(path.stem, ""))

    @functools.cached_property
    def metrics(self):
        """What /metrics of a gateway with the default values answers, once a delivery came and a send was refused."""
        with self.configuration(HERE / "values/default.yaml") as file:
            config = json.loads(file.read_text())
            for listener in config["listeners"].values():
                listener["address"] = "127.0.0.1:0"
            file.write_text(json.dumps(config))
            command, environment = self.gateway("--config", file)
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as gateway:
                try:
                    lines = [gateway.stdout.readline().split() for _ in range(3)]
                    address = {line[1]: line[2] for line in lines}
                    with contextlib.suppress(urllib.error.HTTPError):
                        urllib.request.urlopen(f"http://{address['webhook']}/webhooks/aulm", data=b"{}", timeout=30)
                    return urllib.request.urlopen(f"http://{address['admin']}/metrics", timeout=30).read().decode()
                finally:
                    gateway.terminate()

    def test_metrics_are_as_prometheus_wants_them(self):
        done = run("promtool", "check", "metrics", input=self.metrics)
        self.assertEqual(done.stdout + done.stderr, "")
        self.assertLessEqual(len(re.findall(r"^[^#\n]", self.metrics, re.M)), 2000)

    def test_metrics_of_calls_have_the_names_that_dashboards_know_from_the_start(self):
        services = (ROOT / "proto/aulm/gateway/v1").glob("*.proto")
        rpcs = {(s, m) for proto in services for text in [proto.read_text()]
                for s in re.findall(r"^service (\w+)", text, re.M)
                for m in re.findall(r"^  rpc (\w+)", text[text.index(f"service {s}"):].split("\n}\n")[0], re.M)}
        self.assertGreaterEqual(len(rpcs), 15)
        for service, method in rpcs:
            kind = "server_stream" if method == "SubscribeEvents" else "unary"
            labels = {f'grpc_type="{kind}"', f'grpc_service="aulm.gateway.v1.{service}"', f'grpc_method="{method}"'}
            for name in ("started_total", "msg_received_total", "msg_sent_total", "handling_seconds_count"):
                found = [line for line in self.metrics.splitlines() if line.startswith(f"grpc_server_{name}{{") and
                         labels <= set(re.findall(r'\w+="[^"]*"', line))]
                self.assertEqual([line.rsplit(" ", 1)[1] for line in found], ["0"], f"{name} of {method}")
            handled = {code for line in self.metrics.splitlines() if line.startswith("grpc_server_handled_total{") and
                       labels <= set(re.findall(r'\w+="[^"]*"', line)) for code in re.findall(r'grpc_code="(\w+)"', line)}
            self.assertIn("OK", handled, method)

    def test_alerts_dashboard_and_autoscaler_use_metrics_that_exist(self):
        rules = of_kind(rendered(HERE / "values/monitoring.yaml"), "PrometheusRule")[0]["spec"]["groups"]
        used = metric_names([rule["expr"] for group in rules for rule in group["rules"]] + dashboard_expressions())
        self.assertGreater(len(used), 20)
        scaler = of_kind(rendered(HERE / "values/jetstream-autoscaling.yaml"), "HorizontalPodAutoscaler")[0]
        used |= {metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"] if "pods" in metric}
        self.assertEqual(used - self.families, set())

    @functools.cached_property
    def families(self):
        """Every metric that the program can have: those of accounts, sessions and subscriptions begin with the first of them."""
        # A name and the words of its HELP.
        registered = re.compile(r'"((?:aulm|process)_\w+)"[),]\s*(?:\.Help\()?"[A-Z1]')
        of_sources = {n for source in (ROOT / "service").rglob("*.cc") for n in registered.findall(source.read_text())}
        self.assertGreater(len(of_sources), 80)
        return of_sources | set(re.findall(r"^# TYPE (\S+)", self.metrics, re.M))

    def test_every_metric_has_its_place_on_the_dashboard(self):
        excused = {
            "process_virtual_memory_bytes",  # reserved, not used: resident memory is shown
        }
        self.assertEqual(self.families - metric_names(dashboard_expressions()), excused)

    def test_the_dashboard_asks_prometheus_for_what_it_understands(self):
        expressions = [re.sub(r"\$__(rate_interval|range)", "5m", expression) for expression in dashboard_expressions()]
        rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
            run("promtool", "check", "rules", "rules.yaml", cwd=folder)

    def test_limits_and_pacing_are_fields_of_the_configuration_file(self):
        proto = (ROOT / "proto/aulm/gateway/config/v1/gateway_config.proto").read_text()
        schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]["properties"]

        def fields(message):
            body = re.search(rf"^message {message} {{$(.*?)^}}", proto, re.M | re.S)[1]
            return set(re.findall(r"^ +(?:optional |repeated )?[\w.]+ (\w+) = \d+", body, re.M))

        self.assertEqual(set(schema["limits"]["properties"]) - fields("Limits"), set())
        self.assertEqual(set(schema["sends"]["properties"]) - fields("Sends"), set())
        self.assertEqual(set(schema["pacing"]["properties"]) - fields("Pacing"), set())
        self.assertEqual(set(schema["pacing"]["properties"]["sessions"]["items"]["properties"]) - fields("SessionPacing"), set())

    def test_the_grpc_route_names_the_services_of_the_contract(self):
        protos = (ROOT / "proto/aulm/gateway/v1").glob("*.proto")
        contract = {f"aulm.gateway.v1.{s}" for proto in protos for s in re.findall(r"^service (\w+)", proto.read_text(), re.M)}
        route = of_kind(rendered(HERE / "values/gateway-api.yaml"), "GRPCRoute")[0]
        routed = {match["method"]["service"] for match in route["spec"]["rules"][0]["matches"]}
        self.assertEqual(contract, {service for service in routed if service.startswith("aulm.")})


if __name__ == "__main__":
    unittest.main()
