#!/usr/bin/env python3
"""sbom_test.py SOURCE PROGRAM: what tools/sbom says of a program, against what readelf and dpkg say."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE, PROGRAM = sys.argv.pop(1), sys.argv.pop(1)


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def make(*programs):
    return output(f"{SOURCE}/tools/sbom/make_sbom.py", "1.2.3", *programs)


class SbomTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = make(PROGRAM)
        cls.bom = json.loads(cls.text)
        cls.versions = {one["name"]: one["version"] for one in cls.bom["components"]}

    def test_is_cyclonedx_of_this_program(self):
        self.assertEqual((self.bom["bomFormat"], self.bom["specVersion"]), ("CycloneDX", "1.5"))
        self.assertRegex(self.bom["serialNumber"], "^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertRegex(self.bom["metadata"]["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        gateway = self.bom["metadata"]["component"]
        self.assertEqual((gateway["name"], gateway["version"]), ("aulm-gateway", "1.2.3"))
        digest = output("sha256sum", PROGRAM).split()[0]
        self.assertEqual(gateway["components"][0]["hashes"], [{"alg": "SHA-256", "content": digest}])

    def test_names_the_package_of_every_library_that_the_program_asks_for(self):
        needed = re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-dW", PROGRAM))
        self.assertGreater(len(needed), 10)
        for line in output("ldd", PROGRAM).splitlines():
            name, _, path = line.strip().partition(" => ")
            if name not in needed or not path:
                continue
            real = os.path.realpath(path.split(" ")[0])
            owners = [one.split(":")[0] for one in output("dpkg", "-S", "--", f"*{os.path.basename(real)}").splitlines()]
            self.assertTrue(set(owners) & set(self.versions), f"{name}: none of {owners}")

    def test_names_what_is_compiled_in_as_headers(self):
        for package in ("libboost1.81-dev", "libspdlog-dev", "libstdc++-12-dev"):
            self.assertIn(package, self.versions)
        self.assertNotIn("libgtest-dev", self.versions)

    def test_versions_are_those_installed(self):
        for package, version in self.versions.items():
            installed = output("dpkg-query", "-W", "-f=${Version}\\n", package).splitlines()
            self.assertIn(version, installed, package)

    def test_every_component_is_there_once_and_refers_to_its_package(self):
        references = [one["bom-ref"] for one in self.bom["components"]]
        self.assertEqual(len(references), len(set(references)))
        self.assertEqual(self.bom["dependencies"][0]["dependsOn"], references)
        for one in self.bom["components"]:
            self.assertRegex(one["purl"], "^pkg:deb/debian/[^@]+@[^?]+[?]arch=[a-z0-9]+&distro=debian-12$")

    def test_the_same_build_gives_the_same_bytes(self):
        self.assertEqual(make(PROGRAM), self.text)

    def test_a_library_of_no_package_is_an_error(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/a.c", "w", encoding="ascii") as source:
                source.write("int a(void) { return 0; }\n")
            with open(f"{folder}/main.c", "w", encoding="ascii") as source:
                source.write("int a(void); int main(void) { return a(); }\n")
            subprocess.run(["gcc", "-shared", "-o", f"{folder}/liba.so", f"{folder}/a.c"], check=True)
            subprocess.run(
                ["gcc", "-o", f"{folder}/main", f"{folder}/main.c", f"-L{folder}", "-la", f"-Wl,-rpath,{folder}"],
                check=True,
            )
            with self.assertRaises(subprocess.CalledProcessError) as raised:
                make(f"{folder}/main")
            self.assertIn("belong to no Debian package", raised.exception.stderr)


if __name__ == "__main__":
    unittest.main()
