#!/usr/bin/env python3
"""count_junit.py RESULTS.xml SKIPS FAILURES [TIMES]: prints "passed failed skipped" and appends to the files the names of
skipped tests with their reasons, those of failed ones, and "seconds name" of each."""
import re
import sys
import xml.etree.ElementTree as tree


def reason(case):
    """The last line that a skipped GoogleTest wrote before its verdict."""
    text = (case.findtext("system-out") or "") + (case.findtext("skipped") or "")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("[")]
    lines = [line for line in lines if not re.match(r"^(Note: |Running main|.*: Skipped$)", line)]
    return lines[-1] if lines else "no reason given"


def append(path, line):
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def main():
    results, skips, failures, times = (sys.argv[1:] + ["/dev/null"])[:4]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in tree.parse(results).getroot().iter("testcase"):
        name = case.get("name")
        append(times, f"{float(case.get('time') or 0):.2f} {name}")
        if case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None:
            counts["skipped"] += 1
            append(skips, f"{name}: {reason(case)}")
        elif case.find("failure") is not None or case.get("status") == "fail":
            counts["failed"] += 1
            append(failures, name)
        else:
            counts["passed"] += 1
    print(counts["passed"], counts["failed"], counts["skipped"])


main()
