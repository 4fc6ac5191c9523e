"""One host of a cluster is broken into, or somebody can write into etcd: what the others believe."""

import contextlib
import functools
import json
import re
import unittest

from support.e2e.cluster import PREFIX, Cluster, address_of
from support.e2e.host import CommandFailed, have_fairlead
from support.e2e.namespaces import Pinger
from support.e2e.waiting import eventually

EVIL = "deadbeef" * 4
FREE_BLOCK = "0a4d0f40"  # 10.77.15.64, which no host has claimed
WITHIN = 20


@functools.lru_cache(maxsize=None)
def two_hosts():
    """One pair for all classes of this process that want it: see `together`."""
    return unittest.enterModuleContext(Cluster(hosts=2, docker=False))


class TwoHosts(unittest.TestCase):
    """Two hosts with a network "shop": the container "web" on the first one, "client" on the second one."""

    together = "two hosts"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not have_fairlead():
            raise unittest.SkipTest("no fairleadd in the folder of --bin")
        cls.cluster = two_hosts()
        cls.one, cls.two = cls.cluster.nodes
        for node in cls.cluster.nodes:
            node.host.fairlead("network", "create", "-o", "mode=overlay", "--subnet", "10.77.0.0/20", "shop")
        cls.web, cls.client = cls.one.attach("web", "shop"), cls.two.attach("client", "shop")
        cls.network = json.loads(cls.one.host.fairlead("network", "inspect", "shop").out)[0]["id"]
        eventually(lambda: cls.web in cls.two.remote_entries("shop")[0] and cls.client in cls.one.remote_entries("shop")[0],
                   "the hosts to know of each other's container", WITHIN)

    @classmethod
    def tearDownClass(cls):
        for node, name in ((cls.one, "web"), (cls.two, "client")):
            node.detach(name, "shop")
            node.host.exec("ip", "netns", "delete", name)
            node.host.fairlead("network", "rm", "shop")
        super().tearDownClass()

    def refused(self):
        return self.two.status()["peers"]["refused"]

    def assert_well(self):
        """The second host sends to "web" where it is, and nowhere else."""
        neighbours, forwarding = self.two.remote_entries("shop")
        self.assertEqual({self.web: self.one.mac("web")}, neighbours)
        self.assertEqual({self.one.mac("web"): address_of(1)}, forwarding)
        with self.two.host.named_net("client") as client, Pinger(client) as pinger:
            self.assertIsNotNone(pinger.ping(self.web))


class HostileRecords(TwoHosts):
    """Whoever writes them, with whatever values."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.one.drop_records, f"in/{self.network}/ep/{EVIL}", f"in/{self.network}/blk/{FREE_BLOCK}",
                        f"host/{EVIL}")
        self.put_host()

    def put_host(self, vtep="192.168.90.66"):
        self.one.put_record(f"host/{EVIL}", {"name": "evil", "vtep": vtep, "epoch": 1, "phase": "member"})

    def put_endpoint(self, address, mac, host=EVIL):
        self.one.put_record(f"in/{self.network}/ep/{EVIL}-e",
                            {"host": host, "epoch": 1, "ips": [address], "mac": mac, "state": "ready"})

    def put_block(self, first=FREE_BLOCK):
        self.one.put_record(f"in/{self.network}/blk/{first}", {"host": EVIL, "epoch": 1})

    def assert_refused(self, why, what=""):
        eventually(lambda: any(re.search(why, text) and what in text for text in self.refused()),
                   f"the status to say {what} {why}", WITHIN)
        self.assertRegex(self.two.host.fairlead("cluster", "status").out, why)
        self.assert_well()

    def test_an_endpoint_with_an_address_of_its_host_s_own_is_believed(self):
        self.put_block()
        self.put_endpoint("10.77.15.70", "02:fa:0a:4d:0f:46")
        eventually(lambda: "10.77.15.70" in self.two.remote_entries("shop")[0], "the entry", WITHIN)
        self.assertEqual("192.168.90.66", self.two.remote_entries("shop")[1]["02:fa:0a:4d:0f:46"])
        eventually(lambda: self.refused() == [], "nothing to be refused", WITHIN)

    def test_an_endpoint_with_an_address_that_its_host_does_not_have_is_refused(self):
        mac = "02:00:00:00:00:66"
        for address, why in ((self.web, "is host node1"), (self.client, "a container of this host has"),
                             ("10.77.15.70", "in no block or claim of it"), ("10.77.0.1", "gateway's or reserved"),
                             ("10.77.15.255", "gateway's or reserved"), ("8.8.8.8", "outside of the network"),
                             ("127.0.0.1", "outside of the network"), ("224.0.0.1", "outside of the network")):
            with self.subTest(address):
                self.put_endpoint(address, mac)
                self.assert_refused(why, address)

    def test_an_endpoint_with_a_mac_of_somebody_else_s_is_refused(self):
        self.put_block()
        bridge = next(link["address"] for link in json.loads(self.two.host.exec("ip", "-json", "link").out)
                      if link["ifname"].startswith("fl") and link["ifname"] == self.bridge())
        for mac, why in ((self.one.mac("web"), "another host has"), (self.two.mac("client"), "this host has"),
                         (bridge, "this host has")):
            with self.subTest(mac):
                self.put_endpoint("10.77.15.70", mac)
                self.assert_refused(why, mac)

    def bridge(self):
        shown = json.loads(self.two.host.exec("ip", "-json", "link", "show", self.two.tunnel("shop")).out)[0]
        return shown["master"]

    def test_a_block_that_is_written_over_stays_its_owner_s(self):
        block = self.block_of(self.web)
        before = self.one.record(block)
        try:
            self.one.put_record(block, {"host": EVIL, "epoch": 1})
            self.put_endpoint(self.web, "02:00:00:00:00:66")
            self.assert_refused("which host node1|which host [0-9a-f]+ has")
        finally:
            self.one.put_record(block, before)
        eventually(lambda: not any("claims" in text for text in self.refused()), "the status to be well", WITHIN)

    def block_of(self, address):
        """The key of the block that holds the address: blocks of a /20 have 16 addresses."""
        first = ".".join([*address.split(".")[:3], str(int(address.split(".")[3]) & ~15)])
        return f"in/{self.network}/blk/" + bytes(map(int, first.split("."))).hex()

    def test_an_endpoint_in_another_host_s_name_takes_nothing(self):
        """A role cannot forbid to write it: it is beside the others' endpoints. It leads to the host that it names."""
        self.put_endpoint(self.web, "02:00:00:00:00:66", host=self.two.host_id)
        self.put_endpoint("10.77.15.70", "02:00:00:00:00:66", host=self.one.host_id)
        self.assert_refused("in no block or claim of it")

    def test_a_host_at_an_address_that_cannot_be_its_own_is_left_out(self):
        self.assertIn("192.168.90.66", self.tunnel_hosts())
        for vtep in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "169.254.169.254", address_of(1), address_of(2)):
            with self.subTest(vtep):
                self.put_host(vtep)
                self.assert_refused("host evil .* is not believed", vtep)
                eventually(lambda: self.tunnel_hosts() == {address_of(1)}, "its packets to be dropped", WITHIN)
        self.put_host()
        eventually(lambda: "192.168.90.66" in self.tunnel_hosts(), "the host to be believed again", WITHIN)

    def tunnel_hosts(self):
        eventually(lambda: self.two.host.exec("nft", "list", "set", "inet", "fairlead", "tunnel_hosts_v4").code == 0, "the set")
        shown = self.two.host.exec("nft", "list", "set", "inet", "fairlead", "tunnel_hosts_v4").out
        return set(re.findall(r"\d+\.\d+\.\d+\.\d+", shown))


class UnreadableRecords(TwoHosts):
    def test_one_of_any_kind_stops_nothing_and_is_named(self):
        keys = [f"host/{EVIL}", "host/Z", f"net/{'a' * 64}", "netname/evil", "pool/nothing", "vni/nothing",
                f"in/{self.network}/ep/{EVIL}-e", f"in/{self.network}/blk/zz", f"in/{self.network}/ip/zz"]
        self.addCleanup(self.one.drop_records, *keys)
        for key in keys:
            self.one.put_record(key, "xx")
        eventually(lambda: len(self.two.status()["peers"]["unreadable"]) == len(keys), "all to be named", WITHIN)
        named = "\n".join(self.two.status()["peers"]["unreadable"])
        for key in keys:
            self.assertIn(key, named)
        self.assertIn(f"{len(keys)} records cannot be read", self.two.host.fairlead("cluster", "status").out)
        self.assertEqual({"node1": "alive", "node2": "alive"}, self.two.hosts())
        self.two.host.fairlead("network", "create", "-o", "mode=overlay", "--subnet", "10.78.0.0/24", "other")
        self.two.attach("more", "other")
        self.two.detach("more", "other")
        self.two.host.exec("ip", "netns", "delete", "more")
        self.two.host.fairlead("network", "rm", "other")
        self.assert_well()
        self.one.drop_records(*keys)
        eventually(lambda: self.two.status()["problems"] == [], "the status to be well", WITHIN)


class HostileNetworks(TwoHosts):
    """The record of a network names what another network has."""

    def setUp(self):
        super().setUp()
        self.evil = "a" * 64
        self.addCleanup(self.one.drop_records, f"net/{self.evil}", "netname/evil", "vni/001092", "pool/0a4f0000-16",
                        f"in/{self.evil}", f"joined/{self.evil}")
        self.vni = int(json.loads(self.two.host.exec("ip", "-json", "-details", "link", "show", self.two.tunnel("shop")).out)
                       [0]["linkinfo"]["info_data"]["id"])

    def put(self, vni, subnet, gateway):
        self.one.put_record("netname/evil", {"id": self.evil})
        self.one.put_record("vni/001092", {"id": self.evil})
        self.one.put_record("pool/0a4f0000-16", {"id": self.evil, "name": "evil"})
        self.one.put_record(f"net/{self.evil}", {
            "created": 1, "internal": False, "mtu": 1450, "name": "evil", "options": {"mode": "overlay"}, "phase": "ready",
            "subnets": [{"gateway": gateway, "subnet": subnet}], "vni": vni})

    def master(self):
        return json.loads(self.two.host.exec("ip", "-json", "link", "show", self.two.tunnel("shop")).out)[0]["master"]

    def test_its_tunnel_and_its_subnet_stay_the_other_s(self):
        master = self.master()
        for vni, subnet, gateway, why in ((self.vni, "10.79.0.0/16", "10.79.0.1", "VNI"),
                                          (0x1092, "10.77.0.0/20", "10.77.0.1", "10.77.0.0/20"),
                                          (0x1092, "192.168.90.0/25", "192.168.90.1", "192.168.90.0/2")):
            with self.subTest(vni=vni, subnet=subnet):
                self.put(vni, subnet, gateway)
                with self.assertRaisesRegex(CommandFailed, why):
                    self.two.host.fairlead("network", "create", "-o", "mode=overlay", "evil")
                self.two.host.fairlead("network", "rm", "evil", check=False)
                self.assertEqual(master, self.master())
                self.assertEqual([], [key for key in self.one.etcd_keys() if f"joined/{self.evil}" in key])
                self.assert_well()

    def test_one_that_names_nothing_of_others_is_joined(self):
        self.put(0x1092, "10.79.0.0/16", "10.79.0.1")
        self.two.host.fairlead("network", "create", "-o", "mode=overlay", "evil")
        self.two.host.fairlead("network", "rm", "evil")
        self.assert_well()


class Roles(unittest.TestCase):
    """As docs/cluster.md sets it up: a certificate, a user and a role for each host."""

    waits = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not have_fairlead():
            raise unittest.SkipTest("no fairleadd in the folder of --bin")
        cls.cluster = cls.enterClassContext(Cluster(hosts=2, docker=False))
        cls.one, cls.two = cls.cluster.nodes
        for node in cls.cluster.nodes:
            node.fairleadd.stop()
        cls.one.etcdctl("user", "add", "root:rootpw")
        cls.one.etcdctl("user", "grant-role", "root", "root")
        for node in cls.cluster.nodes:
            cls.give_role(node)
        cls.one.etcdctl("auth", "enable")
        for node in cls.cluster.nodes:
            node.host.write("/etc/fairlead/etcd-password", f"pw-{node.name}\n", 0o600)
            node.configure(user=node.name, password_file="/etc/fairlead/etcd-password")
            node.start_fairleadd()

    @classmethod
    def give_role(cls, node):
        """The commands of the documentation."""
        ctl = cls.one.etcdctl
        ctl("role", "add", node.name)
        ctl("role", "grant-permission", node.name, "--prefix=true", "read", PREFIX)
        for own in ("host", "live"):
            ctl("role", "grant-permission", node.name, "readwrite", f"{PREFIX}{own}/{node.host_id}")
        for shared in ("net/", "netname/", "vni/", "joined/", "pool", "pin-guard/", "in/", "\x7freceipt/"):
            ctl("role", "grant-permission", node.name, "--prefix=true", "readwrite", PREFIX + shared)
        ctl("user", "add", f"{node.name}:pw-{node.name}")
        ctl("user", "grant-role", node.name, node.name)

    def test_hosts_with_their_roles_do_all_that_hosts_do(self):
        names = {self.one: "web", self.two: "client"}
        for node in names:
            node.host.fairlead("network", "create", "-o", "mode=overlay", "--subnet", "10.77.0.0/20", "shop")
            node.host.fairlead("network", "create", "-o", "mode=overlay", "--subnet", "10.78.0.0/24", "small")
        addresses = {name: node.attach(name, "shop") for node, name in names.items()}
        self.one.attach("tiny", "small")
        for node, other in ((self.one, "client"), (self.two, "web")):
            eventually(lambda node=node, other=other: addresses[other] in node.remote_entries("shop")[0], "the entry", WITHIN)
        with self.two.host.named_net("client") as client, Pinger(client) as pinger:
            self.assertIsNotNone(pinger.ping(addresses["web"]))
        self.one.detach("tiny", "small")
        for node, name in names.items():
            node.detach(name, "shop")
            for network in ("shop", "small"):
                node.host.fairlead("network", "rm", network)
        self.cluster_is_without_networks()
        for node in names:
            status = node.status()
            self.assertTrue(status["joined"])
            self.assertEqual([], status["problems"])
        self.assertEqual(0, self.one.fairleadd.stop())
        eventually(lambda: self.two.hosts()["node1"] == "gone", "host 1 to have left", WITHIN)
        self.one.start_fairleadd()

    def cluster_is_without_networks(self):
        """Also the blocks: the host that left later may have to wait until the other one has given its own back."""
        def rest():
            keys = self.one.etcdctl("get", "--prefix", "--keys-only", PREFIX, user="root:rootpw").out.split()
            return [key for key in keys if re.search("default/(net|in|joined|pool/)", key)]
        with contextlib.suppress(AssertionError):
            eventually(lambda: not rest(), "the networks to be gone", 40, 0.5)
        self.assertEqual([], rest())

    def test_a_host_writes_no_record_of_another_host(self):
        user = "node1:pw-node1"
        other = self.two.host_id
        before = self.two_records()
        for key in (f"host/{other}", f"live/{other}", f"host/{EVIL}", "meta/cluster"):
            with self.subTest(key):
                for words in (("put", PREFIX + key, "{}"), ("del", PREFIX + key)):
                    said = self.one.etcdctl(*words, user=user, check=False)
                    self.assertNotEqual(0, said.code)
                    self.assertIn("permission denied", said.err + said.out)
        self.assertEqual(before, self.two_records())

    def two_records(self):
        return self.one.etcdctl("get", "--prefix", "--print-value-only", f"{PREFIX}host/{self.two.host_id}", user="root:rootpw").out

    def test_a_host_removes_another_one_only_with_a_user_that_may(self):
        said = self.one.host.fairlead("host", "rm", "-f", "node2", check=False)
        self.assertNotEqual(0, said.code)
        self.assertIn("permission", said.err)
        self.assertEqual("alive", self.one.hosts()["node2"])

    def test_tokens_that_a_member_forgot_are_asked_for_again(self):
        for node in self.cluster.nodes:
            node.etcd.kill()
        for node in self.cluster.nodes:
            node.start_etcd(fresh=False)
        for node in self.cluster.nodes:
            eventually(lambda node=node: node.status()["joined"] and node.status()["problems"] == [], "the host to be well", 40, 0.5)
        self.two.host.fairlead("network", "create", "-o", "mode=overlay", "--subnet", "10.79.0.0/24", "later")
        self.two.host.fairlead("network", "rm", "later")

    def test_what_a_host_may_write_is_its_own_record(self):
        key = f"{PREFIX}host/{self.one.host_id}"
        record = self.one.etcdctl("get", "--print-value-only", key, user="node1:pw-node1").out.strip()
        self.one.etcdctl("put", "--", key, record, user="node1:pw-node1")
        eventually(lambda: self.one.status()["problems"] == [], "the host to be well", WITHIN)
