"""The wheel: installed into a folder of its own, it works, and its types reach a program that is checked against it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PROGRAM = """
from aulm.gateway import Client, Outcome, v1

with Client("127.0.0.1:1") as client:
    sent: v1.SendTextResponse | None = None
    print(Outcome.NOT_SENT.value, v1.SendTextRequest(body="Hello").body)
"""
WRONG = "client.send_text(session_id=1, to='+1', body='Hello')\n"


class PackageTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def run_python(self, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ, PYTHONPATH=str(path or ""), PYTHONDONTWRITEBYTECODE="1")
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def install(self) -> Path:
        """Builds the wheel out of a copy, since setuptools writes beside its sources, and unpacks it as pip would."""
        source = self.folder / "source"
        shutil.copytree(PROJECT, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
        pip = ("-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
        built = self.run_python(*pip, "--no-index", "--wheel-dir", str(self.folder), str(source))
        self.assertEqual(built.returncode, 0, built.stderr)
        (wheel,) = self.folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            self.names = archive.namelist()
            archive.extractall(self.folder / "site")
        return self.folder / "site"

    def test_wheel_works_and_brings_its_types(self) -> None:
        site = self.install()
        self.assertIn("aulm/gateway/py.typed", self.names)
        self.assertIn("aulm/gateway/v1/event_pb2.pyi", self.names)
        self.assertFalse([name for name in self.names if "test" in name])

        program = self.folder / "program.py"
        program.write_text(PROGRAM)
        ran = self.run_python(str(program), path=site)
        self.assertEqual((ran.stdout, ran.returncode), ("not_sent Hello\n", 0), ran.stderr)

        mypy = ("-m", "mypy", "--strict", "--cache-dir=/dev/null", "--ignore-missing-imports", str(program))
        environment = {"MYPYPATH": str(site)}
        os.environ.update(environment)
        self.addCleanup(os.environ.pop, "MYPYPATH")
        checked = self.run_python(*mypy)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        program.write_text(PROGRAM + WRONG)
        self.assertIn('incompatible type "int"', self.run_python(*mypy).stdout)


if __name__ == "__main__":
    unittest.main()
