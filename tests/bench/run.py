#!/usr/bin/env python3
"""Measures Fairlead beside its peers, in one run on one machine. Needs root and the packages of the e2e tests.

    tests/bench/run.py [--build DIR] [--containers N] [--runs N] [cni docker connect memory ...]

DIR is a release build with its tests (default build/bench). Prints medians, and ratios to the peer; asserts nothing: machines
are shared and noisy. The CNI part beside the standard chain with 1,000 containers takes some minutes.
"""

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
STANDARD = "/usr/lib/cni"
LEASES = "/run/host/host-local"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(ROOT / "build" / "bench"))
    parser.add_argument("--containers", type=int, default=1000, help="how many are there in the crowded case")
    parser.add_argument("--runs", type=int, default=50, help="measurements per figure")
    parser.add_argument("parts", nargs="*", default=[])
    options = parser.parse_args()
    build = Path(options.build).resolve()
    os.environ["FAIRLEAD_E2E_BIN"] = str(build / "bin")
    parts = {"connect": connects, "http": http_latency, "volume": volumes, "docker": docker_connects, "cni": cni,
             "parallel": parallel}
    for name in options.parts or parts:
        print(f"\n== {name}", flush=True)
        parts[name](build, options)


def median(values):
    return statistics.median(values) if values else float("nan")


def line(what, ours, theirs=None, unit="ms"):
    ratio = f"   {theirs / ours:8.1f} times" if theirs else ""
    peer = f"{theirs:10.3f}" if theirs is not None else " " * 10
    print(f"  {what:58} {ours:10.3f} {peer} {unit}{ratio}", flush=True)


def header(ours, theirs):
    print(f"  {'':58} {ours:>10} {theirs:>10}")


# ---- CNI ----------------------------------------------------------------------------------------------------------

def fairlead_chain(name="bench", subnet="10.61.0.0/16"):
    return {"cniVersion": "1.0.0", "name": name, "plugins": [
        {"type": "fairlead", "subnet": subnet, "capabilities": {"portMappings": True}}]}


def standard_chain():
    ipam = {"type": "host-local", "ranges": [[{"subnet": "10.62.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": LEASES}
    return {"cniVersion": "0.4.0", "name": "chain", "plugins": [
        {"type": "bridge", "bridge": "chain0", "isGateway": True, "ipMasq": True, "hairpinMode": True, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}, {"type": "firewall"}]}


class Timer:
    """cni_timer on a host, with namespaces for its containers."""

    def __init__(self, host, build, chain, folder):
        self.host, self.build, self.folder = host, build, folder
        self.conflist = f"/run/host/{chain['name']}.conflist"
        host.write(self.conflist, json.dumps(chain))
        self.env = {"FAIRLEAD_RUN_DIR": "/run/fairlead", "FAIRLEAD_STATE_DIR": "/var/lib/fairlead"}

    def namespaces(self, first, count):
        self.host.exec("sh", "-c", f"for n in $(seq {first} {first + count - 1}); do ip netns add bench-$n; done", timeout=600)

    def drop(self, first, count):
        self.host.exec("sh", "-c", f"for n in $(seq {first} {first + count - 1}); do ip netns del bench-$n; done", timeout=600)

    def run(self, first, count, mode, ports=1):
        done = self.host.exec(str(self.build / "bench" / "cni_timer"), self.conflist, self.folder, first, count, mode, ports,
                              env=self.env, timeout=3000)
        return json.loads(done.out)

    def cycle(self, first, count, ports=1):
        self.namespaces(first, count)
        self.run(first, min(5, count), "cycle", ports)  # warm
        figures = self.run(first, count, "cycle", ports)
        self.drop(first, count)
        return median(figures["add_us"]) / 1000, median(figures["del_us"]) / 1000


def cni(build, options):
    from support.e2e.cni import install_fairlead
    from support.e2e.host import Host
    runs, crowd = options.runs, options.containers - 1
    with Host() as host:
        host.path("/opt/cni/bin").mkdir(parents=True, exist_ok=True)
        install_fairlead(host)
        daemon = host.start_fairleadd()
        ours = Timer(host, build, fairlead_chain(), "/opt/cni/bin")
        theirs = Timer(host, build, standard_chain(), STANDARD)
        quiet = host.exec("cat", f"/proc/{daemon_pid(host, daemon)}/status").out
        few = {"daemon": ours.cycle(1, runs), "chain": theirs.cycle(1, runs),
               "daemon100": ours.cycle(1, max(5, runs // 5), 100), "chain100": theirs.cycle(1, 3, 100)}
        daemon.stop()
        few["alone"] = ours.cycle(1, runs)
        header("fairlead", "chain")
        line("ADD, 1 port, daemon running", few["daemon"][0], few["chain"][0])
        line("ADD, 1 port, no daemon", few["alone"][0], few["chain"][0])
        line("DEL, 1 port, daemon running", few["daemon"][1], few["chain"][1])
        line("DEL, 1 port, no daemon", few["alone"][1], few["chain"][1])
        line("ADD, 100 ports, daemon running", few["daemon100"][0], few["chain100"][0])
        print("  daemon idle: " + memory_of(quiet))
        daemon = host.start_fairleadd()
        ours.namespaces(2000, crowd)
        started = time.monotonic()
        ours.run(2000, crowd, "keep")
        print(f"  {crowd} ADDs in a row: {time.monotonic() - started:.1f} s", flush=True)
        full = ours.cycle(1, runs)
        print("  daemon with as many endpoints: " + memory_of(host.exec("cat", f"/proc/{daemon_pid(host, daemon)}/status").out))
        daemon.stop()
        full_alone = ours.cycle(1, runs)
        host.exec("sh", "-c", f"for n in $(seq 2000 {1999 + crowd}); do ip netns del bench-$n; done", timeout=600)
        host.start_fairleadd()
        theirs.namespaces(2000, crowd)
        theirs.run(2000, crowd, "keep")
        chain = theirs.cycle(1, max(5, runs // 5))
        line(f"ADD beside {crowd} containers, daemon running", full[0], chain[0])
        line(f"ADD beside {crowd} containers, no daemon", full_alone[0], chain[0])
        line(f"DEL beside {crowd} containers, daemon running", full[1], chain[1])
        print(f"  ADD at {crowd + 1} containers to ADD at 1: fairlead {full[0] / few['daemon'][0]:.2f}, chain {chain[0] / few['chain'][0]:.2f}")


def daemon_pid(host, daemon):
    return host.exec("sh", "-c", "for p in /proc/[0-9]*; do [ \"$(cat $p/comm)\" = fairleadd ] && echo ${p#/proc/}; done; true").out.split()[0]


def memory_of(status):
    fields = dict(row.split(":", 1) for row in status.splitlines() if ":" in row)
    return f"{int(fields['VmRSS'].split()[0]) / 1024:.1f} MB resident ({int(fields['RssAnon'].split()[0]) / 1024:.1f} MB its own)"


def parallel(build, options):
    """24 runtimes at once: how many attaches a second."""
    from support.e2e.cni import install_fairlead
    from support.e2e.host import Host
    with Host() as host:
        host.path("/opt/cni/bin").mkdir(parents=True, exist_ok=True)
        install_fairlead(host)
        host.start_fairleadd()
        timer = Timer(host, build, fairlead_chain(), "/opt/cni/bin")
        timer.namespaces(1, 480)
        command = f"{build}/bench/cni_timer {timer.conflist} /opt/cni/bin"
        timer.run(1, 1, "cycle")
        started = time.monotonic()
        host.exec("sh", "-c", f"for w in $(seq 0 23); do {command} $((1 + w * 20)) 20 keep 1 >/dev/null & done; wait",
                  env=timer.env, timeout=300)
        seconds = time.monotonic() - started
        endpoints = len(host.endpoints())
        print(f"  {endpoints} of 480 attached by 24 at once: {endpoints / seconds:.0f} a second")


# ---- Docker ---------------------------------------------------------------------------------------------------------

class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


def docker_connects(_build, options):
    from support.e2e import images
    from support.e2e.docker import Docker
    from support.e2e.host import Host
    with Host() as host:
        host.start_fairleadd("--log-level", "debug")  # which tells each call
        docker = Docker(host).start().load_image()
        docker.network("ours", "--subnet", "10.63.0.0/24")
        docker("network", "create", "--subnet", "10.64.0.0/24", "theirs")
        docker("network", "create", "--subnet", "10.65.0.0/24", "home")
        docker.run("box", network="home", wait=False)
        engine = UnixHttp(str(host.path("/run/docker.sock")))

        def post(path, body):
            start = time.monotonic()
            engine.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = engine.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise RuntimeError(text)
            return (time.monotonic() - start) * 1000

        times = {(name, verb): [] for name in ("ours", "theirs") for verb in ("connect", "disconnect")}
        for turn in range(options.runs + 3):
            for name in ("ours", "theirs"):
                for verb in ("connect", "disconnect"):
                    millis = post(f"/networks/{name}/{verb}", {"Container": "box"})
                    if turn >= 3:
                        times[name, verb].append(millis)
        header("fairlead", "bridge")
        for verb in ("connect", "disconnect"):
            line(f"docker network {verb}", median(times["ours", verb]), median(times["theirs", verb]))
        own = {"Join": [], "Leave": [], "CreateEndpoint": [], "DeleteEndpoint": []}
        for row in host.path("/run/host/fairleadd.log").read_text().splitlines():
            for verb, values in own.items():
                if f"verb=NetworkDriver.{verb} " in row:
                    values.append(float(row.rsplit("ms=", 1)[1]))
        line("the plugin's own part: CreateEndpoint + Join", median(own["CreateEndpoint"]) + median(own["Join"]))
        line("the plugin's own part: Leave + DeleteEndpoint", median(own["Leave"]) + median(own["DeleteEndpoint"]))
        ports = ["-p", "21000-21099:80-179"]
        starts = {"ours": [], "theirs": []}
        for _ in range(max(3, options.runs // 10)):
            for name in starts:
                begin = time.monotonic()
                docker("run", "--rm", "--network", name, *ports, images.IMAGE, "true")
                starts[name].append((time.monotonic() - begin) * 1000)
        line("docker run --rm with 100 ports", median(starts["ours"]), median(starts["theirs"]))


# ---- programs that measure by themselves ----------------------------------------------------------------------------

def connects(build, _options):
    subprocess.run([str(build / "bench" / "connect_timer"), "--gtest_brief=1"], check=False)


def http_latency(_build, options):
    from support.e2e.host import Host
    with Host() as host:
        host.start_fairleadd()
        times = []
        request = b"POST /NetworkDriver.GetCapabilities HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(host.path("/run/docker/plugins/fairlead.sock")))
            for _ in range(options.runs * 40):
                start = time.perf_counter()
                connection.sendall(request)
                connection.recv(4096)
                times.append((time.perf_counter() - start) * 1e6)
        line("HTTP on the plugin socket, kept alive, p50", median(times), unit="us")


def volumes(_build, options):
    from support.e2e.docker import Docker
    from support.e2e.host import Host
    with Host() as host:
        host.start_fairleadd()
        plugin = UnixHttp(str(host.path("/run/docker/plugins/fairlead.sock")))

        def call(verb, body):
            plugin.request("POST", f"/VolumeDriver.{verb}", json.dumps(body))
            answer = plugin.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(text)

        times = []
        for number in range(options.runs):
            name = f"bench-{number}"
            start = time.monotonic()
            call("Create", {"Name": name})
            call("Mount", {"Name": name, "ID": "m"})
            call("Unmount", {"Name": name, "ID": "m"})
            call("Remove", {"Name": name})
            times.append((time.monotonic() - start) * 1000)
        line("volume create + mount + unmount + remove (dir)", median(times))
        docker = Docker(host).start()
        engine = UnixHttp(str(host.path("/run/docker.sock")))

        def volume(driver):
            start = time.monotonic()
            for method, path, body in (("POST", "/volumes/create", {"Name": "bench", "Driver": driver}), ("DELETE", "/volumes/bench", None)):
                engine.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
                answer = engine.getresponse()
                text = answer.read()
                if answer.status >= 300:
                    raise RuntimeError(text)
            return (time.monotonic() - start) * 1000

        ours, theirs = [], []
        for _ in range(options.runs):
            ours.append(volume("fairlead"))
            theirs.append(volume("local"))
        header("fairlead", "local")
        line("through Docker: volume create + rm", median(ours), median(theirs))
        docker.stop()


if __name__ == "__main__":
    main()
