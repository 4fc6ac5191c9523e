#!/usr/bin/env python3
"""Runs the end-to-end tests: real runtimes on hosts of their own, in namespaces. Needs root.

    tests/e2e/run.py [--bin DIR] [--suite attack] [-k TEXT]... [-j N] [--list] [--times]

Each class runs in a process of its own, -j of them at the same time, and beside them two of those that `waits` says do little
but wait. Classes with the same `together` share a process, one after the other as they are written, and so may share what
takes long to make; one that is `alone`, as it measures time, runs before all others. One line per test, then "N passed,
N failed, N skipped". The exit code is 1 when a test failed or none was run.
"""

import argparse
import collections
import concurrent.futures
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
_print_lock = threading.Lock()
WAITING = 2  # processes for classes that `waits`
# What is begun first, so that all workers end at about the same time: seconds of processes (as --times prints them), by the
# first of their classes.
SECONDS = {
    "test_verbs_crash.OfBridges": 161, "test_cluster.FromDocker": 152, "test_reboot.Reboot": 106,
    "test_verbs_crash.WithoutBridges": 102, "test_start.AfterDocker": 87, "test_docker_lifecycle.FairleaddAway": 85,
    "test_verbs_crash.OfAddresses": 83, "test_addresses.OfDocker": 71, "test_docker_lifecycle.AnAddressForNothing": 64,
    "test_cni_crash.CrashWithAnotherIpamPlugin": 57, "test_many_ports.TenThousand": 51, "test_cni_crash.Crash": 49,
    "test_docker_compose.OverTimeWithCompose1": 48, "test_names.OfEveryRuntime": 48, "test_scale.Scale": 46,
    "test_routed.Routed": 43, "test_cluster_crash.AgentsThatDie": 42, "test_verbs_crash.FirstAndLast": 41,
    "test_verbs_crash.OfTheDaemon": 36, "test_podman_netavark.DropInWithTheDaemon": 31, "test_first_packet.WithTheDaemon": 30,
    "test_podman_netavark.PluginWithTheDaemon": 30, "test_docker_ports.Forms": 29, "test_every_runtime.EveryRuntime": 28,
    "test_join.AllRuntimes": 28, "test_repair.Repair": 28, "test_docker_network.Create": 27,
    "test_many_ports.WhileConnectionsRun": 24, "test_reboot.Killed": 23, "test_volume_depth.InAPool": 23,
    "test_podman_netavark.PluginWithoutADaemon": 23, "test_join.Docker28OrNewer": 22, "test_reboot.KilledWithLiveRestore": 21,
    "test_many_ports.WhileConnectionsRunWithoutABridge": 20, "test_cni_ipam.DhcpWithTheDaemon": 19, "test_join.Docker26": 19,
    "test_docker_compose.OverTimeWithCompose26": 19, "test_cni_ipam.DhcpWithoutADaemon": 19,
    "test_docker_names.DockerNames": 17, "test_docker_lifecycle.GatewayPriority": 17, "test_routed.Ports": 17,
    "test_volume_depth.OfImages": 16, "test_cluster.ContainersAndTunnels": 16, "test_routed.Forms": 16,
    "test_loopback.AlteredTable": 30, "test_spoofing.WithTheDaemon": 20, "test_spoofing.WithoutADaemon": 18,
    "test_spoofing.OfAnOverlay": 13, "test_spoofing.OfDocker": 12, "test_window.WithTheDaemon": 12,
    "test_window.WithoutADaemon": 12, "test_loopback.Loopback": 13,
}
USUAL = 8


def main():
    options = read_options()
    os.environ["FAIRLEAD_E2E_BIN"] = str(Path(options.bin).resolve())
    sys.path[:0] = [str(HERE.parent), str(suite_folder(options))]
    if options.stand_in:
        os.environ["FAIRLEAD_E2E_STAND_IN"] = "1"  # inherited by the workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # exit handlers close the hosts
    if options.worker:
        module, *classes = options.worker.split(",")
        sys.exit(run_classes(module, classes, options.filters))
    if os.geteuid() != 0:
        sys.exit("the end-to-end tests make namespaces and start runtimes: run them as root")
    modules = sorted(path.stem for path in suite_folder(options).glob("test_*.py"))
    if options.list:
        for test in (test for module in modules for test in tests_of(load(module, options.filters))):
            print(sentence(test))
        return
    with tempfile.TemporaryDirectory(prefix="fairlead-e2e-") as folder:
        importlib.import_module("support.e2e.images").make_all(folder)
        code = run_all(modules, options)
    sys.exit(code)


def suite_folder(options):
    return HERE.parent / options.suite


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=REPOSITORY / "build/release/bin", help="folder of Fairlead's executables")
    parser.add_argument("--suite", default="e2e", choices=("e2e", "attack"), help="folder of the tests (default e2e)")
    parser.add_argument("-k", dest="filters", action="append", default=[], metavar="TEXT",
                        help="only tests whose name holds TEXT (again: or TEXT)")
    parser.add_argument("-j", dest="jobs", type=int, default=4, help="classes at the same time (default 4)")
    parser.add_argument("--stand-in", action="store_true",
                        help="Docker's own drivers in Fairlead's place: proves the tests, not Fairlead")
    parser.add_argument("--list", action="store_true", help="print the tests and stop")
    parser.add_argument("--times", action="store_true", help="also print how long each class took, with its host")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


# ---- all classes, in processes of their own -----------------------------------------------------------------------

def run_all(modules, options):
    totals = collections.Counter()
    processes = set()
    start = time.monotonic()
    units = [unit for module in modules for unit in units_of(module, options.filters)]
    units.sort(key=lambda unit: -SECONDS.get(f"{unit[0]}.{unit[1]}", USUAL))
    alone, others = split(units, "alone")
    lanes = split(others, "waits")
    pools = [concurrent.futures.ThreadPoolExecutor(workers) for workers in (WAITING, options.jobs)]
    try:
        for unit in alone:
            totals.update(run_in_process(unit, options, processes))
        done = [pool.submit(run_in_process, unit, options, processes) for pool, lane in zip(pools, lanes) for unit in lane]
        for counts in concurrent.futures.as_completed(done):
            totals.update(counts.result())
    except BaseException:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for process in list(processes):
            process.terminate()
        raise
    print(f"{time.monotonic() - start:.0f} s in all")
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    return 1 if totals["failed"] or not totals["passed"] + totals["skipped"] else 0


def units_of(module, filters):
    """Lists of a module's name and the names of classes that run in one process, in the order in which they are written."""
    found = {type(test).__name__: type(test) for test in tests_of(load(module, filters))}
    written = list(vars(sys.modules.get(module, unittest)))
    units = {}
    # (A module that cannot be loaded has one test, of a class of unittest's, which says why.)
    for name in sorted(found, key=lambda name: written.index(name) if name in written else len(written)):
        units.setdefault(getattr(found[name], "together", name), [module]).append(name)
    return list(units.values())


def split(units, mark):
    """The units with a class that has the mark, and the others."""
    def has_it(unit):
        return any(getattr(vars(sys.modules.get(unit[0], unittest)).get(name), mark, False) for name in unit[1:])
    return [unit for unit in units if has_it(unit)], [unit for unit in units if not has_it(unit)]


def run_in_process(unit, options, processes):
    """Runs one unit and passes its lines on, a test's lines together; its counts."""
    command = [sys.executable, __file__, "--bin", str(options.bin), "--suite", options.suite, "--worker", ",".join(unit)]
    for text in options.filters:
        command += ["-k", text]
    counts = None
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        processes.add(process)
        for line in process.stdout:
            if line.startswith("@"):
                counts = dict(zip(("passed", "failed", "skipped"), map(int, line[1:].split())))
            else:
                with _print_lock:
                    print(line, end="", flush=True)
    processes.discard(process)
    if options.times:
        with _print_lock:
            print(f"     {time.monotonic() - start:6.2f} s  {unit[0]}: {', '.join(unit[1:])}, in all", flush=True)
    if counts is None:
        print(f"FAIL   {' '.join(unit)} ended with {process.returncode} before its tests were done", flush=True)
        return {"failed": 1}
    return counts


# ---- one process ----------------------------------------------------------------------------------------------------

def run_classes(module, classes, filters):
    result = Lines()
    suite = load(module, filters)
    of_classes = (unittest.TestSuite(test for test in tests_of(suite) if type(test).__name__ == name) for name in classes)
    unittest.TestSuite(of_classes).run(result)
    print(f"@{result.passed} {result.failed} {result.skipped_count}", flush=True)
    return 0


def load(module, filters):
    suite = unittest.TestLoader().loadTestsFromName(module)
    return unittest.TestSuite(test for test in tests_of(suite) if matches(test, filters))


def matches(test, filters):
    return not filters or any(text in sentence(test) or text in test.id() for text in filters)


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
