"""The host forwards for Fairlead's networks, and is no router for strangers."""

import json
import unittest

from support.e2e import cni
from support.e2e.case import CniCalls, HostCase
from support.e2e.host import HOST_V4, HOST_V6, Host
from support.e2e.namespaces import advertise_router
from support.e2e.waiting import eventually

LAB_V4, LAB_V6 = "10.9.0.2", "fd09::2"
SETTINGS = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
CREATE = ("network", "create", "--subnet", "10.120.0.0/24", "--ipv6", "--subnet", "fd00:120::/64", "net")


class Strangers(unittest.TestCase):
    """"outside" is on the uplink, and "lab" on another interface of the host; neither is Fairlead's."""

    def setUp(self):
        super().setUp()
        self.host = self.enterContext(Host())
        self.host.exec("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        self.host.exec("ip", "netns", "add", "lab")
        self.host.exec("ip", "-batch", "-", data="""
            link add lab0 type veth peer name eth0 netns lab
            addr add 10.9.0.1/24 dev lab0
            addr add fd09::1/64 dev lab0 nodad
            link set lab0 up""")
        self.host.exec("ip", "-netns", "lab", "-batch", "-", data=f"""
            link set lo up
            addr add {LAB_V4}/24 dev eth0
            addr add {LAB_V6}/64 dev eth0 nodad
            link set eth0 up
            route add default via 10.9.0.1
            route add default via fd09::1""")
        self.host.outside_ip(f"route add 10.9.0.0/24 via {HOST_V4}", f"-6 route add fd09::/64 via {HOST_V6}")
        for family in SETTINGS:
            self.forward(family, True)
            self.assert_routed(family)  # the control: the way is there
            self.forward(family, False)

    def forward(self, family, on):
        self.host.exec("sysctl", "-qw", f"{SETTINGS[family]}={int(on)}")

    def forwards(self, family):
        return self.host.exec("sysctl", "-n", SETTINGS[family]).out.strip() == "1"

    def passes(self, family):
        """Whether the stranger's packet comes through to the other one."""
        return self.host.outside.ping(LAB_V4 if family == 4 else LAB_V6, 0.5) is not None

    def assert_routed(self, family):
        eventually(lambda: self.passes(family), f"IPv{family} to be routed")

    def assert_held(self, when):
        for family in SETTINGS:
            self.assertTrue(self.forwards(family), when)
            self.assertFalse(self.passes(family), f"IPv{family} {when}")

    def test_are_not_routed_where_fairlead_has_switched_forwarding_on(self):
        daemon = self.host.start_fairleadd()
        self.host.fairlead(*CREATE)
        self.assert_held("with the daemon")
        self.host.exec("nft", "flush", "ruleset")
        eventually(lambda: not self.passes(4) and not self.passes(6), "the daemon to repair the table")
        daemon.kill()
        self.assert_held("without the daemon")
        self.host.exec("nft", "flush", "ruleset")
        for family in SETTINGS:
            self.assert_routed(family)  # the control
        self.host.fairlead("reconcile")
        self.assert_held("after reconcile")
        daemon = self.host.start_fairleadd()
        self.host.fairlead("network", "rm", "net")
        self.assert_held("without a network")
        self.host.exec("nft", "flush", "ruleset")
        eventually(lambda: not self.passes(4) and not self.passes(6), "the daemon to repair the table")
        daemon.stop()

    def test_are_routed_in_the_families_that_others_have_switched_on_before(self):
        for family in SETTINGS:
            with self.subTest(family):
                self.forward(family, True)
                self.host.fairlead(*CREATE)
                self.assert_routed(family)
                self.assertFalse(self.passes(10 - family))
                self.assertTrue(self.forwards(10 - family))
                self.host.fairlead("network", "rm", "net")
                self.host.exec("nft", "flush", "ruleset")
                self.host.exec("rm", "-rf", "/var/lib/fairlead/state.db", "/var/lib/fairlead/state.db-wal",
                               "/var/lib/fairlead/state.db-shm")
                for each in SETTINGS:
                    self.forward(each, False)

    def test_are_routed_where_the_configuration_allows_it(self):
        self.host.write("/etc/fairlead/fairlead.json", json.dumps({"allow_forwarding": True}))
        daemon = self.host.start_fairleadd()
        self.host.fairlead(*CREATE)
        for family in SETTINGS:
            self.assert_routed(family)
        daemon.stop()
        self.host.write("/etc/fairlead/fairlead.json", "{}")
        self.host.fairlead("reconcile")
        self.assert_held("when it is not allowed any more")

    def test_are_not_routed_by_a_host_whose_first_network_was_killed_on_its_way(self):
        for point in ("network.forwarding.recorded:1", "bridge.forwarding.held:1", "bridge.forwarding.on:1",
                      "network.forwarding.recorded:2", "bridge.forwarding.held:2", "bridge.forwarding.on:2",
                      "network.create.links:1", "network.create.ready:1"):
            with self.subTest(point):
                died = self.host.fairlead(*CREATE, check=False, env={"FAIRLEAD_FAULT": point})
                self.assertNotEqual(0, died.code)
                for family in SETTINGS:
                    self.assertFalse(self.passes(family), f"IPv{family}")
                self.host.fairlead("reconcile")
                for family in SETTINGS:
                    self.assertFalse(self.passes(family), f"IPv{family} after reconcile")
                self.host.fairlead("network", "rm", "net", check=False)
                for family in SETTINGS:
                    self.forward(family, False)
                self.host.exec("nft", "flush", "ruleset")
                self.host.exec("sh", "-c", "rm -f /var/lib/fairlead/state.db*")

    def test_the_networks_of_others_on_bridges_go_on(self):
        """dockerd, libvirt and the like come later, find that the host forwards, and filter what they route."""
        self.host.fairlead(*CREATE)
        self.host.exec("ip", "-batch", "-", data="""
            link add virbr0 type bridge
            link set virbr0 up
            addr flush dev lab0
            link set lab0 master virbr0
            addr add 10.9.0.1/24 dev virbr0
            addr add fd09::1/64 dev virbr0 nodad""")
        for family in SETTINGS:
            self.assert_routed(family)


class Advertisements(CniCalls, HostCase):
    """A container of a network without IPv6 has none, and believes no router."""

    def test_an_ipv4_container_has_no_ipv6_however_it_is_attached(self):
        self.containers.make("evil", "web")
        # (On networks whose containers may send anything: what is looked at is who receives it.)
        networks = [cni.Network(self.host, cni.fairlead_conflist("one", "10.121.0.0/24", options={"spoofing": "allow"})),
                    cni.Network(self.host, cni.fairlead_conflist("two", "10.122.0.0/24", options={"spoofing": "allow"})),
                    cni.Network(self.host, cni.fairlead_conflist("wire", "10.123.0.0/24", options={"mode": "macvlan", "parent": "uplink0"}))]
        for number, network in enumerate(networks):
            for container in ("evil", "web"):
                network.add(container, ifname=f"eth{number}")
        dual = cni.Network(self.host, cni.fairlead_conflist("dual", subnets=["10.124.0.0/24", "fd00:124::/64"], options={"spoofing": "allow"}))
        for container in ("evil", "web"):
            dual.add(container, ifname="eth3")
        with self.containers.net("evil") as evil:
            for number in range(4):
                advertise_router(evil, f"eth{number}", "2001:db8:bad::")
            self.assertIsNotNone(evil.ping(self.address("web", "eth0")))
            shown = self.host.exec("ip", "-netns", "web", "-6", "-oneline", "address").out
            self.assertNotIn("2001:db8:bad", shown)
            for number in range(3):
                self.assertNotIn(f"eth{number}", shown)
            self.assertNotIn("proto ra", self.host.exec("ip", "-netns", "web", "-6", "route").out)
            # The control: one who believes it.
            self.host.exec("sysctl", "-qw", "net.ipv6.conf.eth3.accept_ra=2", "net.ipv6.conf.eth3.autoconf=1",
                           namespace="web")
            advertise_router(evil, "eth3", "2001:db8:bad::")
            eventually(lambda: "proto ra" in self.host.exec("ip", "-netns", "web", "-6", "route").out, "the advertisement")

    def address(self, container, ifname):
        shown = json.loads(self.host.exec("ip", "-json", "-netns", container, "-4", "address", "show", ifname).out)
        return shown[0]["addr_info"][0]["local"]
