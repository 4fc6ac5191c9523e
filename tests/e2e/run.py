#!/usr/bin/env python3
"""Runs the end-to-end tests: real runtimes on hosts of their own, in namespaces. Needs root.

    tests/e2e/run.py [--bin DIR] [-k TEXT]... [-j N] [--list]

One line per test, then "N passed, N failed, N skipped". The exit code is 1 when a test failed or none was run.
"""

import argparse
import collections
import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
_print_lock = threading.Lock()


def main():
    options = read_options()
    os.environ["FAIRLEAD_E2E_BIN"] = str(Path(options.bin).resolve())
    if options.stand_in:
        os.environ["FAIRLEAD_E2E_STAND_IN"] = "1"  # inherited by the workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # exit handlers close the hosts
    if options.worker:
        sys.exit(run_module(options.worker, options.filters))
    if os.geteuid() != 0:
        sys.exit("the end-to-end tests make namespaces and start runtimes: run them as root")
    modules = sorted(path.stem for path in HERE.glob("test_*.py"))
    if options.list:
        for test in (test for module in modules for test in tests_of(load(module, options.filters))):
            print(sentence(test))
        return
    sys.exit(run_all(modules, options))


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=REPOSITORY / "build/release/bin", help="folder of Fairlead's executables")
    parser.add_argument("-k", dest="filters", action="append", default=[], metavar="TEXT",
                        help="only tests whose name holds TEXT (again: or TEXT)")
    parser.add_argument("-j", dest="jobs", type=int, default=2, help="test files at the same time (default 2)")
    parser.add_argument("--stand-in", action="store_true",
                        help="Docker's own drivers in Fairlead's place: proves the tests, not Fairlead")
    parser.add_argument("--list", action="store_true", help="print the tests and stop")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


# ---- all modules, each in a process of its own --------------------------------------------------------------------

def run_all(modules, options):
    totals = collections.Counter()
    processes = set()
    start = time.monotonic()
    # The longest first, so that two workers end at about the same time.
    modules = sorted(modules, key=lambda module: -len((HERE / f"{module}.py").read_text()))
    try:
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for counts in pool.map(lambda module: run_in_process(module, options, processes), modules):
                totals.update(counts)
    except BaseException:
        for process in processes:
            process.terminate()
        raise
    print(f"{time.monotonic() - start:.0f} s in all")
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    return 1 if totals["failed"] or not totals["passed"] + totals["skipped"] else 0


def run_in_process(module, options, processes):
    """Runs one module and passes its lines on, a test's lines together; its counts."""
    command = [sys.executable, __file__, "--bin", str(options.bin), "--worker", module]
    for text in options.filters:
        command += ["-k", text]
    counts = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        processes.add(process)
        for line in process.stdout:
            if line.startswith("@"):
                counts = dict(zip(("passed", "failed", "skipped"), map(int, line[1:].split())))
            else:
                with _print_lock:
                    print(line, end="", flush=True)
    processes.discard(process)
    if counts is None:
        print(f"FAIL   {module} ended with {process.returncode} before its tests were done", flush=True)
        return {"failed": 1}
    return counts


# ---- one module -----------------------------------------------------------------------------------------------------

def run_module(module, filters):
    result = Lines()
    load(module, filters).run(result)
    print(f"@{result.passed} {result.failed} {result.skipped_count}", flush=True)
    return 0


def load(module, filters):
    sys.path[:0] = [str(HERE.parent), str(HERE)]
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromName(module)
    if not filters:
        return suite
    return unittest.TestSuite(keep(suite, filters))


def keep(suite, filters):
    """The tests that match, in suites by class (so that set-ups for the class happen once)."""
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            kept = list(keep(part, filters))
            if kept:
                yield unittest.TestSuite(kept)
        elif any(text in sentence(part) or text in part.id() for text in filters):
            yield part


def tests_of(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from tests_of(part)
        else:
            yield part


def sentence(test):
    """test_docker_ports.Forms.test_a_port_answers becomes "docker ports, Forms: a port answers"."""
    name, _, parameters = test.id().partition(" ")
    parts = name.split(".")
    if len(parts) < 3:
        return test.id()
    text = f"{parts[0].removeprefix('test_')}, {parts[-2]}: {parts[-1].removeprefix('test_')}".replace("_", " ")
    return f"{text} {parameters}".rstrip()


class Lines(unittest.TestResult):
    """Prints one line per test as it ends, and the trace below a failure."""

    def __init__(self):
        super().__init__()
        self.passed = self.failed = self.skipped_count = 0
        self._start = time.monotonic()
        self._subtest_failed = False

    def startTest(self, test):
        super().startTest(test)
        self._start = time.monotonic()
        self._subtest_failed = False

    def addSuccess(self, test):
        if not self._subtest_failed:
            self.passed += 1
            self._line("ok", test)

    def addFailure(self, test, err):
        self._fail(test, err)

    def addError(self, test, err):
        self._fail(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._subtest_failed = True
            self._fail(subtest, err)

    def addSkip(self, test, reason):
        self.skipped_count += 1
        self._line("SKIP", test, reason)

    def _fail(self, test, err):
        self.failed += 1
        trace = self._exc_info_to_string(err, test)
        self._line("FAIL", test, "\n" + "".join("    " + line + "\n" for line in trace.splitlines()).rstrip())

    def _line(self, word, test, more=""):
        seconds = time.monotonic() - self._start
        self._start = time.monotonic()
        print(f"{word:4} {seconds:6.2f} s  {sentence(test)}{': ' + more if more else ''}", flush=True)


if __name__ == "__main__":
    main()
