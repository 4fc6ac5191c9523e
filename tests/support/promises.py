#!/usr/bin/env python3
"""Every promise of the DOCUMENTS names tests that are there: the last cell of each row of the tables that end with "test".

A name is a path below tests/, and perhaps what is in that file, as a runner calls it: `attack/test_policy.py`,
`attack/test_policy.py Kept` (a class), `attack/test_policy.py Kept.test_published_ports_answer`,
`network/nat/policy_test.cpp PolicyEntries.PairsOfDifferentFamiliesAreNone`. In docs/features.md a row whose cell before the
last begins with "-" or "n/a" promises nothing.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = ("docs/security.md", "docs/features.md")
IS_TEST = re.compile(r"^\s*def test_|^TEST|^TYPED_TEST", re.MULTILINE)


def main():
    wrong, rows = [], 0
    for document in DOCUMENTS:
        found = list(promises((ROOT / document).read_text().splitlines()))
        wrong += [f"{document}:{number}: {fault}" for number, cells in found for fault in faults(cells)]
        wrong += [] if found else [f"{document}: there is no promise in it"]
        rows += len(found)
    print("\n".join(wrong) or f"{rows} promises with their tests")
    return 1 if wrong else 0


def promises(lines):
    """The number and the cells of each row that promises something."""
    of_tests = False
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            of_tests = False
        elif cells[-1] == "test":
            of_tests = True
        elif of_tests and not line.startswith("|-") and (len(cells) == 2 or not re.match(r"(-|n/a)( |$)", cells[-2])):
            yield number, cells


def faults(cells):
    names = re.findall(r"`([^`]+)`", cells[-1])
    if not names:
        return ["no test is named"]
    return [f"there is no test {name}" for name in names if not is_there(*name.partition(" ")[::2])]


def is_there(path, name):
    file = ROOT / "tests" / path
    if not file.is_file() or not IS_TEST.search(file.read_text()):
        return False
    if not name:
        return True
    return name in (tests_in_python if file.suffix == ".py" else tests_in_cpp)(file.read_text())


def tests_in_python(text):
    """The classes of a module, and Class.test_name of each test that is written in it."""
    names = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
            names.update(f"{node.name}.{part.name}" for part in node.body
                         if isinstance(part, ast.FunctionDef) and part.name.startswith("test_"))
    return names


def tests_in_cpp(text):
    """Suite.Name of each test of GoogleTest."""
    return {".".join(found) for found in re.findall(r"^(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\s*\)", text, re.MULTILINE)}


if __name__ == "__main__":
    sys.exit(main())
