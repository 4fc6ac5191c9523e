#!/usr/bin/env python3
"""Runs the end-to-end tests: real runtimes on hosts of their own, in namespaces. Needs root.

    tests/e2e/run.py [--bin DIR] [--suite attack]... [-k TEXT]... [-j N] [--list] [--times]

Each class runs in a process of its own, -j of them at the same time, and beside them three of those that `waits` says do little
but wait. Classes with the same `together` share a process, one after the other as they are written, and so may share what
takes long to make; one that is `alone`, as it measures time, runs before all others. One line per test, then "N passed,
N failed, N skipped". The exit code is 1 when a test failed or none was run.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import importlib
import os
import resource
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
WAITING = 3  # processes for classes that `waits`
# What is begun first, so that all workers end at about the same time: seconds of processes (as --times prints them), by the
# first of their classes.
SECONDS = {
    "test_verbs_crash.OfBridges": 162, "test_cluster.FromDocker": 149, "test_reboot.Reboot": 113,
    "test_verbs_crash.WithoutBridges": 93, "test_start.AfterDocker": 89, "test_far_backups.OverSsh": 88,
    "test_docker_lifecycle.FairleaddAway": 85, "test_addresses.OfDocker": 73, "test_verbs_crash.OfAddresses": 71,
    "test_cni_crash.CrashWithAnotherIpamPlugin": 69, "test_scale.Scale": 67, "test_docker_lifecycle.AnAddressForNothing": 65,
    "test_cni_crash.Crash": 59, "test_routed.Routed": 50, "test_docker_compose.OverTimeWithCompose1": 49,
    "test_managed_plugin.ManagedPlugin": 74, "test_managed_plugin.SwarmOnTwoHosts": 67, "test_webapp.WebAppWithCompose1": 58,
    "test_webapp.WebAppWithCompose26": 46, "test_webapp.FailOver": 39,
    "test_databases.PostgresOnExt4Images": 45, "test_docker_ports.Forms": 44, "test_verbs_crash.FirstAndLast": 40,
    "test_podman_netavark.DropInWithTheDaemon": 40, "test_names.OfEveryRuntime": 40,
    "test_podman_netavark.PluginWithTheDaemon": 38, "test_databases.PostgresOnBtrfs": 37,
    "test_databases.MariaDbOnXfsImages": 37, "test_verbs_crash.OfTheDaemon": 35, "test_forwarding.Strangers": 35,
    "test_cluster_crash.AgentsThatDie": 34, "test_repair.Repair": 32, "test_many_ports.TenThousand": 30,
    "test_podman_netavark.PluginWithoutADaemon": 28, "test_docker_network.Create": 26, "test_installed.UnderTraffic": 45, "test_installed.Booting": 35, "test_installed.Installed": 30, "test_reboot.Killed": 24,
    "test_join.AllRuntimes": 24, "test_cluster.HostileRecords": 24, "test_every_runtime.EveryRuntime": 22,
    "test_explain.RandomPairs": 45, "test_routed.Ports": 21, "test_first_packet.WithTheDaemon": 21, "test_cni_ipam.DhcpWithoutADaemon": 21,
    "test_cni_ipam.DhcpWithTheDaemon": 21, "test_reboot.KilledWithLiveRestore": 20, "test_join.Docker28OrNewer": 20,
    "test_docker_compose.TwoServicesWithCompose1": 20, "test_volume_depth.InAPool": 19,
    "test_many_ports.WhileConnectionsRun": 19, "test_join.Docker26": 18, "test_docker_volume.Volumes": 17,
    "test_docker_lifecycle.Containers": 17, "test_loopback.Loopback": 16, "test_docker_volume.FairleadsVolumes": 16,
    "test_cni_crash.CrashWithAnotherIpamPluginWithoutABridge": 16, "test_volume_depth.OfImages": 15,
    "test_podman_netavark.DropInWithoutADaemon": 15, "test_loopback.AlteredTable": 15, "test_docker_names.DockerNames": 15,
    "test_doctor.WithTheDaemon": 15, "test_doctor.WithoutTheDaemon": 14, "test_page.ForEverybody": 30, "test_page.Seen": 25,
    "test_page.Thousand": 25, "test_page.Changed": 15,
    "test_openapi.InGo": 17, "test_openapi.InPython": 15, "test_connections.Connections": 15, "test_cni_crash.CrashOfTheDaemon": 15, "test_policy.Egress": 14,
    "test_docker_lifecycle.GatewayPriority": 14, "test_docker_lifecycle.DockerdKilled": 14, "test_join.Docker20": 13,
    "test_docker_ports.Conflicts": 13, "test_docker_lifecycle.FairleaddKilled": 13,
    "test_docker_compose.OverTimeWithCompose26": 13, "test_cluster.ContainersAndTunnels": 13, "test_callers.Stopping": 13,
}
USUAL = 8


def main():
    options = read_options()
    os.environ["FAIRLEAD_E2E_BIN"] = str(Path(options.bin).resolve())
    sys.path[:0] = [str(HERE.parent)]
    if options.stand_in:
        os.environ["FAIRLEAD_E2E_STAND_IN"] = "1"  # inherited by the workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # exit handlers close the hosts
    if options.worker:
        module, *classes = options.worker.split(",")
        with modules_of(options.suites[0]):
            sys.exit(run_classes(module, classes, options.filters))
    if os.geteuid() != 0:
        sys.exit("the end-to-end tests make namespaces and start runtimes: run them as root")
    if options.list:
        for suite in options.suites:
            with modules_of(suite) as modules:
                for test in (test for module in modules for test in tests_of(load(module, options.filters))):
                    print(sentence(test))
        return
    with tempfile.TemporaryDirectory(prefix="fairlead-e2e-") as folder:
        importlib.import_module("support.e2e.images").make_all(folder)
        code = run_all(options)
    sys.exit(code)


@contextlib.contextmanager
def modules_of(suite):
    """The names of the modules of a suite, which can be imported meanwhile: those of another may be called the same."""
    folder = HERE.parent / suite
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield sorted(path.stem for path in folder.glob("test_*.py"))
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == folder:
                del sys.modules[name]


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=REPOSITORY / "build/release/bin", help="folder of Fairlead's executables")
    parser.add_argument("--suite", dest="suites", action="append", choices=("e2e", "attack"),
                        help="folder of the tests (default e2e; again: both, side by side)")
    parser.add_argument("-k", dest="filters", action="append", default=[], metavar="TEXT",
                        help="only tests whose name holds TEXT (again: or TEXT)")
    parser.add_argument("-j", dest="jobs", type=int, default=4, help="classes at the same time (default 4)")
    parser.add_argument("--stand-in", action="store_true",
                        help="Docker's own drivers in Fairlead's place: proves the tests, not Fairlead")
    parser.add_argument("--list", action="store_true", help="print the tests and stop")
    parser.add_argument("--times", action="store_true", help="also print how long each class took and what it computed, with its host")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.suites = options.suites or ["e2e"]
    return options


# ---- all classes, in processes of their own -----------------------------------------------------------------------

@dataclasses.dataclass
class Unit:
    """Classes of one module that share a process, in the order in which they are written."""
    suite: str
    module: str
    classes: list
    alone: bool
    waits: bool

    def seconds(self):
        return SECONDS.get(f"{self.module}.{self.classes[0]}", USUAL)


def run_all(options):
    totals = collections.Counter()
    processes = set()
    start, busy = time.monotonic(), busy_seconds()
    units = sorted((unit for suite in options.suites for unit in units_of(suite, options.filters)), key=lambda unit: -unit.seconds())
    alone = [unit for unit in units if unit.alone]
    others = [unit for unit in units if not unit.alone]
    lanes = [unit for unit in others if unit.waits], [unit for unit in others if not unit.waits]
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
    took = time.monotonic() - start
    print(f"{took:.0f} s in all, in which the machine's processors computed for {(busy_seconds() - busy) / (took * os.cpu_count()):.0%}")
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    return 1 if totals["failed"] or not totals["passed"] + totals["skipped"] else 0


def busy_seconds():
    """What all processors have computed since the machine started."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def units_of(suite, filters):
    with modules_of(suite) as modules:
        return [unit for module in modules for unit in units_of_module(suite, module, filters)]


def units_of_module(suite, module, filters):
    found = {type(test).__name__: type(test) for test in tests_of(load(module, filters))}
    written = list(vars(sys.modules.get(module, unittest)))
    units = {}
    # (A module that cannot be loaded has one test, of a class of unittest's, which says why.)
    for name in sorted(found, key=lambda name: written.index(name) if name in written else len(written)):
        units.setdefault(getattr(found[name], "together", name), []).append(name)
    return [Unit(suite, module, names, *(any(getattr(found[name], mark, False) for name in names) for mark in ("alone", "waits")))
            for names in units.values()]


def run_in_process(unit, options, processes):
    """Runs one unit and passes its lines on, a test's lines together; its counts."""
    command = [sys.executable, __file__, "--bin", str(options.bin), "--suite", unit.suite, "--worker", ",".join([unit.module, *unit.classes])]
    for text in options.filters:
        command += ["-k", text]
    counts, computed = None, ""
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        processes.add(process)
        for line in process.stdout:
            if line.startswith("@"):
                *numbers, computed = line[1:].split()
                counts = dict(zip(("passed", "failed", "skipped"), map(int, numbers)))
            else:
                with _print_lock:
                    print(line, end="", flush=True)
    processes.discard(process)
    if options.times:
        with _print_lock:
            print(f"     {time.monotonic() - start:6.2f} s  {unit.module}: {', '.join(unit.classes)}, in all; computed {computed} s", flush=True)
    if counts is None:
        print(f"FAIL   {unit.module} {' '.join(unit.classes)} ended with {process.returncode} before its tests were done", flush=True)
        return {"failed": 1}
    return counts


# ---- one process ----------------------------------------------------------------------------------------------------

def run_classes(module, classes, filters):
    result = Lines()
    suite = load(module, filters)
    of_classes = (unittest.TestSuite(test for test in tests_of(suite) if type(test).__name__ == name) for name in classes)
    unittest.TestSuite(of_classes).run(result)
    print(f"@{result.passed} {result.failed} {result.skipped_count} {computed_seconds():.1f}", flush=True)
    return 0


def computed_seconds():
    """By this process and all whose end it has seen: its hosts and what ran on them."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


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
