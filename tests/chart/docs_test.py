"""Follows the pages of docs/ that put the gateway into production as a new user does: what they show is rendered, run or looked up.

kubectl is a stand-in that writes down what it was told: there is no cluster. Runs as chart_test.py does.
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import textwrap
import unittest

import yaml

from chart_test import CHART, KUBERNETES, ROOT, TOOLS, objects, of_kind, run

PAGES = [ROOT / "docs" / f"{name}.md" for name in ("deploying", "operating", "upgrading", "backup", "callers")]
BIN = pathlib.Path(os.environ["AULM_GATEWAY_BIN"])
KUBECTL = '#!/bin/sh\nprintf "%s\\n" "$*" >> kubectl.log\n'


def blocks(page, language):
    return [textwrap.dedent(block) for block in re.findall(rf"^ *```{language}\n(.*?)^ *```$", page.read_text(), re.M | re.S)]


def commands(program):
    """Every use of the program in the pages' blocks and in their lines, as one word list each, without what follows in a shell."""
    for page in PAGES:
        text = page.read_text()
        for found in re.findall(rf"(?:^ *|`|-- ){program} ([^`\n|#]+)", text, re.M):
            yield page.name, found.split()


class DeployingTest(unittest.TestCase):
    page = ROOT / "docs/deploying.md"

    def follow(self, script):
        """Runs lines of the page in a new folder, beside the chart, with a stand-in for kubectl; what kubectl was told."""
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "helm").symlink_to(CHART.parent)
        (folder / "values.yaml").write_text("\n".join(blocks(self.page, "yaml")))
        (folder / "bin").mkdir()
        (folder / "bin/kubectl").write_text(KUBECTL)
        (folder / "bin/kubectl").chmod(0o755)
        environment = {"PATH": f"{folder}/bin:{TOOLS}:/usr/bin:/bin", "HOME": str(folder), "LESS": ""}
        done = subprocess.run(["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        log = folder / "kubectl.log"
        return done.stdout, log.read_text() if log.exists() else ""

    def rendered(self):
        template = next(line for block in blocks(self.page, "sh") for line in block.splitlines() if "helm template" in line)
        shown, _ = self.follow(template.replace("| less", f"--kube-version {KUBERNETES[0]}"))
        return shown

    def test_the_five_steps_make_what_they_say(self):
        shown = self.rendered()
        workload = of_kind(shown, "StatefulSet")[0]
        container = workload["spec"]["template"]["spec"]["containers"][0]
        tagged = re.search(r"docker build -t (\S+) ", self.page.read_text())[1]
        self.assertEqual(container["image"], tagged)
        rule = of_kind(shown, "Ingress")[0]["spec"]["rules"][0]
        address = re.search(r"Register `https://([^/`]+)(/[^`]+)`", self.page.read_text())
        self.assertEqual((rule["host"], [path["path"] for path in rule["http"]["paths"]]), (address[1], [address[2]]))
        config = json.loads(of_kind(shown, "ConfigMap")[0]["data"]["gateway.json"])
        self.assertEqual(config["accounts"][0]["name"], "default")
        self.assertTrue(of_kind(shown, "PrometheusRule") and of_kind(shown, "ServiceMonitor"))

    def test_the_secrets_it_makes_are_those_that_the_pods_mount(self):
        script = "\n".join(block for block in blocks(self.page, "sh") if "create secret" in block)
        _, told = self.follow(script)
        made = {}
        for line in told.splitlines():
            if found := re.search(r"create secret generic (\S+) (.*)", line):
                made[found[1]] = dict(re.findall(r"--from-(?:file|literal)=([\w-]+)=(\S+)", found[2]))
        for secret in made.values():
            if "token" in secret:
                digest = subprocess.run(["sha256sum"], input=secret["token"].encode(), capture_output=True, check=True)
                self.assertEqual(secret["token-sha256"], digest.stdout.decode().split()[0])
        pod = of_kind(self.rendered(), "StatefulSet")[0]["spec"]["template"]["spec"]
        mounted = [source["secret"] for volume in pod["volumes"] for source in volume.get("projected", {}).get("sources", [])]
        mounted += [{"name": volume["secret"]["secretName"], **volume["secret"]} for volume in pod["volumes"] if "secret" in volume]
        self.assertEqual({secret["name"] for secret in mounted}, {"aulm", "gateway-admin"})
        for secret in mounted:
            for item in secret.get("items", []):
                self.assertIn(item["key"], made[secret["name"]])

    def test_the_file_for_a_container_is_one_that_the_gateway_takes(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("api-key", "webhook-secret"):
                pathlib.Path(folder, name).write_text("alm_sk_test_docs")
            file = pathlib.Path(folder, "gateway.json")
            file.write_text(blocks(self.page, "json")[0].replace("/etc/aulm-gateway", folder))
            environment = {"PATH": os.environ["PATH"], "GATEWAY_STORE": f"sqlite://{folder}/store"}
            done = subprocess.run([BIN / "aulm-gateway", "--config", file, "--check-config"], env=environment, capture_output=True,
                                  text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr, "")

    def test_what_the_pages_name_in_the_cluster_is_there(self):
        there = set()
        for item in objects(self.rendered()):
            name = item["metadata"]["name"]
            there.add(name)
            if item["kind"] == "StatefulSet":
                there.add(f"{name}-0")
                there.update(f"{claim['metadata']['name']}-{name}-0" for claim in item["spec"]["volumeClaimTemplates"])
        for page in PAGES:
            named = set(re.findall(r"(?<![\w/.-])(?:store-)?gateway-aulm-gateway[\w-]*", page.read_text()))
            self.assertEqual(named - there, set(), page.name)

    def test_upgrading_with_a_value_that_is_no_more_is_refused_by_name(self):
        done = run("helm", "template", "gateway", CHART, "--kube-version", KUBERNETES[0], "--set", "replicaCount=1", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("replicaCount", done.stderr)


class CommandsTest(unittest.TestCase):
    def test_flags_of_the_gateway_exist(self):
        known = subprocess.run([BIN / "aulm-gateway", "--help"], capture_output=True, text=True, check=True).stdout
        seen = [(page, flag) for page, words in commands("aulm-gateway") for flag in words if flag.startswith("--")]
        self.assertGreaterEqual(len(seen), 5)
        for page, flag in seen:
            self.assertIn(flag, known, page)

    def test_commands_of_aulmctl_are_as_it_takes_them(self):
        seen = list(commands("aulmctl"))
        self.assertGreaterEqual(len(seen), 3)
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "token").write_text("token")
            for page, words in seen:
                # Nobody listens there: what it takes fails for now (4), what it does not take is refused at once (2).
                done = subprocess.run([BIN / "aulmctl", "--gateway", "127.0.0.1:1", "--timeout", "2s", *words], cwd=folder,
                                      capture_output=True, text=True)
                self.assertEqual(done.returncode, 4, f"{page}: {words}\n{done.stderr}")


if __name__ == "__main__":
    unittest.main()
