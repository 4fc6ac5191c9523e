#!/usr/bin/env python3
"""What a large cluster costs one real agent: fairleadd, a real etcd with TLS, and the records of hosts that do not exist.

    tests/bench/cluster_scale.py [--build DIR] [--hosts N] [--endpoints N]

DIR is a release build with its tests (default build/bench). Needs root and the packages of the end-to-end tests. Prints figures;
asserts nothing. See cluster_simulation.cpp for the same without etcd and kernel, and overlay_entries.cpp for the kernel alone.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
NETWORK = "shop"


class Agent:
    """The one host that is real."""

    def __init__(self, cluster, feeder):
        self.node = cluster.nodes[0]
        self.host = self.node.host
        self._feeder = feeder
        made = self.node.call("POST", "/v1/networks", {"name": NETWORK, "options": {"mode": "overlay"},
                                                       "subnets": [{"subnet": "10.0.0.0/12"}]})
        self.network_id, self.device = made["id"], self.node.tunnel(NETWORK)
        self.node.attach("mine", NETWORK)  # its address is not one of those that are fed

    def feed(self, *words):
        return self.host.exec(self._feeder, "/etc/fairlead/fairlead.json", self.network_id, *map(str, words), timeout=600).out

    def entries(self):
        return self.node.call("GET", "/v1/cluster")["peers"]["entries"]

    def await_entries(self, wanted):
        while self.entries() != wanted:
            time.sleep(0.02)

    def in_the_kernel(self):
        """(neighbours, forwarding entries) of the tunnel."""
        count = lambda *command: sum(1 for _ in self.host.exec(*command).out.splitlines())
        return (count("ip", "neigh", "show", "dev", self.device, "nud", "permanent"),
                count("sh", "-c", f"bridge fdb show dev {self.device} | grep dst"))

    def processor_seconds(self):
        fields = Path(f"/proc/{self.node.fairleadd.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self):
        return self.node.fairleadd.resident_kib() / 1024

    def start(self, wanted):
        """Seconds from its start until all is given to the kernel."""
        begin = time.monotonic()
        self.node.start_fairleadd()
        self.await_entries(wanted)
        return time.monotonic() - begin

    def forget(self):
        """Nothing is left but what says which network this host has."""
        self.host.exec("ip", "link", "delete", self.device)
        self.host.exec("find", "/var/lib/fairlead/cluster", "-type", "f", "-delete")


def churn(agent, count, pause):
    """Milliseconds from before the commit of each new endpoint until the kernel says that it has the entry."""
    monitor = agent.host.start("ip", "-ts", "monitor", "neigh", name="monitor")
    time.sleep(1)
    made = {address: int(at) / 1e6 for at, address in (line.split() for line in agent.feed("churn", count, pause).splitlines())}
    time.sleep(2)
    monitor.kill()
    seen = {}
    for line in monitor.log().splitlines():
        found = re.match(r"\[(\S+)\.(\d+)\] (\S+) dev " + agent.device, line)
        if found:
            at = time.mktime(time.strptime(found[1], "%Y-%m-%dT%H:%M:%S")) + float("0." + found[2])
            seen.setdefault(found[3], at)
    delays = sorted((seen[address] - at) * 1000 for address, at in made.items() if address in seen)
    return delays, len(made) - len(delays)


def row(what, figure):
    print(f"| {what} | {figure} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(ROOT / "build" / "bench"))
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--endpoints", type=int, default=100, help="of each host")
    options = parser.parse_args()
    build = Path(options.build).resolve()
    os.environ["FAIRLEAD_E2E_BIN"] = str(build / "bin")
    from support.e2e.cluster import Cluster  # reads the variable
    with Cluster(hosts=1, docker=False) as cluster:
        measure(Agent(cluster, build / "bench" / "cluster_feed"), options)


def measure(agent, options):
    total = options.hosts * options.endpoints
    row("hosts / endpoints of other hosts", f"{options.hosts} / {total}")
    empty, processor = agent.resident_mib(), agent.processor_seconds()
    begin = time.monotonic()
    agent.feed("fill", options.hosts, options.endpoints)
    fed = time.monotonic()
    agent.await_entries(total)
    row("written to etcd in", f"{fed - begin:.1f} s ({total / (fed - begin):.0f} a second)")
    row("the agent had given all to the kernel", f"{time.monotonic() - fed:.2f} s after the last write")
    row("its processor time for that", f"{agent.processor_seconds() - processor:.1f} s")
    row("its memory before / after", f"{empty:.0f} / {agent.resident_mib():.0f} MiB"
        f" ({(agent.resident_mib() - empty) * 1024 * 1024 / total:.0f} bytes an entry)")
    row("in the kernel: neighbours / forwarding entries", "{} / {}".format(*agent.in_the_kernel()))
    for what, delays in ((f"{count} new endpoints, one in {pause} ms", churn(agent, count, pause)) for count, pause in ((300, 10),)):
        times, lost = delays
        row(f"{what}: in the kernel after p50 / p99, lost",
            f"{times[len(times) // 2]:.1f} / {times[int(len(times) * 0.99)]:.1f} ms, {lost}")
        total += len(times) + lost
    for what, prepare in (("start, all as it was", lambda: None), ("start from nothing: no snapshot, no tunnel", agent.forget)):
        agent.node.fairleadd.stop()
        prepare()
        took = agent.start(total)
        row(f"{what}: all in the kernel after", f"{took:.2f} s, {agent.processor_seconds():.1f} s of processor time")
        row("memory / in the kernel", "{:.0f} MiB / {} and {}".format(agent.resident_mib(), *agent.in_the_kernel()))


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("cluster_scale.py needs root: it makes network namespaces")
    main()
