#!/usr/bin/env python3
"""Every promise of docs/security.md names tests that are there: the last cell of each row of its tables."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
IS_TEST = re.compile(r"^\s*def test_|^TEST|^TYPED_TEST", re.MULTILINE)


def main():
    wrong, rows = [], 0
    for number, line in enumerate((ROOT / "docs/security.md").read_text().splitlines(), 1):
        if not line.startswith("| ") or line == "| what holds | test |":
            continue
        rows += 1
        named = re.findall(r"`([^`]+)`", line.rstrip(" |").rpartition(" | ")[2])
        missing = [name for name in named if not has_tests(ROOT / "tests" / name)]
        if missing or not named:
            wrong.append(f"docs/security.md:{number}: " + (f"no tests in {', '.join(missing)}" if missing else "no test is named"))
    print("\n".join(wrong) or f"{rows} promises with their tests")
    return 1 if wrong or not rows else 0


def has_tests(path):
    return path.is_file() and IS_TEST.search(path.read_text()) is not None


if __name__ == "__main__":
    sys.exit(main())
