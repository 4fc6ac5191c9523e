"""SIGKILL at every fault point of every verb of a host's networks: the opposite verb, the daemon's next start, and the
same verb again each leave nothing over that should not be there. A point in the source that no row of the tables passes fails.
"""

import collections
import contextlib
import http.client
import json
import re
import signal
import unittest
from dataclasses import dataclass
from pathlib import Path

from support.e2e import cni
from support.e2e.case import HostCase
from support.e2e.cluster import ask
from support.e2e.host import API_SOCKET, OUTSIDE_V4, PLUGIN_SOCKET, Output
from support.e2e.name_server import NameServer
from support.e2e.snapshot import Snapshot, stored

SOURCES = Path(__file__).resolve().parent.parent.parent
POINTS = "/run/host/fault-points"
# What is killed elsewhere, by the beginning of a point's name.
ELSEWHERE = {
    "cluster.": "e2e/test_cluster_crash.py", "overlay.": "e2e/test_cluster_crash.py", "vxlan.": "e2e/test_cluster_crash.py",
    "network.create.shared": "e2e/test_cluster_crash.py", "network.unbound": "e2e/test_cluster_crash.py",
    "network.underlay.": "e2e/test_cluster_crash.py",
    "wireguard.ensure.made": "network/drivers/encrypted_overlay_test.cpp",  # under a kernel that has the device
    "parent.vlan.made": "network/drivers/parent_driver_test.cpp",  # the same
    "cni.ipam.": "e2e/test_cni_crash.py", "endpoint.address.": "e2e/test_cni_crash.py",  # all that an ADD passes there
    "bridge.addresses.": "e2e/test_cni_crash.py", "routed.addresses.": "e2e/test_cni_crash.py", "parent.addresses.": "e2e/test_cni_crash.py",
    "netavark.": "e2e/test_podman_netavark.py",  # under a real Podman
    "ipam.leases.dropped": "network/ipam/address_test.cpp",  # between two pages of a thousand void leases
}
SEQUELS = ("the opposite", "the daemon", "the same")
DOCKERS = "d" * 64  # an id of Docker's
PARENT, DEVICE, BRIDGE, SIDE = "lan0", "nic0", "br9", "198.51.100.1"
DUAL = ("--subnet", "10.90.1.0/24", "--subnet", "fd00:90:1::/64", "--ipv6")
MODES = {
    "bridge": DUAL,
    "routed": ("--mode", "routed", *DUAL),
    "macvlan": ("--mode", "macvlan", "-o", f"parent={PARENT}", *DUAL),
    "ipvlan": ("--mode", "ipvlan", "-o", f"parent={PARENT}", *DUAL),
    "a bridge that is there": ("-o", f"bridge={BRIDGE}", *DUAL),
    "host-device": ("--mode", "host-device", "-o", f"parent={DEVICE}", *DUAL),
}
PORTS = [(8080, 80), (5353, 53, "udp"), (8081, 80, "tcp", "127.0.0.1")]


@dataclass
class Verb:
    """`do` is killed, or done; `undo` is the opposite, which also finishes; both after `prepare`, and `undo` leaves what was before it."""

    name: str
    do: object
    undo: object
    prepare: object = lambda: None
    needs: str = ""  # a mode that the kernel may lack
    may_be_repeated: bool = True
    is_whole_when_repeated: bool = True  # otherwise reconcile finishes it


class Killing(HostCase):
    """A host, the tables, and how their verbs are killed."""

    has_base = True  # a network with a container, which stays; otherwise the host has none

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cni.install_fairlead(cls.host)
        # Where names are answered is written whenever it changes: the points that a verb passes would not be the same each time.
        cls.host.write("/etc/fairlead/fairlead.json", '{"dns_port": 0}')
        server = NameServer(cls.host.outside, OUTSIDE_V4)
        cls.addClassCleanup(server.close)
        server.names["git.example"] = (OUTSIDE_V4,)
        cls.host.write("/etc/resolv.conf", f"nameserver {OUTSIDE_V4}\noptions timeout:1\n")
        cls.containers = cni.Containers(cls.host)
        cls.containers.make("first", "one", "lan")
        cls.host.exec("ip", "-batch", "-", data=f"""
            link add {PARENT} type veth peer name lan1 netns lan
            link set {PARENT} up
            link add {BRIDGE} type bridge
            link set {BRIDGE} up
            link add {DEVICE} type veth peer name lan2 netns lan
            addr add 192.168.77.1/24 brd + dev {DEVICE}
            link set {DEVICE} up
        """)
        cls.base = cni.Network(cls.host, cni.fairlead_conflist("base", subnets=["10.90.0.0/24", "fd00:90::/64"]))
        if cls.has_base:
            cls.base.add("first")
        cls.joined = cni.Network(cls.host, {"cniVersion": "1.1.0", "name": "joined", "plugins": [
            {"type": "fairlead", "network": "net", "capabilities": {"portMappings": True, "ips": True}}]})
        cls.own = cni.Network(cls.host, cni.fairlead_conflist("own"))

    # ---- the tables

    def of_a_mode(self, mode, options):
        ports = () if mode in ("macvlan", "ipvlan", "host-device") else PORTS

        def create(env=None):
            return self.fairlead("network", "create", *options, "net", env=env, check=not env)

        def attach(env=None):
            return self.joined.add("one", ports=ports, env=env)

        def detach(env=None):
            self.joined.delete("one", forget=True, env=env)

        def remove(env=None, check=False):
            output = self.fairlead("network", "rm", "net", env=env, check=check)
            self.host.exec("tc", "qdisc", "del", "dev", BRIDGE, "clsact", check=False)  # stays behind there, and is empty
            return output

        def attached():
            create()
            attach()

        def create_and_remove():
            create()
            remove(check=True)

        def detach_and_remove():
            detach()
            remove(check=True)

        def attach_and_remove():
            detach()
            attach()
            detach_and_remove()

        if mode not in ("macvlan", "ipvlan"):  # where a network makes nothing on the host
            yield Verb(f"network create, {mode}", create, remove, needs=mode)
            yield Verb(f"network rm, {mode}", remove, create_and_remove, prepare=create, needs=mode)
        stays = mode != "host-device"  # with the device an address of the host comes and goes, which reconcile follows
        yield Verb(f"ADD, {mode}", attach, detach_and_remove, prepare=create, needs=mode, is_whole_when_repeated=stays)
        yield Verb(f"DEL, {mode}", detach, attach_and_remove, prepare=attached, needs=mode, is_whole_when_repeated=stays)

    def of_addresses(self):
        def create():
            self.fairlead("network", "create", *DUAL, "net")

        def remove():
            self.fairlead("network", "rm", "net", check=False)

        def keep(env=None):
            return self.fairlead("network", "reserve", "net", "web", "10.90.1.5", env=env, check=not env)

        def keep_no_longer(env=None):
            return self.fairlead("network", "unreserve", "net", "10.90.1.5", env=env, check=False)

        def create_and_keep():
            create()
            keep()

        def keep_again():
            keep()
            self.fairlead("network", "unreserve", "net", "10.90.1.5")
            remove()

        def remove_kept():
            keep_no_longer()
            remove()

        def create_with(env=None):
            return self.fairlead("network", "create", *DUAL, "--reserve", "db=10.90.1.9", "net", env=env, check=not env)

        def attach():
            create()
            self.joined.add("one", ips=["10.90.1.7/24"])

        def free(env=None):
            return self.fairlead("lease", "rm", "-f", "10.90.1.7", env=env, check=False)

        def attach_again():
            self.joined.delete("one", forget=True)
            self.joined.add("one", ips=["10.90.1.7/24"])
            self.joined.delete("one", forget=True)
            remove()

        yield Verb("network reserve", keep, remove_kept, prepare=create)
        yield Verb("network unreserve", keep_no_longer, keep_again, prepare=create_and_keep)
        yield Verb("network create --reserve", create_with, remove)
        yield Verb("lease rm -f", free, attach_again, prepare=attach)
        yield Verb("network create, of a subnet that is chosen", lambda env=None: self.fairlead(
            "network", "create", "--ipv6", "net", env=env, check=not env), remove)
        yield Verb("ADD that makes the network", lambda env=None: self.own.add("one", ports=PORTS, env=env),
                   lambda: (self.own.delete("one", forget=True), self.fairlead("network", "rm", "own", check=False)))

    def of_policies(self):
        def policies():
            return self.fairlead("policy", "ls", "-q").out.split()

        def add(*words):
            return lambda env=None: self.fairlead("policy", *words, env=env, check=not env)

        def remove(env=None):
            return self.fairlead("policy", "rm", "-f", *(policies() or ["1"]), env=env, check=not env)

        def remove_names():
            remove()
            self.fairlead("reconcile")  # which forgets the addresses of names that nobody names

        allow = add("allow", "base", OUTSIDE_V4, "443/tcp")

        def add_and_remove():
            allow()
            remove()

        yield Verb("policy allow", allow, remove)
        yield Verb("policy deny", add("deny", "any", "198.51.100.0/24"), remove)
        yield Verb("policy rm", remove, add_and_remove, prepare=allow)
        yield Verb("policy allow, a name", add("allow", "base", "git.example", "443/tcp"), remove_names)

    def of_ports(self):
        ports, choice = ("9090:90", "9091:91/udp", "7000-7099:7000-7099", "127.0.0.1:9092:92"), ("9090", "9091/udp", "7000-7099", "9092")

        def publish(env=None):
            return self.fairlead("publish", "first", *ports, env=env, check=not env)

        def unpublish(env=None):
            return self.fairlead("unpublish", "first", *choice, env=env, check=False)

        def publish_and_unpublish():
            publish()
            self.fairlead("unpublish", "first", *choice)

        def on_two():
            self.fairlead("network", "create", *DUAL, "net")
            self.joined.add("first", "eth1", ports=[(8070, 70)])
            self.fairlead("publish", "--network", "base", "first", "8070:70")

        def give_up(env=None):
            return self.joined.delete("first", "eth1", forget=True, env=env)

        def off():
            give_up()
            self.fairlead("unpublish", "--network", "base", "first", "8070", check=False)
            self.fairlead("network", "rm", "net")

        yield Verb("publish", publish, unpublish)
        yield Verb("unpublish", unpublish, publish_and_unpublish, prepare=publish)
        yield Verb("DEL that hands a port on", give_up, off, prepare=on_two, is_whole_when_repeated=False)

    def of_surroundings(self):
        """The first and the last network of a host: beside a second uplink and a firewall that drops, with forwarding off."""
        def others_are_there():
            self.host.exec("sh", "-c", "rm -f /var/lib/fairlead/state.db*")  # a host that has never had a network
            self.host.exec("nft", "delete", "table", "inet", "fairlead", check=False)
            self.ip(f"address add {SIDE}/24 dev {PARENT}", f"route add default dev {PARENT} table 200", f"rule add from {SIDE} lookup 200")
            self.host.exec("nft", "-f", "-", data="""
                table inet other {
                    chain forward { type filter hook forward priority 0; policy drop; }
                }
            """)
            for setting in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
                self.host.exec("sysctl", "-qw", f"{setting}=0")

        def others_are_as_they_were():
            self.assertNotIn("fairlead", self.host.exec("nft", "list", "table", "inet", "other").out)
            self.assertNotIn("fwmark", self.host.exec("ip", "rule").out)
            self.host.exec("nft", "delete", "table", "inet", "other")
            self.ip(f"rule del from {SIDE}", f"route del default dev {PARENT} table 200", f"address del {SIDE}/24 dev {PARENT}")

        def create(env=None):
            return self.fairlead("network", "create", *DUAL, "net", env=env, check=not env)

        def remove(env=None):
            return self.fairlead("network", "rm", "net", env=env, check=False)

        def others_and_create():
            others_are_there()
            create()

        def create_and_remove():
            create()
            self.assertIn("fairlead", self.host.exec("nft", "list", "table", "inet", "other").out)
            self.assertIn("fwmark", self.host.exec("ip", "rule").out)
            remove()
            others_are_as_they_were()

        def remove_all():
            remove()
            others_are_as_they_were()

        yield Verb("the first network create", create, remove_all, prepare=others_are_there, is_whole_when_repeated=False)
        yield Verb("the last network rm", remove, create_and_remove, prepare=others_and_create, is_whole_when_repeated=False)

    # ---- the table of what the daemon alone does

    def of_the_daemon(self):
        """Labels of an endpoint, and a container as dockerd asks for it."""
        endpoint = self.host.endpoints()[0]["id"]

        def label(env=None):
            return self.by_daemon(env, lambda: self.call(API_SOCKET, "PUT", f"/v1/endpoints/base/{endpoint}/labels", {"labels": {"role": "web"}}))

        def label_no_more():
            self.by_daemon(None, lambda: self.call(API_SOCKET, "PUT", f"/v1/endpoints/base/{endpoint}/labels", {"labels": {}}))

        def plugin(verb, **body):
            return self.call(PLUGIN_SOCKET, "POST", f"/{verb}", body)

        def create():
            with self.daemon():
                pool = plugin("IpamDriver.RequestPool", AddressSpace="fairlead-local", Pool="10.90.2.0/24", SubPool="", Options={}, V6=False)
                self.pool = pool["PoolID"]
                plugin("IpamDriver.RequestAddress", PoolID=self.pool, Address="10.90.2.1", Options={"RequestAddressType": "com.docker.network.gateway"})
                plugin("NetworkDriver.CreateNetwork", NetworkID=DOCKERS, Options={"com.docker.network.generic": {}}, IPv6Data=[], IPv4Data=[
                    {"AddressSpace": "fairlead-local", "Pool": "10.90.2.0/24", "Gateway": "10.90.2.1/24", "AuxAddresses": {}}])

        def run():
            address = plugin("IpamDriver.RequestAddress", PoolID=self.pool, Address="10.90.2.9", Options={})["Address"]
            plugin("NetworkDriver.CreateEndpoint", NetworkID=DOCKERS, EndpointID="e" * 64, Options={},
                   Interface={"Address": address, "AddressIPv6": "", "MacAddress": ""})
            plugin("NetworkDriver.Join", NetworkID=DOCKERS, EndpointID="e" * 64, SandboxKey="/var/run/docker/netns/0123", Options={})

        def end():
            for verb in ("NetworkDriver.Leave", "NetworkDriver.DeleteEndpoint"):
                plugin(verb, NetworkID=DOCKERS, EndpointID="e" * 64)
            plugin("IpamDriver.ReleaseAddress", PoolID=self.pool, Address="10.90.2.9")

        def end_and_remove():
            with self.daemon():
                end()
                plugin("NetworkDriver.DeleteNetwork", NetworkID=DOCKERS)
                plugin("IpamDriver.ReleaseAddress", PoolID=self.pool, Address="10.90.2.1")
                plugin("IpamDriver.ReleasePool", PoolID=self.pool)

        def create_and_run():
            create()
            self.by_daemon(None, run)

        yield Verb("labels", label, label_no_more)
        def create_and_ask():
            create()
            self.by_daemon(None, lambda: plugin("IpamDriver.RequestAddress", PoolID=self.pool, Address="10.90.2.9", Options={}))

        # (The same address again is refused for a while: dockerd may still name the one that it was given.)
        yield Verb("docker run", lambda env=None: self.by_daemon(env, run), end_and_remove, prepare=create, may_be_repeated=False)
        yield Verb("lease rm -f of an address that dockerd has asked for", lambda env=None: self.fairlead(
            "lease", "rm", "-f", "10.90.2.9", env=env, check=False), end_and_remove, prepare=create_and_ask)
        yield Verb("docker rm", lambda env=None: self.by_daemon(env, end), end_and_remove, prepare=create_and_run)

    @contextlib.contextmanager
    def daemon(self, env=None):
        """fairleadd, which has looked at everything."""
        daemon = self.host.start_fairleadd(env=env)
        try:
            self.call(API_SOCKET, "GET", "/v1/networks")  # is answered then
            yield daemon
        finally:
            if daemon.running():
                daemon.stop()

    def call(self, socket, method, path, body=None):
        status, text = ask(self.host.path(socket), method, path, body)
        self.assertLess(status, 300, f"{path}: {text}")
        return json.loads(text or "null")

    def by_daemon(self, env, work):
        """`work` with a daemon of its own, which is to die in it when `env` says so: as the output of a process."""
        with self.daemon(env) as daemon:
            listed = self.host.path(POINTS)
            before = listed.read_text() if env and listed.exists() else ""
            try:
                work()
            except (OSError, http.client.HTTPException):
                if env is None:
                    raise
                daemon.wait(5)
                return Output(-signal.SIGKILL, "", "")
            if listed.exists():  # without what it passed at its start
                listed.write_text(listed.read_text().removeprefix(before))
        return Output(0, "", "")

    # ---- how they are killed

    def fairlead(self, *words, env=None, check=True):
        return self.host.fairlead(*words, env=env, check=check)

    def ip(self, *commands):
        self.host.exec("ip", "-batch", "-", data="\n".join(commands))

    def lacks(self, verb):
        """The kernel lacks the verb's mode."""
        if verb.needs != "ipvlan":
            return False
        made = self.host.exec("ip", "link", "add", "link", PARENT, "name", "probe", "type", "ipvlan", check=False)
        self.host.exec("ip", "link", "del", "probe", check=False)
        return made.code != 0

    def points_of(self, verb):
        """The fault points that the verb passes, as the names that make it die there: name:passage."""
        verb.prepare()
        self.host.path(POINTS).unlink(missing_ok=True)
        verb.do(env={"FAIRLEAD_FAULT": f"list:{POINTS}"})
        names = self.host.path(POINTS).read_text().split()
        self.host.path(POINTS).unlink()
        verb.undo()
        passed, points = collections.Counter(), []
        for name in names:
            passed[name] += 1
            points.append(f"{name}:{passed[name]}")
        return points

    def die(self, verb, point):
        verb.prepare()
        try:
            output = verb.do(env={"FAIRLEAD_FAULT": point})
        except cni.CniError as error:
            self.assertIsNone(error.code, "it answered, and did not die")
        else:
            self.assertIn(output.code if output else 0, (-signal.SIGKILL, 128 + signal.SIGKILL), "it did not die")

    def assert_as_it_was(self, before):
        self.assert_as_before(before, within=2)
        self.assertEqual(before.stored, stored(self.host))

    def assert_all_agree(self):
        """Kernel, database and leases, once a daemon has started: nothing is to be done or to complain of, and nothing is nobody's."""
        for done in self.call(API_SOCKET, "POST", "/v1/reconcile").values():
            self.assertEqual({"actions": [], "failures": []}, done)
        status, networks, endpoints, leases = (self.call(API_SOCKET, "GET", f"/v1/{what}") for what in (
            "status", "networks", "endpoints", "leases"))
        networks, endpoints, leases = networks["networks"], endpoints["endpoints"], leases["leases"]
        self.assertEqual([], status["problems"])
        theirs = {address.split("/")[0] for endpoint in endpoints for address in endpoint["addresses"]}
        theirs |= {subnet["gateway"] for network in networks for subnet in network["subnets"] if subnet.get("gateway")}
        kept = {lease["address"] for lease in leases if lease.get("reserved_for")}
        just_now = {"10.90.2.9"}  # what dockerd was given and does not name may still be asked for
        self.assertEqual(theirs, {lease["address"] for lease in leases} - (kept - theirs) - (just_now - theirs))
        names = {endpoint["state"].get("host_ifname"): endpoint["state"]["joined"] for endpoint in endpoints}
        links = [line.partition(":")[0].strip() for line in Path(f"/proc/{self.host.pid}/net/dev").read_text().splitlines()[2:]]
        self.assertLessEqual({name for name in links if name.startswith(("flh", "flr"))}, set(names))
        self.assertLessEqual({name for name, joined in names.items() if joined and name}, set(links))
        self.assertEqual(sorted({network["state"]["bridge"] for network in networks if "bridge" in network["state"]} - {BRIDGE}),
                         sorted(name for name in links if name.startswith("fl-")))

    def kill(self, verbs, own=("",)):
        """All sequels of a death at the first passage of a point; at a later one, at a commit of the store, and at points that are
        not the mode's own, the opposite verb alone: another row has the rest.
        """
        for verb in verbs:
            if self.lacks(verb):
                continue
            before = Snapshot(self.host)
            points = self.points_of(verb)
            self.assertNotEqual([], points, verb.name)
            self.assert_as_it_was(before)
            for point in points:
                is_first = point.endswith(":1") and point.startswith(own) and not point.startswith("state.")
                for then in SEQUELS if is_first else SEQUELS[:1]:
                    if then == "the same" and not verb.may_be_repeated:
                        continue
                    with self.subTest(verb.name, killed=point, then=then):
                        self.kill_once(verb, point, then)
                        self.assert_as_it_was(before)

    def kill_once(self, verb, point, then):
        try:
            self.die(verb, point)
            if then == "the daemon":
                with self.daemon():
                    self.assert_all_agree()
            elif then == "the same":
                verb.do()
                if verb.is_whole_when_repeated:
                    self.assertEqual("nothing to do\n", self.fairlead("reconcile").out)
        finally:
            verb.undo()


class OfBridges(Killing):
    """The verbs of the command line and of CNI, without a daemon: what is killed did all of the work."""

    def test_networks_and_containers(self):
        self.kill(self.of_a_mode("bridge", MODES["bridge"]))

    def test_on_a_bridge_that_is_there(self):
        self.kill(self.of_a_mode("a bridge that is there", MODES["a bridge that is there"]), own=("network.", "bridge."))

    def test_policies(self):
        self.kill(self.of_policies())

    def test_ports(self):
        self.kill(self.of_ports())


class WithoutBridges(Killing):
    def test_routed(self):
        self.kill(self.of_a_mode("routed", MODES["routed"]), own=("network.", "routed.", "links."))

    def test_on_a_parent(self):
        for mode in ("macvlan", "ipvlan", "host-device"):
            self.kill(self.of_a_mode(mode, MODES[mode]), own=("network.", "parent.", "host-device.", "links."))


class OfAddresses(Killing):
    def test_addresses(self):
        self.kill(self.of_addresses())


class FirstAndLast(Killing):
    has_base = False

    def test_beside_a_second_uplink_and_another_firewall(self):
        self.kill(self.of_surroundings())


class OfTheDaemon(Killing):
    def test_what_it_alone_does(self):
        self.kill(self.of_the_daemon())


class EveryPoint(Killing):
    """What no test above kills at would be forgotten."""

    def test_of_the_source_is_in_a_table(self):
        passed = set()
        tables = [self.of_a_mode(mode, options) for mode, options in MODES.items()]
        tables += [self.of_addresses(), self.of_policies(), self.of_ports(), self.of_the_daemon()]
        for verb in (verb for table in tables for verb in table if not self.lacks(verb)):
            passed.update(point.rpartition(":")[0] for point in self.points_of(verb))
        self.base.delete("first", forget=True)
        self.fairlead("network", "rm", "base")
        for verb in self.of_surroundings():
            passed.update(point.rpartition(":")[0] for point in self.points_of(verb))
        written = set()
        for folder in ("network", "plugin-api"):
            for source in (SOURCES / folder).rglob("*.cpp"):
                written.update(re.findall(r'fault_point\("([^"]+)"', source.read_text()))
        missing = {point for point in written - passed if not point.startswith(tuple(ELSEWHERE))}
        self.assertEqual(set(), missing, "no row passes them")
        for place in set(ELSEWHERE.values()):
            self.assertTrue((SOURCES / "tests" / place).is_file(), place)


if __name__ == "__main__":
    unittest.main()
