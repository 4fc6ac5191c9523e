"""Names never become syntax: of nftables, iptables, paths of /proc/sys, or the kernel's."""

import json

from support.e2e import cni
from support.e2e.case import CniCalls, FairleadCase
from support.e2e.host import API_SOCKET, PLUGIN_SOCKET
from support.e2e.snapshot import without_questions

# The last ones stand for every interface in /proc/sys/net/ipv4/conf.
BAD_LINKS = ('a"b', "a*", "up+", "a%d", "a b", "a\nb", "a\\b", "a/b", "a;b", "a{b", "a'b", "a\tb", "a\u00e4", "a#b", "a,b", "-b", ".", "..",
             "", "a" * 16, "all", "default", "$a", "a`b`", "a:1", "a\x7f")
BAD_WORDS = ('a"b', "a*", "a+", "a%d", "a b", "a\nb", "a\\b", "a/b", "a;b", "a{b", "a'b", "a\u00e4", "-b", ".", "..", "", "a" * 256, "a\x01")


class Names(CniCalls, FairleadCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.exec("iptables-nft", "-w", "-P", "FORWARD", "DROP")  # so that bridges are let through there
        cls.host.fairlead("network", "create", "--subnet", "10.120.0.0/24", "net")

    def setUp(self):
        super().setUp()
        self.before = self.seen()

    def tearDown(self):
        self.host.fairlead("reconcile")  # takes back what it let through other firewalls
        self.assertEqual(self.before, self.seen())
        self.assertIn("nothing to do", self.host.fairlead("reconcile").out)
        super().tearDown()

    def seen(self):
        """What names could have become a part of."""
        links = {link["ifname"] for link in json.loads(self.host.exec("ip", "-j", "link").out)}
        return (without_questions(self.host.exec("nft", "-s", "list", "table", "inet", "fairlead").out),
                self.host.exec("iptables-nft", "-w", "-S").out, links,
                self.host.exec("cat", "/proc/sys/net/ipv4/conf/all/route_localnet", "/proc/sys/net/ipv4/conf/default/route_localnet",
                               "/proc/sys/net/ipv6/conf/all/accept_ra", "/proc/sys/net/ipv6/conf/default/disable_ipv6").out)

    def send(self, method, path, body, socket=API_SOCKET):
        done = self.host.exec("curl", "-s", "-m", "20", "--unix-socket", socket, "-X", method, "-w", "\n%{http_code}",
                              "-H", "Content-Type: application/json", "-d", json.dumps(body), "http://x" + path)
        text, _, status = done.out.rpartition("\n")
        return int(status), text

    def assert_refused(self, bad, answer):
        status, text = answer
        self.assertIn(status, (400, 404, 500) if "Err" in text else (400, 404), f"{bad!r}: {text}")

    # ---- interfaces -----------------------------------------------------------------------------------------------

    def test_of_a_bridge_a_parent_and_a_prefix(self):
        for bad in BAD_LINKS:
            for option in ("bridge", "ifname_prefix", "parent"):
                # A prefix is none alone; a number follows it.
                if option == "ifname_prefix" and bad in ("", ".", "..", "all", "default"):
                    continue
                options = {option: bad, **({"mode": "macvlan"} if option == "parent" else {})}
                if bad == "" and option == "bridge":
                    continue  # as if it were not there
                self.assert_refused((option, bad), self.send("POST", "/v1/networks", {"name": "odd", "options": options}))
            if bad:
                self.assertNotEqual(0, self.host.fairlead("network", "create", "-o", f"bridge={bad}", "odd", check=False).code, bad)
                self.assert_refused(bad, self.send("POST", "/NetworkDriver.CreateNetwork", {
                    "NetworkID": "d" * 64, "Options": {"com.docker.network.generic": {"com.docker.network.bridge.name": bad}},
                    "IPv4Data": [{"AddressSpace": "l", "Pool": "10.121.0.0/24", "Gateway": "10.121.0.1/24"}], "IPv6Data": []},
                    PLUGIN_SOCKET))
        self.host.fairlead("network", "create", "-o", "bridge=fine=0", "--subnet", "10.122.0.0/24", "fine")  # the control
        self.assertIn('"fine=0"', self.seen()[0])
        self.assertIn("-i fine=0 ", self.seen()[1])
        self.host.fairlead("network", "rm", "fine")

    def test_of_an_interface_in_a_container(self):
        self.containers.make("c1")
        for bad in BAD_LINKS:
            if bad:
                self.assert_refused(bad, self.send("POST", "/v1/endpoints", {
                    "network": "net", "container": "c1", "netns": "/run/netns/c1", "ifname": bad}))
            network = cni.Network(self.host, cni.fairlead_conflist("net", "10.120.0.0/24"))
            if "\n" not in bad:
                with self.assertRaises(cni.CniError, msg=bad):
                    network.add("c1", ifname=bad)
        self.assertEqual([], self.host.endpoints())

    # ---- words ----------------------------------------------------------------------------------------------------

    def test_of_networks_containers_and_endpoints(self):
        for bad in BAD_WORDS:
            self.assert_refused(bad, self.send("POST", "/v1/networks", {"name": bad}))
            self.assert_refused(bad, self.send("POST", "/v1/endpoints", {
                "network": "net", "container": bad, "netns": "/run/netns/c1", "ifname": "eth0"}))
            if bad:
                self.assert_refused(bad, self.send("POST", "/NetworkDriver.CreateEndpoint", {
                    "NetworkID": bad, "EndpointID": bad, "Interface": {"Address": "10.120.0.9/24"}}, PLUGIN_SOCKET))

    def test_of_volumes_and_snapshots(self):
        self.host.fairlead("volume", "create", "data")
        for bad in BAD_WORDS:
            self.assert_refused(bad, self.send("POST", "/v1/volumes", {"name": bad}))
            self.assert_refused(bad, self.send("POST", "/VolumeDriver.Create", {"Name": bad}, PLUGIN_SOCKET))
            if bad:
                self.assert_refused(bad, self.send("POST", "/v1/volumes/data/snapshots", {"name": bad}))
            self.assert_refused(bad, self.send("POST", "/v1/volume-pools", {"name": bad, "device": "/dev/null"}))
            self.assert_refused(bad, self.send("PATCH", "/v1/volumes/data", {"name": bad}))
        self.assertEqual(["data"], [volume["name"] for volume in self.host.volumes()])
        self.host.fairlead("volume", "rm", "data")
