#!/usr/bin/env python3
"""Runs the GoogleTests of a tier, many in one process: starting a program with sanitizers takes longer than most tests do.

    tests/support/run_tests.py TIER [-j N] [--build build/asan] [--xml FILE]

CTest says which tests there are (its COST: those of the program run first, each in a process of its own). A batch that does not end
well is run again, each test by itself, so that the one that broke it is named; when none breaks alone, the batch is what failed.
FILE gets what CTest's own --output-junit would. The exit code is 1 when a test failed.
"""

import argparse
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as tree
from dataclasses import dataclass

BATCH = 16        # tests, at most
TIMEOUT = 120     # seconds for each
FILTER = "--gtest_filter="


@dataclass
class Test:
    name: str     # as CTest shows it
    program: list  # without the filter
    filter: str   # the test's name for GoogleTest; empty for other programs
    folder: str   # to run it in
    cost: float
    skip_code: int


@dataclass
class Outcome:
    name: str
    seconds: float
    status: str   # "run", "fail", "notrun" (skipped)
    text: str = ""


def main():
    options = read_options()
    batches = batches_of(tests_of(options.build, options.tier))
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        outcomes = [outcome for batch in pool.map(run_batch, batches) for outcome in batch]
    if options.xml:
        write_junit(outcomes, options.xml)
    failed = [outcome for outcome in outcomes if outcome.status == "fail"]
    for outcome in failed:
        print(f"FAIL {outcome.name}\n{outcome.text}")
    skipped = sum(outcome.status == "notrun" for outcome in outcomes)
    print(f"{len(outcomes) - len(failed) - skipped} passed, {len(failed)} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tier")
    parser.add_argument("-j", dest="jobs", type=int, default=(os.cpu_count() or 1) + 1, help="processes at the same time")
    parser.add_argument("--build", default="build/asan", help="the build's folder (default build/asan)")
    parser.add_argument("--xml", help="file for the outcomes")
    return parser.parse_args()


def tests_of(build, tier):
    listed = subprocess.run(["ctest", "--test-dir", build, "-L", f"^{tier}$", "--show-only=json-v1"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    return [test_of(entry, build) for entry in json.loads(listed)["tests"]]


def test_of(entry, build):
    properties = {item["name"]: item["value"] for item in entry.get("properties", [])}
    words = entry["command"]
    chosen = [word.removeprefix(FILTER) for word in words if word.startswith(FILTER)]
    return Test(entry["name"], [word for word in words if not word.startswith(FILTER)], chosen[0] if chosen else "",
                properties.get("WORKING_DIRECTORY", build), float(properties.get("COST", 0)), int(properties.get("SKIP_RETURN_CODE", -1)))


def batches_of(tests):
    """Lists of tests of one program, those that take longest first."""
    batches = []
    for test in sorted(tests, key=lambda test: -test.cost):
        last = batches[-1] if batches else []
        if last and test.filter and not test.cost and last[0].program == test.program and len(last) < BATCH:
            last.append(test)
        else:
            batches.append([test])
    return batches


def run_batch(tests):
    if not tests[0].filter:
        return [run_other(tests[0])]
    code, output, cases, seconds = run_program(tests)
    outcomes = [outcome_of(test, cases.get(test.filter), output) for test in tests if test.filter in cases]
    complete = len(outcomes) == len(tests) and (code == 0 or any(outcome.status == "fail" for outcome in outcomes))
    if complete:
        return outcomes
    if len(tests) == 1:
        return [Outcome(tests[0].name, seconds, "fail", f"{output}\nit ended with {code}")]
    alone = [outcome for test in tests for outcome in run_batch([test])]
    if all(outcome.status != "fail" for outcome in alone):
        names = ":".join(test.filter for test in tests)
        alone[0] = Outcome(f"{tests[0].name} and those after it, only together", seconds, "fail",
                           f"{output}\nthis fails: {' '.join(tests[0].program)} {FILTER}{names}")
    return alone


def run_program(tests):
    """Its exit code, what it said, the elements of its results by the names of tests, and the seconds that it took."""
    with tempfile.TemporaryDirectory(prefix="fairlead-tests-") as folder:
        results = os.path.join(folder, "results.xml")
        command = [*tests[0].program, FILTER + ":".join(test.filter for test in tests), f"--gtest_output=xml:{results}"]
        code, output, seconds = run_process(command, tests[0].folder, TIMEOUT * len(tests))
        try:
            cases = {f"{case.get('classname')}.{case.get('name')}": case for case in tree.parse(results).getroot().iter("testcase")}
        except (OSError, tree.ParseError):
            cases = {}
    return code, output, cases, seconds


def run_process(command, folder, timeout):
    """Exit code, output and seconds; the process gets a group of its own, which goes with it when it takes too long."""
    start = time.monotonic()
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            output += f"\nit took more than {timeout} s"
    return process.returncode, output, time.monotonic() - start


def outcome_of(test, case, output):
    seconds = float(case.get("time") or 0)
    failures = [failure.text or failure.get("message", "") for failure in case.findall("failure")]
    if failures:
        return Outcome(test.name, seconds, "fail", "\n".join(failures) + "\n" + part_of(output, test.filter))
    skips = [skip.text or skip.get("message", "") for skip in case.findall("skipped")]
    if skips or case.get("result") == "skipped":
        return Outcome(test.name, seconds, "notrun", reason_of("\n".join(skips)))
    return Outcome(test.name, seconds, "run")


def reason_of(text):
    """GoogleTest says first where, then why."""
    return "\n".join(line for line in text.splitlines() if line.strip())


def part_of(output, name):
    """What the program said during one test."""
    _, _, after = output.partition(f"[ RUN      ] {name}\n")
    return after.partition("[ RUN      ]")[0][-20000:]


def run_other(test):
    code, output, seconds = run_process(test.program, test.folder, TIMEOUT)
    status = "run" if code == 0 else "notrun" if code == test.skip_code else "fail"
    return Outcome(test.name, seconds, status, output)


def write_junit(outcomes, path):
    suite = tree.Element("testsuite", name="tests")
    for outcome in outcomes:
        case = tree.SubElement(suite, "testcase", name=outcome.name, status=outcome.status, time=f"{outcome.seconds:.3f}")
        if outcome.status == "fail":
            tree.SubElement(case, "failure", message="")
        elif outcome.status == "notrun":
            tree.SubElement(case, "skipped", message="")
        tree.SubElement(case, "system-out").text = printable(outcome.text)
    tree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def printable(text):
    """XML has no words for most control characters."""
    return "".join(c if c in "\n\t" or " " <= c < "\ufffe" and not "\ud800" <= c < "\ue000" or c > "\uffff" else "?" for c in text)


if __name__ == "__main__":
    main()
