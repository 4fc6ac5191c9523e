"""A host with a second uplink: the answers of published ports leave where the questions came in, whatever comes first."""

import unittest

from support.e2e import cni
from support.e2e.case import CniCalls, HostCase
from support.e2e.waiting import eventually

HOST_V4, SIDE_V4, HOST_V6, SIDE_V6 = "198.51.100.1", "198.51.100.2", "2001:db8:2::1", "2001:db8:2::2"
CLIENT_V4, CLIENT_V6 = "203.0.114.9", "2001:db8:9::9"  # behind the second uplink, and known by no other way
CREATE = ("network", "create", "--subnet", "10.74.0.0/24", "--subnet", "fd00:74::/64", "shop")


class SecondUplink(CniCalls, HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.exec("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        cls.side = cls.enterClassContext(cls.host.add_uplink("side", "uplink1", (HOST_V4, SIDE_V4), (HOST_V6, SIDE_V6)))
        for words in (f"addr add {CLIENT_V4}/32 dev lo", f"addr add {CLIENT_V6}/128 dev lo",
                      f"route add default via {HOST_V4}", f"-6 route add default via {HOST_V6}"):
            cls.host.exec("ip", "-n", "side", *words.split())

    def setUp(self):
        super().setUp()
        self.network = cni.Network(self.host, cni.fairlead_conflist(
            "shop", subnets=["10.74.0.0/24", "fd00:74::/64"]))

    def tearDown(self):
        self.ip("route flush table 200", "-6 route flush table 200", f"rule del from {HOST_V4}", f"-6 rule del from {HOST_V6}", check=False)
        self.remove_networks()
        super().tearDown()
        self.assertNotIn("fwmark", self.rules())

    def ip(self, *commands, check=True):
        for command in commands:
            self.host.exec("ip", *command.split(), check=check)

    def rules(self):
        return self.host.exec("ip", "rule").out + self.host.exec("ip", "-6", "rule").out

    def add_rules(self):
        self.ip(f"route add default via {SIDE_V4} table 200", f"rule add from {HOST_V4} lookup 200",
                f"-6 route add default via {SIDE_V6} table 200", f"-6 rule add from {HOST_V6} lookup 200")

    def serve(self):
        self.containers.make("web")
        self.network.add("web", ports=[(8080, 80)])
        net = self.containers.net("web")
        return self.enterContext(net.listen("0.0.0.0", 80))

    def is_answered(self, address):
        client = CLIENT_V6 if ":" in address else CLIENT_V4
        try:
            self.side.connect(address, 8080, timeout=1.0, source=(client, 0)).close()
            return True
        except OSError:
            return False

    def test_without_the_daemon_what_was_there_before_the_network_is_followed(self):
        self.add_rules()
        self.serve()
        self.assertTrue(self.is_answered(HOST_V4))
        self.assertIn("fwmark 0x10000000/0xf0000000 lookup 200", self.rules())

    def test_the_daemon_follows_what_comes_later_and_goes(self):
        daemon = self.host.start_fairleadd()
        self.addCleanup(daemon.stop)
        self.serve()
        self.assertFalse(self.is_answered(HOST_V4))  # the control
        self.add_rules()
        eventually(lambda: self.is_answered(HOST_V4), "the rule to be followed", 5)
        self.host.exec("ip", "rule", "flush", "protocol", "102")
        eventually(lambda: self.is_answered(HOST_V4), "the rules to be back", 5)
        status = self.host.fairlead("status").out
        self.assertIn(f"answers of published ports at {HOST_V4}", status)
        self.ip(f"rule del from {HOST_V4}")
        eventually(lambda: "fwmark" not in self.host.exec("ip", "rule").out, "the rules to go", 5)

    def test_a_second_default_route_is_a_way_too(self):
        self.ip(f"route add default via {SIDE_V4} dev uplink1 metric 500")
        self.addCleanup(self.ip, f"route del default via {SIDE_V4} dev uplink1 metric 500", check=False)
        self.serve()
        self.assertTrue(self.is_answered(HOST_V4))

    def test_killed_on_the_way_the_next_call_makes_or_takes_it(self):
        self.add_rules()
        for point in ("network.surroundings.recorded:1", "network.surroundings.elements:1"):
            with self.subTest(point):
                died = self.host.fairlead(*CREATE, check=False, env={"FAIRLEAD_FAULT": point})
                self.assertNotEqual(0, died.code)
                self.host.fairlead("reconcile")
                self.assertIn("fwmark 0x10000000/0xf0000000 lookup 200", self.rules())
                died = self.host.fairlead("network", "rm", "shop", check=False,
                                          env={"FAIRLEAD_FAULT": "network.surroundings.rules:1"})
                self.assertNotEqual(0, died.code)
                self.host.fairlead("reconcile")
                self.assertNotIn("fwmark", self.rules())
                self.assertEqual([], self.host.networks())


class Links(CniCalls, HostCase):

    def tearDown(self):
        self.remove_networks()
        super().tearDown()


    def test_links_have_addresses_that_were_set(self):
        """udev and NetworkManager write others on those that were chosen at random (addr_assign_type 1)."""
        network = cni.Network(self.host, cni.fairlead_conflist("n", "10.99.0.0/24"))
        self.containers.make("a")
        network.add("a")
        text = self.host.exec("sh", "-c", "mount -t sysfs s /mnt && grep -H . /mnt/class/net/fl*/addr_assign_type; umount /mnt").out
        types = {line.rsplit(":", 1)[1] for line in text.split()}
        self.assertEqual({"3"}, types, text)


if __name__ == "__main__":
    unittest.main()
