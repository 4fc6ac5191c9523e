#!/usr/bin/env python3
"""What metrics and counters cost: two hosts by turns in one run, one that counts and one that does not. Needs root.

    tests/bench/metrics_bench.py [--build DIR] [--against DIR] [--rounds N] [cost scrape]

DIR is a release build with its tests (default build/bench). The host that does not count has "counters": false; with --against it has
the programs of that folder instead, of a version before there were metrics. `scrape` measures what a scrape takes beside 1,000
endpoints and 1,000 volumes. Prints medians, bests and ratios; asserts nothing.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "bench")]
PUBLISHED, PORT, COUNT = 8080, 9000, 5
SECONDS = "0.4"  # of each measurement of traffic
MANY = 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(ROOT / "build" / "bench"))
    parser.add_argument("--against", help="the folder of programs of another version")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each measurement")
    parser.add_argument("parts", nargs="*", default=[])
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("metrics_bench.py needs root: it makes network namespaces")
    options.build = Path(options.build).resolve()
    parts = {"cost": cost, "scrape": scrape}
    with tempfile.TemporaryDirectory() as folder:
        options.flow = Path(folder) / "flow"
        subprocess.run(["gcc", "-O2", "-o", str(options.flow), str(ROOT / "tests/bench/flow.c")], check=True)
        for name in options.parts or parts:
            print(f"\n== {name}", flush=True)
            parts[name](options)


class Lab:
    """A host with a network, and a server in a container behind a published port."""

    def __init__(self, options, stack, programs, config):
        from run import Timer
        from support.e2e import cni
        from support.e2e.host import HOST_V4, Host
        os.environ["FAIRLEAD_E2E_BIN"] = str(programs)
        self.address, self.host = HOST_V4, stack.enter_context(Host())
        if config:
            self.host.write("/etc/fairlead/fairlead.json", config)
        self.host.start_fairleadd()
        cni.install_fairlead(self.host)
        self.host.path("/run/host/flow").write_bytes(options.flow.read_bytes())
        self.host.path("/run/host/flow").chmod(0o755)
        conflist = cni.fairlead_conflist("shop", "10.88.0.0/16")
        containers = cni.Containers(self.host)
        containers.make("server")
        cni.Network(self.host, conflist).add("server", ports=[(PUBLISHED, PORT), (PUBLISHED, PORT, "udp")])
        self.host.start("/run/host/flow", "serve", PORT, name="flow-server", namespace="server")
        self.timer = Timer(self.host, options.build, {**conflist, "plugins": [{**conflist["plugins"][0]}]}, cni.BIN_FOLDER)
        self.timer.namespaces(1, COUNT)
        # From the first look on ports are counted; an older version has nothing to look at.
        self.host.exec("curl", "--silent", "--unix-socket", "/run/fairlead/api.sock", "http://x/metrics/traffic")

    def attaches(self, ports):
        """Milliseconds of (ADD, DEL), of the fastest: the others waited for somebody."""
        figures = self.timer.run(1, COUNT, "cycle", ports)
        return min(figures["add_us"]) / 1000, min(figures["del_us"]) / 1000

    def flow(self, what, amount):
        """From outside through the published port."""
        return float(self.host.exec("/run/host/flow", what, self.address, PUBLISHED, amount, namespace="outside").out)


FIGURES = {
    "ADD, ms": lambda lab: lab.attaches(0)[0],
    "ADD with a port, ms": lambda lab: lab.attaches(1)[0],
    "ADD with 100 ports, ms": lambda lab: lab.attaches(100)[0],
    "DEL with a port, ms": lambda lab: lab.attaches(1)[1],
    "connect() to a port, us": lambda lab: lab.flow("connect", 500),
    "packet to a port, ns": lambda lab: lab.flow("packets", SECONDS),
    "TCP to a port, Gbit/CPU s": lambda lab: lab.flow("load", SECONDS),
    "TCP to a port, Gbit/s": lambda lab: lab.flow("stream", SECONDS),
}


def cost(options):
    found = {what: ([], []) for what in FIGURES}
    with contextlib.ExitStack() as stack:
        other = (options.against, None) if options.against else (options.build / "bin", '{"counters": false}')
        labs = [Lab(options, stack, options.build / "bin", None), Lab(options, stack, *other)]
        for turn in range(options.rounds + 1):
            for what, figure in FIGURES.items():
                for which in (0, 1) if turn % 2 else (1, 0):
                    value = figure(labs[which])
                    if turn > 0:  # the first one warms
                        found[what][which].append(value)
            print(".", end="", flush=True)
    print(f"\n  {'':28} {'counts':>10} {'does not':>10} {'ratio':>8}      [the best]")
    for what, both in found.items():
        (one, two), better = (statistics.median(values) for values in both), max if "Gbit" in what else min
        best = [better(values) for values in both]
        print(f"  {what:28} {one:10.3f} {two:10.3f} {one / two:8.3f}      [{best[0]:.3f} {best[1]:.3f} {best[0] / best[1]:.3f}]")


def scrape(options):
    """Of both pages; the first one asks all volumes."""
    with contextlib.ExitStack() as stack:
        lab = Lab(options, stack, options.build / "bin", None)
        lab.timer.namespaces(1000, MANY)
        lab.timer.run(1000, MANY, "keep", 1)
        script = "".join(f"{options.build}/bin/fairlead volume create v{number} >/dev/null\n" for number in range(MANY))
        lab.host.exec("sh", "-c", script, timeout=600)
        for path in ("/metrics", "/metrics/traffic"):
            page = lab.host.path("/run/host/scrape")
            ask = ("curl", "--silent", "--fail", "--unix-socket", "/run/fairlead/api.sock", "--output", "/run/host/scrape", "--write-out",
                   "%{time_total}", f"http://x{path}")
            times = [float(lab.host.exec(*ask).out) * 1000 for _ in range(options.rounds)]
            series = sum(not line.startswith("#") for line in page.read_text().splitlines())
            print(f"  {path:20} median {statistics.median(times):8.1f} ms, longest {max(times):8.1f} ms, {series} series, {page.stat().st_size} bytes")


if __name__ == "__main__":
    main()
