"""The quickstart of each language: under 30 lines, and shown as it is by its package, by docs/clients.md and README.md."""

import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUBS = ROOT / "client_stubs"
QUICKSTARTS = {
    "cpp": STUBS / "cpp/examples/quickstart.cc",
    "go": STUBS / "go/examples/quickstart/main.go",
    "java": STUBS / "java/examples/Quickstart.java",
    "python": STUBS / "python/examples/quickstart.py",
    "typescript": STUBS / "typescript/examples/quickstart.ts",
}
MOST_LINES = 30


class QuickstartsTest(unittest.TestCase):
    def test_each_is_short_and_shown_everywhere(self) -> None:
        for language, path in QUICKSTARTS.items():
            code = path.read_text()
            with self.subTest(language):
                self.assertLess(len(code.splitlines()), MOST_LINES)
                for page in (STUBS / language / "README.md", ROOT / "docs/clients.md", ROOT / "README.md"):
                    self.assertIn(f"\n{code}```\n", page.read_text(), f"{page} does not show {path} as it is")


if __name__ == "__main__":
    unittest.main()
