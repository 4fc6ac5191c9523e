#!/usr/bin/env python3
"""Throughput and latency between two containers on two hosts: over Fairlead's overlay, over a VXLAN that is made by hand with ip
and bridge, and over the bare underlay, by turns in one run. Needs root and the packages of tests/bench/packages.txt.

    tests/bench/overlay_bench.py [--build DIR] [--rounds N] [--seconds S] [--underlay 4|6]

DIR is a release build with its tests (default build/bench). The hosts are network namespaces on one machine, so that only ratios
mean anything. Prints medians; asserts nothing.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PREFIX = f"flbench{os.getpid()}"
UNDERLAY = {4: ("192.0.2.", 24), 6: ("2001:db8:99::", 64)}
HAND_VNI = 77


def sh(*command, check=True):
    return subprocess.run([str(part) for part in command], check=check, capture_output=True, text=True).stdout


class Lab:
    """h1 and h2 on the bridge of a third namespace; c1 and c2 are containers of the overlay, m1 and m2 of the VXLAN by hand."""

    def __init__(self, build, family):
        self.build, self.family = build, family
        self.names = []

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in reversed(self.names):
            for pid in sh("ip", "netns", "pids", name, check=False).split():
                sh("kill", pid, check=False)
            sh("ip", "netns", "del", name, check=False)

    def netns(self, short):
        return f"{PREFIX}-{short}"

    def run(self, short, *command, check=True):
        return sh("ip", "netns", "exec", self.netns(short), *command, check=check)

    def ip(self, short, *lines):
        for line in lines:
            self.run(short, "ip", *line.split())

    def local(self, host):
        return UNDERLAY[self.family][0] + str(host)

    def _add(self, short):
        sh("ip", "netns", "add", self.netns(short))
        self.names.append(self.netns(short))
        self.ip(short, "link set lo up")
        for family in ("ip", "ip6"):  # as most hosts without Docker have it
            self.run(short, "sysctl", "-qw", f"net.bridge.bridge-nf-call-{family}tables=0", check=False)

    def _make(self):
        for short in ("lab", "h1", "h2", "c1", "c2", "m1", "m2"):
            self._add(short)
        self.ip("lab", "link add under type bridge", "link set under up")
        for host in (1, 2):
            self._connect(host)
        for host in (1, 2):
            self._by_fairlead(host)
            self._by_hand(host)
        for name in ("c1", "m1", "h1"):
            self.run(name, "ping", "-c", "2", "-W", "2", self.target(name))

    def _connect(self, host):
        self.ip("lab", f"link add p{host} type veth peer name eth0 netns {self.netns(f'h{host}')}",
                f"link set p{host} master under up")
        for address, length in UNDERLAY.values():
            nodad = " nodad" if ":" in address else ""
            self.ip(f"h{host}", f"addr add {address}{host}/{length} dev eth0{nodad}")
        self.ip(f"h{host}", "link set eth0 up")

    def _by_fairlead(self, host):
        other = 3 - host
        self.run(f"h{host}", self.build / "bench" / "overlay_host", self.local(host), f"/run/netns/{self.netns(f'c{host}')}",
                 f"10.9.0.{host + 1}/24", f"10.9.0.{other + 1}", self.local(other))

    def _by_hand(self, host):
        """What the manuals say: one VXLAN in a bridge, learning, and the other host as the default destination."""
        other, mtu = 3 - host, 1450 if self.family == 4 else 1430
        self.ip(f"h{host}", "link add hand0 type bridge",
                f"link add hand1 type vxlan id {HAND_VNI} local {self.local(host)} remote {self.local(other)} dstport 4790",
                f"link set hand1 mtu {mtu} master hand0 up", "link set hand0 up",
                f"link add hand2 mtu {mtu} type veth peer name eth0 mtu {mtu} netns {self.netns(f'm{host}')}",
                "link set hand2 master hand0 up")
        self.ip(f"m{host}", f"addr add 10.10.0.{host + 1}/24 dev eth0", "link set eth0 up")

    def target(self, name):
        # Always IPv4, which is what the tools of Debian 12 measure.
        return {"c1": "10.9.0.3", "m1": "10.10.0.3", "h1": UNDERLAY[4][0] + "2"}[name]


PATHS = {"Fairlead's overlay": ("c1", "c2"), "VXLAN by hand": ("m1", "m2"), "the underlay": ("h1", "h2")}


def serve(lab):
    servers = []
    for _, server in PATHS.values():
        netns = ["ip", "netns", "exec", lab.netns(server)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        servers.append(subprocess.Popen([*netns, "iperf3", "-s"], **quiet))
        address = lab.target({"c2": "c1", "m2": "m1", "h2": "h1"}[server])
        for extra in ([], ["--tcp"]):
            servers.append(subprocess.Popen([*netns, "sockperf", "server", "-i", address, "-p", "11111", *extra], **quiet))
    time.sleep(1.5)
    return servers


def throughput(lab, client, seconds):
    """TCP, gigabits per second at the receiver."""
    done = json.loads(lab.run(client, "iperf3", "-c", lab.target(client), "-t", seconds, "-J"))
    return done["end"]["sum_received"]["bits_per_second"] / 1e9


def latency(lab, client, seconds, *protocol):
    """Half a round trip of 64 bytes, microseconds: the median and the 99th percentile."""
    text = lab.run(client, "sockperf", "ping-pong", "-i", lab.target(client), "-p", "11111", "-m", "64", "-t", seconds, *protocol)
    found = {rank: float(value) for rank, value in re.findall(r"percentile (\d+\.\d+) =\s+([\d.]+)", text)}
    return found["50.000"], found["99.000"]


def measure(lab, rounds, seconds):
    figures = {name: {"tcp": [], "udp50": [], "udp99": [], "tcp50": []} for name in PATHS}
    for turn in range(rounds):
        order = list(PATHS)[turn % len(PATHS):] + list(PATHS)[:turn % len(PATHS)]
        for name in order:
            client, _ = PATHS[name]
            figures[name]["tcp"].append(throughput(lab, client, seconds))
            median, high = latency(lab, client, seconds)
            figures[name]["udp50"].append(median)
            figures[name]["udp99"].append(high)
            figures[name]["tcp50"].append(latency(lab, client, seconds, "--tcp")[0])
        print(".", end="", flush=True)
    print()
    return figures


def show(figures, rounds):
    print(f"medians of {rounds} rounds (in brackets: the best)")
    print(f"  {'':20} {'TCP Gbit/s':>16} {'UDP us p50':>16} {'UDP us p99':>16} {'TCP us p50':>16}")
    for name, of in figures.items():
        cells = [f"{statistics.median(of['tcp']):8.2f} ({max(of['tcp']):5.2f})"]
        cells += [f"{statistics.median(of[key]):8.1f} ({min(of[key]):5.1f})" for key in ("udp50", "udp99", "tcp50")]
        print(f"  {name:20} " + " ".join(f"{cell:>16}" for cell in cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(ROOT / "build" / "bench"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--underlay", type=int, choices=(4, 6), default=4)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("overlay_bench.py needs root: it makes network namespaces")
    with Lab(Path(options.build).resolve(), options.underlay) as lab:
        servers = serve(lab)
        try:
            show(measure(lab, options.rounds, options.seconds), options.rounds)
        finally:
            for server in servers:
                server.terminate()
                server.wait()


if __name__ == "__main__":
    main()
