#!/usr/bin/env python3
"""What it costs that a container is held to its own addresses: networks with -o spoofing=deny and -o spoofing=allow by turns, in one
run on one machine, alone and beside many other endpoints; and for how long a table that was flushed is open. Needs root.

    tests/bench/spoofing_bench.py [--build DIR] [--rounds N] [--endpoints N] [--bridge-netfilter] [cost crowd window ...]

DIR is a release build with its tests (default build/bench). Prints medians, bests and ratios; asserts nothing.
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
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "attack"), str(ROOT / "tests" / "bench")]
POLICIES = ("deny", "allow")
PORT, OUTSIDE = 9000, "203.0.113.1"
PER_NETWORK = 500
SECONDS = "0.4"  # of each measurement of traffic


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(ROOT / "build" / "bench"))
    parser.add_argument("--rounds", type=int, default=20, help="turns of each measurement")
    parser.add_argument("--endpoints", type=int, default=1000, help="how many others are there in the crowd")
    parser.add_argument("--bridge-netfilter", action="store_true", help="bridges hand what they pass on to iptables")
    parser.add_argument("parts", nargs="*", default=[])
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("spoofing_bench.py needs root: it makes network namespaces")
    options.build = Path(options.build).resolve()
    os.environ["FAIRLEAD_E2E_BIN"] = str(options.build / "bin")
    parts = {"cost": cost, "crowd": crowd, "window": window}
    with tempfile.TemporaryDirectory() as folder:
        options.flow = Path(folder) / "flow"
        subprocess.run(["gcc", "-O2", "-o", str(options.flow), str(ROOT / "tests/bench/flow.c")], check=True)
        for name in options.parts or parts:
            print(f"\n== {name}", flush=True)
            parts[name](options)


class Lab:
    """A host with one network of each policy, two containers on each that talk, and a server outside."""

    def __init__(self, options, stack):
        from street import Street, set_bridge_netfilter
        from support.e2e.host import Host
        self.options, self.host = options, stack.enter_context(Host())
        self.host.start_fairleadd()
        set_bridge_netfilter(self.host, 1 if options.bridge_netfilter else 0)
        self.street = Street(self.host, stack)
        self.host.path("/run/host/flow").write_bytes(options.flow.read_bytes())
        self.host.path("/run/host/flow").chmod(0o755)
        self.guests, self.timers = {}, {}
        for number, policy in enumerate(POLICIES, 1):
            self.street.network(policy, "46", number, "-o", f"spoofing={policy}")
            self.guests[policy] = [self.street.attach(f"{policy}-{who}", policy) for who in ("one", "two")]
            self.serve(self.guests[policy][1].name)
            self.timers[policy] = self.timer(policy)
        self.serve("outside")

    def serve(self, namespace):
        self.host.start("/run/host/flow", "serve", PORT, name=f"flow-{namespace}", namespace=namespace)

    def timer(self, network):
        from run import Timer
        chain = {"cniVersion": "1.0.0", "name": f"c-{network}", "plugins": [{"type": "fairlead", "network": network}]}
        return Timer(self.host, self.options.build, chain, "/opt/cni/bin")

    def flow(self, policy, what, address, amount):
        return float(self.host.exec("/run/host/flow", what, address, PORT, amount, namespace=self.guests[policy][0].name).out)

    def attaches(self, policy, count=5):
        """Milliseconds of (ADD, DEL), of the fastest: the others waited for somebody."""
        figures = self.timers[policy].run(1, count, "cycle", 0)
        return min(figures["add_us"]) / 1000, min(figures["del_us"]) / 1000

    def crowd(self, count):
        """As many other endpoints with their elements, on networks of their own."""
        for number, first in enumerate(range(0, count, PER_NETWORK)):
            name, size = f"crowd{number}", min(PER_NETWORK, count - first)
            self.host.fairlead("network", "create", "--subnet", f"10.{72 + number}.0.0/16", name)
            timer = self.timer(name)
            timer.namespaces(10000 + first, size)
            timer.run(10000 + first, size, "keep", 0)

    def measure(self):
        """{what: {policy: (median, best)}}; each figure of one policy beside that of the other, the first one by turns."""
        found = {}
        self.timers["deny"].namespaces(1, 5)
        for turn in range(self.options.rounds + 1):
            for what, figure in FIGURES.items():
                for policy in POLICIES if turn % 2 else reversed(POLICIES):
                    value = figure(self, policy)
                    if turn > 0:  # the first one warms
                        found.setdefault(what, {name: [] for name in POLICIES})[policy].append(value)
            print(".", end="", flush=True)
        print()
        self.timers["deny"].drop(1, 5)
        return {what: {policy: (statistics.median(values), (max if "Gbit" in what else min)(values)) for policy, values in of.items()}
                for what, of in found.items()}

    def to_neighbour(self, policy, what, family, amount):
        neighbour = self.guests[policy][1]
        return self.flow(policy, what, neighbour.v4 if family == 4 else neighbour.v6, amount)


FIGURES = {
    "ADD, ms": lambda lab, policy: lab.attaches(policy)[0],
    "DEL, ms": lambda lab, policy: lab.attaches(policy)[1],
    "connect() to a neighbour, us": lambda lab, policy: lab.to_neighbour(policy, "connect", 4, 300),
    "connect() to the outside, us": lambda lab, policy: lab.flow(policy, "connect", OUTSIDE, 300),
    "packet to a neighbour, ns": lambda lab, policy: lab.to_neighbour(policy, "packets", 4, SECONDS),
    "packet to a neighbour, IPv6, ns": lambda lab, policy: lab.to_neighbour(policy, "packets", 6, SECONDS),
    "packet to the outside, ns": lambda lab, policy: lab.flow(policy, "packets", OUTSIDE, SECONDS),
    "TCP to a neighbour, Gbit/CPU s": lambda lab, policy: lab.to_neighbour(policy, "load", 4, SECONDS),
    "TCP to the outside, Gbit/CPU s": lambda lab, policy: lab.flow(policy, "load", OUTSIDE, SECONDS),
    "TCP to a neighbour, Gbit/s": lambda lab, policy: lab.to_neighbour(policy, "stream", 4, SECONDS),
    "TCP to a neighbour, IPv6, Gbit/s": lambda lab, policy: lab.to_neighbour(policy, "stream", 6, SECONDS),
    "TCP to the outside, Gbit/s": lambda lab, policy: lab.flow(policy, "stream", OUTSIDE, SECONDS),
}


def show(figures, first, second, of):
    """Medians, and the best of each in brackets: a busy machine makes figures worse, and never better."""
    print(f"  {'':34} {first:>10} {second:>10} {'ratio':>8}      [the best]")
    for what in figures:
        (one, best_one), (two, best_two) = of(what)
        best = f"[{best_one:.3f} {best_two:.3f} {best_one / best_two:.3f}]"
        print(f"  {what:34} {one:10.3f} {two:10.3f} {one / two:8.3f}      {best}", flush=True)


def cost(options):
    with contextlib.ExitStack() as stack:
        figures = Lab(options, stack).measure()
        show(figures, "deny", "allow", lambda what: (figures[what]["deny"], figures[what]["allow"]))


def crowd(options):
    """The same beside others: what changes is what it costs that they are there."""
    with contextlib.ExitStack() as stack:
        lab = Lab(options, stack)
        few = lab.measure()
        lab.crowd(options.endpoints)
        many = lab.measure()
        for policy in POLICIES:
            show(few, f"+{options.endpoints}", "alone", lambda what, policy=policy: (many[what][policy], few[what][policy]))
            print(f"  (spoofing={policy})")
        show(many, "deny", "allow", lambda what: (many[what]["deny"], many[what]["allow"]))
        print(f"  (beside {options.endpoints})")


def window(options):
    """How long is a container open to a neighbour outside, and free to spoof, after somebody flushed a table?"""
    from support.e2e import frames
    from support.e2e.attacker import Flood, Guest, new_mark, read_stamps, stamped
    from support.e2e.waiting import eventually
    from street import ruleset
    with contextlib.ExitStack() as stack:
        lab = Lab(options, stack)
        host, (me, neighbour) = lab.host, lab.guests["deny"]
        host.exec("ping", "-c1", OUTSIDE)
        outside = lab.street.closing(Guest("outside", host.outside, "eth0", outside_mac(host), OUTSIDE))
        uplink = host.link("uplink0")["address"]

        def flood(make):
            mark = new_mark()
            return mark, lambda: (make(stamped(mark)),)

        reach = flood(lambda mark: outside.datagram(uplink, neighbour.v4, mark))
        spoof = flood(lambda mark: frames.ethernet(frames.BROADCAST, me.mac, frames.IPV4, frames.ipv4(
            "10.99.0.1", "10.99.0.2", frames.UDP, frames.udp("10.99.0.1", "10.99.0.2", 4444, 4444, mark))))
        for flush in ("flush ruleset", "delete table inet fairlead", "delete table bridge fairlead"):
            spans = {"reached from outside": [], "spoofs": []}
            for _ in range(options.rounds):
                before = ruleset(host)
                with neighbour.ear() as ear:
                    with Flood(outside, reach[1]), Flood(me, spoof[1]):
                        host.exec("nft", flush)
                        eventually(lambda before=before: ruleset(host) == before, "the tables to be back", 20)
                    heard = ear.all_so_far()
                for what, (mark, _) in zip(spans, (reach, spoof)):
                    times = read_stamps(heard, mark)
                    spans[what].append((max(times) - min(times)) / 1e6 if times else 0.0)
            for what, values in spans.items():
                print(f"  nft {flush:30} {what:22} {statistics.median(values):8.1f} ms (at most {max(values):.1f})", flush=True)


def outside_mac(host):
    shown = host.exec("ip", "-o", "link", "show", "eth0", namespace="outside").out
    return shown.split("link/ether ")[1].split()[0]


if __name__ == "__main__":
    main()
