#!/usr/bin/env python3
"""Measures the name service beside dnsmasq and aardvark-dns, in one run on one machine. Needs root.

    tests/bench/dns_bench.py [--build DIR] [--rounds N] [--seconds N] [--names 10 10000] [--aardvark FILE] [--real-time]

DIR is a release build with its tests (default build/bench). Each server is alone on one core, in a network namespace of its own,
and is asked from another one over a veth pair, on another core, for the A records of all names by turns. Prints medians of
several rounds, the servers by turns; asserts nothing: machines are shared and noisy, so that the rate for each second of the
server's processor time says more than the rate that was reached. With --real-time nobody else has the cores meanwhile: for waits.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GATEWAY, CLIENT, DEEP = "10.60.0.1", "10.60.0.2", 16
AARDVARK = ("/usr/lib/podman/aardvark-dns", "/usr/libexec/podman/aardvark-dns")
TICKS = os.sysconf("SC_CLK_TCK")
FIGURES = ("per CPU second", "per second", "p50", "p99", "RSS")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(ROOT / "build" / "bench"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--names", type=int, nargs="+", default=[10, 10000])
    parser.add_argument("--aardvark", default=next((path for path in AARDVARK if os.path.exists(path)), None))
    parser.add_argument("--real-time", action="store_true", help="before all that the machine does otherwise")
    options = parser.parse_args()
    with Street(options) as street:
        for names in options.names:
            show(names, street.measure(names))


def show(names, found):
    print(f"\n== {names} names")
    print(f"  {'':14} {'answers/CPU s':>14} {'answers/s':>12} {'p50, us':>9} {'p99, us':>9} {'RSS, MiB':>9} {'lost':>6} {'wrong':>6}")
    for server, rounds in found.items():
        median = {what: statistics.median(each[what] for each in rounds) for what in FIGURES}
        lost, wrong = (sum(each[what] for each in rounds) for what in ("lost", "wrong"))
        print(f"  {server:14} {median['per CPU second']:14.0f} {median['per second']:12.0f} {median['p50']:9.0f} "
              f"{median['p99']:9.0f} {median['RSS']:9.1f} {lost:6} {wrong:6}", flush=True)


class Street:
    """Two namespaces and a veth pair between them."""

    def __init__(self, options):
        self.options, self.stack = options, contextlib.ExitStack()
        self.server, self.client = (f"dns-bench-{who}-{os.getpid()}" for who in ("server", "client"))
        self.build = Path(options.build).resolve() / "bench"

    def __enter__(self):
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        for name in (self.server, self.client):
            ip("netns", "add", name)
            self.stack.callback(ip, "netns", "del", name)
        ip("-n", self.server, "link", "add", "gw", "type", "veth", "peer", "name", "eth0", "netns", self.client)
        for name, link, address in ((self.server, "gw", GATEWAY), (self.client, "eth0", CLIENT)):
            ip("-n", name, "address", "add", f"{address}/{DEEP}", "dev", link)
            for each in ("lo", link):
                ip("-n", name, "link", "set", each, "up")
        return self

    def __exit__(self, *_):
        self.stack.close()

    def servers(self, names):
        """What starts each server, returning its process id."""
        found = {"fairlead": self.fairlead}
        if shutil.which("dnsmasq"):
            found["dnsmasq"] = self.dnsmasq
        if self.options.aardvark:
            found["aardvark-dns"] = self.aardvark
        return found

    def measure(self, names):
        servers, found = self.servers(names), {}
        for turn in range(self.options.rounds):
            for server in servers if turn % 2 else reversed(list(servers)):
                with contextlib.ExitStack() as running:
                    pid = servers[server](names, running)
                    found.setdefault(server, []).append(self.load(pid, names))
            print(".", end="", flush=True)
        print()
        return {server: found[server] for server in servers}

    def load(self, pid, names):
        self.ask(1, names)  # warms
        before = processor_time(pid)
        figures = self.ask(self.options.seconds, names)
        spent = processor_time(pid) - before
        return {**figures, "per CPU second": figures["answers"] / max(spent, 0.01), "per second": figures["per_second"],
                "RSS": resident(pid)}

    def ask(self, seconds, names):
        out = subprocess.run(self.inside(self.client, 1, self.build / "dns_load", GATEWAY, seconds, names), check=True,
                             capture_output=True, text=True).stdout
        return json.loads(out)

    def start(self, running, *command, **settings):
        process = subprocess.Popen(self.inside(self.server, 0, *command), text=True, **settings)
        running.callback(process.wait, 10)
        running.callback(process.terminate)
        return process

    def inside(self, namespace, core, *command):
        before = ("chrt", "-r", 1) if self.options.real_time else ()
        return [str(word) for word in ("ip", "netns", "exec", namespace, *before, "taskset", "-c", core, *command)]

    def fairlead(self, names, running):
        process = self.start(running, self.build / "dns_server", GATEWAY, names, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout.readline() == "ready\n"
        return process.pid

    def dnsmasq(self, names, running):
        hosts = self.folder / "hosts"
        hosts.write_text("".join(f"{address(i)} c{i} alias-c{i}\n" for i in range(names)))
        process = self.start(running, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                             f"--addn-hosts={hosts}", f"--listen-address={GATEWAY}", "--bind-interfaces", "--user=root",
                             "--pid-file", "--cache-size=10000")
        self.wait()
        return process.pid

    def aardvark(self, names, running):
        folder = self.folder / "aardvark"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        lines = [f"{i:064x} {address(i)}  c{i},alias-c{i}\n" for i in range(names)]
        (folder / "bench").write_text(f"{GATEWAY}\n" + "".join(lines))
        process = subprocess.Popen(self.inside(self.server, 0, self.options.aardvark, "--config", folder, "-p", 53, "run"),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait()
        written = folder / "aardvark.pid"
        pid = int(written.read_text()) if written.exists() else process.pid
        running.callback(process.wait, 10)
        running.callback(os.kill, pid, signal.SIGKILL)
        return pid

    def wait(self):
        until = time.monotonic() + 20
        while self.ask(1, 1)["answers"] == 0:
            assert time.monotonic() < until, "the server does not answer"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def address(number):
    number += 2
    return f"10.60.{number >> 8}.{number & 255}"


def processor_time(pid):
    """Seconds of the process, and of the kernel for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid):
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
