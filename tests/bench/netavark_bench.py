#!/usr/bin/env python3
"""What a container costs with netavark and with Fairlead in its place: `setup` and `teardown` of one container with one published port,
exec to exit, beside none and beside many others, by turns, in one run on one machine. Needs root.

    tests/bench/netavark_bench.py [--bin DIR] [--containers N] [--rounds N]

DIR has Fairlead's executables (default build/release/bin). netavark is that of Debian 13. Each is on a host of its own. Prints medians,
bests and ratios; asserts nothing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests")]
NETAVARK = "/usr/lib/podman/netavark"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    parser.add_argument("--containers", type=int, default=500, help="how many there are in the crowd")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each measurement")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("netavark_bench.py needs root: it makes network namespaces")
    os.environ["FAIRLEAD_E2E_BIN"] = str(Path(options.bin).resolve())
    from support.e2e.host import Host
    from support.e2e.newer_podman import HELPERS
    with tempfile.TemporaryDirectory() as folder, Host() as one, Host() as other:
        timer = Path(folder) / "netavark_timer"
        subprocess.run(["gcc", "-O2", "-static", "-o", str(timer), str(ROOT / "tests/bench/netavark_timer.c")], check=True)
        one.start_fairleadd()
        labs = {"fairlead": Lab(one, timer, f"{HELPERS}/netavark"), "netavark": Lab(other, timer, NETAVARK)}
        for lab in labs.values():
            lab.make(0, 2)
            lab.run("setup", 0, 1)  # the network is there, as with every container but the first
        compare("the second container", labs, options.rounds, 1)
        for lab in labs.values():
            lab.make(2, options.containers)
            lab.run("setup", 2, options.containers - 1)
        compare(f"container {options.containers + 1}", labs, options.rounds, options.containers + 1)


def compare(what, labs, rounds, number):
    took = {name: [] for name in labs}
    for _ in range(rounds):
        for name, lab in labs.items():
            took[name].append(lab.run("cycle", number, 1)[0])
    for index, verb in enumerate(("setup", "teardown")):
        ours, theirs = ([each[index] / 1000 for each in took[name]] for name in labs)
        print(f"{what}, {verb}: fairlead {statistics.median(ours):.2f} ms (best {min(ours):.2f}), netavark "
              f"{statistics.median(theirs):.2f} ms (best {min(theirs):.2f}): {statistics.median(theirs) / statistics.median(ours):.0f} times",
              flush=True)


class Lab:
    """A host on which a program sets up containers on one network of Podman's own."""

    def __init__(self, host, timer, program):
        from support.e2e.newer_podman import NewerPodman
        self.host, self.podman = host, NewerPodman(host)
        host.path("/run/host/netavark_timer").write_bytes(timer.read_bytes())
        host.path("/run/host/netavark_timer").chmod(0o755)
        host.path("/run/host/documents").mkdir()
        self.command = (program, "--config", "/run/containers/networks", "--rootless=false",
                        "--aardvark-binary=/usr/lib/podman/aardvark-dns")

    def make(self, first, count):
        """Namespaces and documents."""
        batch = "".join(f"netns add bench-{number}\n" for number in range(first, first + count))
        self.host.exec("ip", "-batch", "-", data=batch)
        for number in range(first, first + count):
            self.host.path(f"/run/host/documents/{number}.json").write_text(json.dumps(document(number)))

    def run(self, verb, first, count):
        """Lists of microseconds, one for each container."""
        done = self.podman.exec("/run/host/netavark_timer", verb, str(first), str(count), "/run/host/documents", *self.command,
                                env={"NETAVARK_FW": "nftables"})
        return [[int(number) for number in line.split()] for line in done.out.splitlines()]


def document(number):
    """As Podman 5 writes it."""
    address = f"10.88.{(number + 2) // 250}.{(number + 2) % 250 + 2}"
    network = {"name": "bench", "id": "b" * 64, "driver": "bridge", "network_interface": "podman9", "created": "2026-01-01T00:00:00Z",
               "subnets": [{"subnet": "10.88.0.0/16", "gateway": "10.88.0.1"}], "ipv6_enabled": False, "internal": False,
               "dns_enabled": False, "ipam_options": {"driver": "host-local"}}
    port = {"host_ip": "", "container_port": 80, "host_port": 20000 + number, "range": 1, "protocol": "tcp"}
    return {"container_id": f"{number:064x}", "container_name": f"c{number}", "container_hostname": f"c{number}", "port_mappings": [port],
            "networks": {"bench": {"static_ips": [address], "interface_name": "eth0"}}, "network_info": {"bench": network}}


main()
