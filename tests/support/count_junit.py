#!/usr/bin/env python3
"""count_junit.py RESULTS.xml SKIPS FAILURES: prints "passed failed skipped" and appends the names with their reasons."""
import re
import sys
import xml.etree.ElementTree as tree


def reason(case):
    """The last line that a skipped GoogleTest wrote before its verdict."""
    text = (case.findtext("system-out") or "") + (case.findtext("skipped") or "")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("[")]
    lines = [line for line in lines if not re.match(r"^(Note: |Running main|.*: Skipped$)", line)]
    return lines[-1] if lines else "no reason given"


def main():
    results, skips, failures = sys.argv[1:4]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in tree.parse(results).getroot().iter("testcase"):
        name = case.get("name")
        if case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None:
            counts["skipped"] += 1
            with open(skips, "a", encoding="utf-8") as file:
                file.write(f"{name}: {reason(case)}\n")
        elif case.find("failure") is not None or case.get("status") == "fail":
            counts["failed"] += 1
            with open(failures, "a", encoding="utf-8") as file:
                file.write(name + "\n")
        else:
            counts["passed"] += 1
    print(counts["passed"], counts["failed"], counts["skipped"])


main()
