"""Podman 5 with netavark: Fairlead as its plugin, and in its place."""

import json
import time
import uuid

from support.e2e import cni, newer_podman
from support.e2e.case import FairleadCase, HostCase
from support.e2e.host import FURTHER_V4, FURTHER_V6, HOST_V4, HOST_V6, OUTSIDE_V4, bin_folder
from support.e2e.name_server import NameServer
from support.e2e.newer_podman import NewerPodman
from support.e2e.snapshot import Snapshot
from support.e2e.waiting import eventually


OTHER_PLUGIN = """#!/bin/sh
echo $1 >>/run/host/other.log
case $1 in
create) cat ;;
setup) echo '{"interfaces":{"eth0":{"mac_address":"52:d2:1e:65:e0:75","subnets":[{"ipnet":"192.0.2.9/24"}]}}}' ;;
esac
"""


def reaches(namespace, address):
    try:
        return namespace.ping(address) is not None
    except OSError:  # no route
        return False


class WithPodman:
    """Podman on the host of the class; every test removes what it made."""

    drop_in = False

    @classmethod
    def setUpClass(cls):
        newer_podman.require()
        super().setUpClass()
        cls.podman = NewerPodman(cls.host, cls.drop_in).load_image()

    def tearDown(self):
        self.podman.remove_everything()
        for network in self.host.networks():  # without a daemon nobody notices that Podman has removed them
            self.host.fairlead("network", "rm", network["name"], check=False)
        super().tearDown()

    def network(self, name, *options):
        self.podman("network", "create", *options, name)

    def names(self):
        return sorted(network["name"] for network in self.host.networks())

    def assert_nothing_is_left(self):
        self.assertEqual(([], []), (self.host.endpoints(), self.host.ports()))
        self.assertEqual("", self.host.exec("sh", "-c", "ip -o link | grep ' fl' || true").out)


class AsPlugin(WithPodman):
    """Networks of the driver fairlead; mixed in below."""

    def network(self, name, *options):
        super().network(name, "--driver", "fairlead", *options)

    def test_a_network_is_there_for_all_runtimes_as_soon_as_it_is_made(self):
        self.network("shop", "--opt", "mtu=1400", "--subnet", "10.71.0.0/24")
        self.assertEqual(["shop"], self.names())
        shown = self.podman.json("network", "inspect", "shop")[0]
        self.assertEqual([{"subnet": "10.71.0.0/24", "gateway": "10.71.0.1"}], shown["subnets"])
        self.assertEqual({"driver": "none"}, shown["ipam_options"])
        self.assertEqual(shown["id"], self.host.networks()[0]["id"])

    def test_a_published_port_answers_and_the_client_s_address_is_kept(self):
        self.network("shop")
        self.podman.run("web", "--publish", "8080:80", "--publish", "127.0.0.1:5353:53/udp", "--publish", "9000-9011:80-91",
                        network="shop", serve=("tcp/80", "udp/53", "tcp/91"))
        answer = self.host.outside.ask(HOST_V4, 8080)
        self.assertEqual(("web", OUTSIDE_V4), (answer.name, answer.peer))
        self.assertEqual("web", self.host.net.ask("127.0.0.1", 8080).name)
        self.assertEqual("web", self.host.net.ask("127.0.0.1", 5353, "udp").name)
        self.assertFalse(self.host.outside.answers(HOST_V4, 5353, "udp", timeout=0.3))
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 9011).name)
        self.podman.remove("web")
        self.assert_ports_are_gone()

    def assert_ports_are_gone(self):
        self.assertEqual(([], []), (self.host.endpoints(), self.host.ports()))
        self.assertFalse(self.host.outside.answers(HOST_V4, 8080, timeout=0.3))

    def test_static_addresses_macs_and_rates_of_a_container(self):
        self.network("shop", "--subnet", "10.71.0.0/24", "--ip-range", "10.71.0.128/25", "--ipv6", "--subnet", "fd71::/64")
        self.podman.run("one", network="shop:ip=10.71.0.9,ip6=fd71::9,mac=02:11:22:33:44:55,rate_in=10m")
        self.podman.run("two", network="shop")
        self.assertEqual("10.71.0.9", self.podman.address("one", "shop"))
        self.assertIn("02:11:22:33:44:55", self.podman("exec", "one", "ip", "link", "show", "eth0").out)
        self.assertGreaterEqual(int(self.podman.address("two", "shop").rpartition(".")[2]), 128)
        self.assertEqual("one", self.podman.net("two").ask("fd71::9", 80).name)
        error = self.podman("run", "--rm", "--network", "shop:ip=10.71.0.9", "docker.io/library/fairlead-e2e:1", "true", check=False)
        self.assertNotEqual(0, error.code)
        self.assertIn("10.71.0.9", error.err)

    def test_containers_reach_each_other_and_the_outside_in_both_families(self):
        self.network("shop", "--ipv6")
        self.podman.run("one", network="shop")
        self.podman.run("two", network="shop")
        with self.podman.net("one") as namespace:
            self.assertEqual("two", namespace.ask(self.podman.address("two", "shop"), 80).name)
            self.assertIsNotNone(namespace.ping(FURTHER_V4))
            self.assertIsNotNone(namespace.ping(FURTHER_V6))

    def test_internal_networks_have_no_way_out_and_no_ports(self):
        self.network("inside", "--internal")
        self.network("shop")
        self.podman.run("one", "--publish", "8080:80", network="inside,shop")
        self.podman.run("two", network="inside")
        with self.podman.net("two") as namespace:
            self.assertEqual("one", namespace.ask(self.podman.address("one", "inside"), 80).name)
            self.assertFalse(reaches(namespace, FURTHER_V4))
        self.assertEqual("one", self.host.outside.ask(HOST_V4, 8080).name)

    def test_connect_disconnect_and_reload(self):
        self.network("shop")
        self.network("blog")
        self.podman.run("web", "--publish", "8080:80", network="shop")
        self.podman("network", "connect", "--alias", "www", "blog", "web")
        address = self.podman.address("web", "blog")
        self.assertEqual("web", self.host.net.ask(address, 80).name)
        self.podman("network", "reload", "web")
        self.assertEqual(address, self.podman.address("web", "blog"))
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.podman("network", "disconnect", "shop", "web")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)  # the other network serves it
        self.podman("network", "disconnect", "blog", "web")
        self.assertEqual([], self.host.endpoints())

    def test_pods_and_restarts(self):
        self.network("shop")
        self.podman("pod", "create", "--name", "pod", "--network", "shop", "--publish", "8080:80", "--infra-image",
                    newer_podman.images.IMAGE, "--infra-command", "sleep 1000", "--cgroup-parent", self.host.cgroup)
        self.podman("run", "--detach", "--pod", "pod", "--name", "web", newer_podman.images.IMAGE, "answer", "web", "tcp/80")
        eventually(lambda: self.host.outside.answers(HOST_V4, 8080), "the pod to serve")
        self.podman("pod", "restart", "pod")
        eventually(lambda: self.host.outside.answers(HOST_V4, 8080), "the pod to serve again")
        self.podman.run("db", "--publish", "8081:80", network="shop")
        self.podman("restart", "--time", "0", "db")
        self.podman.wait_serving("db")
        self.assertEqual("db", self.host.outside.ask(HOST_V4, 8081).name)

    def test_a_network_that_is_there_is_joined(self):
        self.host.fairlead("network", "create", "--subnet", "10.72.0.0/24", "shop")
        self.network("shop-of-podman", "--opt", "network=shop")
        self.podman.run("web", network="shop-of-podman")
        self.assertTrue(self.podman.address("web", "shop-of-podman").startswith("10.72.0."))
        self.assertEqual(["shop"], self.names())
        refused = self.podman("network", "create", "--driver", "fairlead", "--opt", "network=shop", "--opt", "mtu=1300", "no",
                              check=False)
        self.assertIn("mtu=1300 is not its own", refused.err)
        refused = self.podman("network", "create", "--driver", "fairlead", "shop", check=False)
        self.assertIn("this joins it: podman network create -d fairlead -o network=shop", refused.err)
        self.podman.remove("web")
        self.host.fairlead("network", "rm", "shop")

    def test_what_cannot_be_is_refused_and_leaves_nothing(self):
        for options, text in ((("--opt", "mtuu=1"), "mtu"), (("--ipam-driver", "dhcp"), "ipam-driver"),
                              (("--subnet", "203.0.113.0/24"), "203.0.113.0/24")):
            refused = self.podman("network", "create", "--driver", "fairlead", *options, "no", check=False)
            self.assertIn(text, refused.err)
        self.assertEqual([], self.host.networks())

    def test_a_removed_network_can_be_made_anew_at_once(self):
        self.network("shop", "--subnet", "10.71.0.0/24")
        self.podman.run("web", network="shop")
        self.podman.remove("web")
        self.podman("network", "rm", "shop")
        self.network("shop", "--subnet", "10.71.0.0/24", "--opt", "mtu=1400")
        self.podman.run("web", network="shop")
        self.assertIn("mtu 1400", self.podman("exec", "web", "ip", "link", "show", "eth0").out)

    def test_setup_and_teardown_can_be_repeated(self):
        """As after an answer that was lost, or a kill."""
        self.network("shop")
        network = self.podman.json("network", "inspect", "shop")[0]
        self.host.exec("ip", "netns", "add", "box")
        self.addCleanup(self.host.exec, "ip", "netns", "del", "box")
        document = json.dumps({"container_id": "c" * 64, "container_name": "box", "port_mappings": None, "network": network,
                               "network_options": {"interface_name": "eth0", "static_ips": None}})
        setup = lambda: self.podman.exec(f"{newer_podman.PLUGINS}/fairlead", "setup", "/run/netns/box", data=document).out
        self.assertEqual(setup(), setup())
        for _ in range(2):
            self.podman.exec(f"{newer_podman.PLUGINS}/fairlead", "teardown", "/run/netns/box", data=document)
        self.assertEqual([], self.host.endpoints())
        setup()
        self.podman.exec(f"{newer_podman.PLUGINS}/fairlead", "teardown", "/run/netns/gone", data=document)
        self.assertEqual([], self.host.endpoints())


class PluginWithTheDaemon(AsPlugin, FairleadCase):

    def test_containers_of_other_runtimes_are_on_the_same_network(self):
        self.network("shop")
        self.podman.run("web", network="shop")
        cni.install_fairlead(self.host)
        containers = cni.Containers(self.host)
        self.addCleanup(containers.remove_all)
        pods = cni.Network(self.host, cni.fairlead_conflist("pods", network="shop"))
        containers.make("pod")
        result = pods.add("pod")
        with self.host.named_net("pod") as namespace:
            self.assertEqual("web", namespace.ask(self.podman.address("web", "shop"), 80).name)
        self.assertNotIn(self.podman.address("web", "shop"), result["ips"][0]["address"])
        self.podman.remove("web")
        self.podman("network", "rm", "shop")
        eventually(lambda: not self.host.path("/etc/containers/networks/shop.json").exists(), "Podman to have removed it")
        time.sleep(4)  # nobody lets go of it while the pod is on it
        self.assertEqual(["shop"], self.names())
        pods.delete("pod")

    def test_a_network_that_podman_has_removed_is_collected(self):
        self.network("shop")
        self.podman.run("web", network="shop")
        self.podman("network", "rm", "--force", "shop")
        eventually(lambda: self.host.networks() == [], "the network to be collected", 10)
        self.assert_nothing_is_left()


class PluginWithoutADaemon(AsPlugin, HostCase):
    pass


class AsDropIn(WithPodman):
    """Podman's own networks; mixed in below."""

    drop_in = True

    def links(self):
        return self.host.exec("ip", "-o", "link", "show", "type", "bridge").out

    def test_the_default_network_and_a_published_port(self):
        with self.leaving_nothing():
            self.podman.run("web", "--publish", "8080:80", "--publish", "127.0.0.1:5353:53/udp", serve=("tcp/80", "udp/53"))
            self.assertEqual(["podman"], self.names())
            self.assertIn("podman0", self.links())
            self.assertTrue(self.podman.inspect("web")["NetworkSettings"]["IPAddress"].startswith("10.88.0."))
            answer = self.host.outside.ask(HOST_V4, 8080)
            self.assertEqual(("web", OUTSIDE_V4), (answer.name, answer.peer))
            self.assertEqual("web", self.host.net.ask("127.0.0.1", 5353, "udp").name)
            self.assertFalse(self.host.outside.answers(HOST_V4, 5353, "udp", timeout=0.3))
            with self.podman.net("web") as namespace:
                self.assertIsNotNone(namespace.ping(FURTHER_V4))
                self.assertIsNotNone(namespace.ping("127.0.0.1"))
            self.podman.remove("web")
            self.assertEqual([], self.host.networks())

    def test_networks_of_both_families_with_options_of_netavark(self):
        self.network("n1", "--ipv6", "--subnet", "10.60.0.0/24", "--subnet", "fd60::/64", "--opt", "mtu=1400", "--opt", "isolate=true")
        self.network("n2", "--interface-name", "br-n2")
        self.podman.run("srv", "--network-alias", "www", "--ip", "10.60.0.50", "--mac-address", "02:11:22:33:44:55", network="n1")
        self.podman.run("both", "--publish", "8080:80", "--network", "n1:interface_name=eth1", network="n2:interface_name=eth0")
        self.podman.run("other", network="n2:host_interface_name=vethother0")
        self.assertEqual(["n1", "n2"], self.names())
        self.assertIn("altname vethother0", self.host.exec("ip", "link", "show", "vethother0").out)
        self.assertIn("br-n2", self.links())
        self.assertIn("mtu 1400", self.podman("exec", "srv", "ip", "link", "show", "eth0").out)
        self.assertIn("02:11:22:33:44:55", self.podman("exec", "srv", "ip", "link", "show", "eth0").out)
        with self.podman.net("both") as namespace:
            self.assertEqual("srv", namespace.ask("10.60.0.50", 80).name)
            self.assertIsNotNone(namespace.ping(FURTHER_V6))
        with self.podman.net("other") as namespace:
            self.assertFalse(namespace.answers("10.60.0.50", 80, timeout=0.5))
        self.assertEqual("both", self.host.outside.ask(HOST_V4, 8080).name)
        self.assertEqual("both", self.host.outside.ask(HOST_V6, 8080).name)

    def test_connect_disconnect_reload_and_update(self):
        self.network("n1")
        self.network("n2")
        self.podman.run("web", "--publish", "8080:80", network="n1")
        self.podman("network", "connect", "n2", "web")
        address = self.podman.address("web", "n2")
        self.assertEqual("web", self.host.net.ask(address, 80).name)
        self.podman("network", "reload", "web")
        self.assertEqual(address, self.podman.address("web", "n2"))
        self.network("n6", "--ipv6")
        self.podman("network", "connect", "n6", "web")
        self.assertEqual("web", self.host.outside.ask(HOST_V6, 8080).name)
        self.podman("network", "disconnect", "n6", "web")
        self.podman("network", "update", "n1", "--dns-add", "192.0.2.53")
        self.podman.run("later", network="n1")
        self.podman("network", "disconnect", "n1", "web")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.podman.remove("web", "later")
        self.assertEqual([], self.host.networks())

    def test_a_network_of_another_one_s_name_is_beside_it(self):
        self.host.fairlead("network", "create", "--subnet", "10.72.0.0/24", "podman")
        self.podman.run("web")
        self.assertEqual(["podman", "podman-podman"], self.names())
        self.podman.remove("web")
        self.assertEqual(["podman"], self.names())

    def test_networks_of_the_driver_fairlead_beside_podman_s_own(self):
        self.network("shop", "--driver", "fairlead")
        self.network("n1")
        self.podman.run("web", "--publish", "8080:80", network="n1,shop")
        self.assertEqual(["n1", "shop"], self.names())
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.assertEqual("web", self.host.net.ask(self.podman.address("web", "shop"), 80).name)

    def test_networks_are_apart_from_each_other_until_a_policy_opens_them(self):
        for name, *options in (("one",), ("other", "--opt", "isolate=false")):
            self.network(name, *options)
            self.podman.run("on-" + name, network=name)
        address = self.podman.address("on-other", "other")
        with self.podman.net("on-one") as namespace:
            self.assertFalse(namespace.answers(address, 80, timeout=0.5))
            policy = self.host.fairlead("policy", "allow", "network:one", "network:other", "80/tcp", "-q").out.strip()
            self.addCleanup(self.host.fairlead, "policy", "rm", policy)
            self.assertEqual("on-other", namespace.ask(address, 80).name)

    def test_plugins_of_netavark_for_other_drivers(self):
        self.host.write(f"{newer_podman.FURTHER_PLUGINS}/other", OTHER_PLUGIN, 0o755)
        self.network("foreign", "--driver", "other")
        self.network("n1")
        self.podman.run("web", network="foreign,n1")
        self.assertEqual("192.0.2.9", self.podman.address("web", "foreign"))
        self.assertEqual("web", self.host.net.ask(self.podman.address("web", "n1"), 80).name)
        self.podman.remove("web")
        self.assertEqual(["create", "setup", "teardown"], self.host.path("/run/host/other.log").read_text().split())

    def test_macvlan_on_an_interface_of_the_host(self):
        self.network("lan", "--driver", "macvlan", "--opt", "parent=uplink0", "--subnet", "203.0.113.0/24", "--gateway", OUTSIDE_V4)
        self.podman.run("web", "--ip", "203.0.113.77", network="lan")
        self.assertEqual("web", self.host.outside.ask("203.0.113.77", 80).name)

    def test_internal_networks_have_no_way_out(self):
        self.network("inside", "--internal")
        self.podman.run("one", network="inside")
        self.podman.run("two", network="inside")
        with self.podman.net("two") as namespace:
            self.assertEqual("one", namespace.ask(self.podman.address("one", "inside"), 80).name)
            self.assertFalse(reaches(namespace, FURTHER_V4))

    def test_a_failure_on_one_network_leaves_nothing_of_the_others(self):
        self.network("n1")
        self.network("n2", "--opt", "vrf=blue")
        with self.leaving_nothing():
            refused = self.podman("run", "--rm", "--network", "n1,n2", newer_podman.images.IMAGE, "true", check=False)
            self.assertIn("vrf", refused.err)

    def test_back_to_netavark_and_again_to_fairlead(self):
        self.network("n1")
        self.podman.run("web", "--publish", "8080:80", network="n1")
        self.podman("stop", "--time", "0", "web")
        self.podman.use_drop_in(False)
        self.addCleanup(self.podman.use_drop_in)
        self.podman("start", "web")
        self.podman.wait_serving("web")
        self.assertEqual([], self.host.endpoints())
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.podman("stop", "--time", "0", "web")
        self.podman.use_drop_in()
        self.podman("start", "web")
        self.podman.wait_serving("web")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.assertEqual(["n1"], self.names())

    def test_its_version_is_known(self):
        self.assertIn("netavark 2", self.podman("info", "--format", "{{.Host.NetworkBackendInfo.Version}}").out)


class DropInWithTheDaemon(AsDropIn, FairleadCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = NameServer(cls.host.outside, FURTHER_V4)
        cls.addClassCleanup(cls.server.close)
        cls.server.names["www.example.org"] = ["192.0.2.80"]

    def resolved(self, container, name):
        said = self.podman("exec", container, "nslookup", name, check=False).out
        return [line.split()[-1] for line in said.splitlines() if line.startswith("Address")][1:]

    def test_names_as_aardvark_dns_has_them_without_it(self):
        self.network("n1", "--ipv6")
        self.network("n2")
        self.podman.run("web", "--hostname", "front", network="n1:alias=www,alias=other")
        self.podman.run("client", network="n1,n2")
        address = self.podman.address("web", "n1")
        short = self.podman.inspect("web")["Id"][:12]
        for name in ("web", "www", "other", "front", short, "web.dns.podman", "WEB"):
            with self.subTest(name):
                self.assertIn(address, self.resolved("client", name))
        self.podman.run("elsewhere", network="n2")
        self.assertIn(self.podman.address("elsewhere", "n2"), self.resolved("client", "elsewhere"))
        self.assertEqual([], self.resolved("web", "elsewhere"))
        self.podman.remove("web")
        self.assertEqual([], self.resolved("client", "web"))
        self.podman("network", "update", "n1", "--dns-add", FURTHER_V4)
        self.podman.run("asker", network="n1")  # of two networks Podman lists the gateways in any order
        eventually(lambda: "192.0.2.80" in self.resolved("asker", "www.example.org"), "the network's server to be asked")
        self.assertEqual("", self.host.exec("sh", "-c", "pgrep -x aardvark-dns || true").out)

    def test_ports_of_every_protocol_and_a_range(self):
        self.network("n1")
        self.podman.run("web", "--publish", "127.0.0.1:8080:80", "--publish", "9000-9009:9000-9009/udp", "--publish", "9100:9100/sctp",
                        network="n1")
        ports = {(port["protocol"], port.get("host_ip"), port["host_port"], port.get("host_port_end", 0)) for port in self.host.ports()}
        self.assertIn(("tcp", "127.0.0.1", 8080, 0), ports)
        self.assertIn(("udp", "0.0.0.0", 9000, 9009), ports)
        self.assertIn(("sctp", "0.0.0.0", 9100, 0), ports)
        self.assertEqual("web", self.host.net.ask("127.0.0.1", 8080).name)
        self.assertFalse(self.host.outside.answers(HOST_V4, 8080))

    def test_a_network_without_names(self):
        self.network("quiet", "--disable-dns")
        self.podman.run("web", network="quiet")
        self.podman.run("client", network="quiet")
        self.assertEqual([], self.resolved("client", "web"))

    def test_the_containers_of_a_pod_are_found_by_its_name(self):
        self.network("n1")
        self.podman("pod", "create", "--name", "shop", "--network", "n1", "--infra-image", newer_podman.images.IMAGE,
                    "--infra-command", "sleep 1000", "--cgroup-parent", self.host.cgroup)
        self.podman("run", "--detach", "--pod", "shop", "--name", "web", newer_podman.images.IMAGE, "answer", "web", "tcp/80")
        address, = (each["addresses"][0].split("/")[0] for each in self.host.endpoints())
        self.podman.run("client", network="n1")
        self.assertIn(address, self.resolved("client", "shop"))


class DropInWithoutADaemon(AsDropIn, HostCase):
    pass


class Reboot(WithPodman, FairleadCase):
    """A power cut: containers were never torn down, and nothing of /run is left. Everything starts again by Podman's own commands."""

    drop_in = True
    BOOT_ID = "/proc/sys/kernel/random/boot_id"

    def power_cut(self):
        for name in self.podman("ps", "--format", "{{.Names}}").out.split():
            state = self.podman.inspect(name)["State"]
            self.host.exec("kill", "-9", str(state["ConmonPid"]), str(state["Pid"]))
        self.fairleadd.kill()
        self.podman.exec("sh", "-c", "umount -l /run/netns/netns-* /var/lib/containers/storage/overlay/*/merged; "
                                     "rm -rf /run/libpod /run/containers /run/runc /run/netns/netns-* /dev/shm/libpod*")
        for line in self.host.exec("ip", "-brief", "link", "show").out.splitlines():
            if line.startswith(("fl", "podman")):
                self.host.exec("ip", "link", "delete", line.split()[0].split("@")[0], check=False)
        self.host.exec("nft", "flush", "ruleset")
        boot_id = self.host.path("/run/host/boot_id")  # stays until the host ends: Podman remembers it as well
        first = not boot_id.exists()
        boot_id.write_text(str(uuid.uuid4()) + "\n")
        if first:
            self.host.exec("mount", "--bind", "/run/host/boot_id", self.BOOT_ID)

    def test_containers_start_again(self):
        self.network("shop", "--driver", "fairlead")
        self.network("n1", "--subnet", "10.60.0.0/24")
        self.podman.run("web", "--publish", "8080:80", network="shop")
        self.podman.run("db", "--publish", "8081:80", "--ip", "10.60.0.9", network="n1")
        self.power_cut()
        self.restart_fairleadd()
        eventually(lambda: self.host.endpoints() == [], "the endpoints of the boot before to go")
        self.podman("start", "web", "db")
        for name, port in (("web", 8080), ("db", 8081)):
            self.podman.wait_serving(name)
            self.assertEqual(name, self.host.outside.ask(HOST_V4, port).name)
        self.assertEqual("10.60.0.9", self.podman.address("db", "n1"))
        self.assertEqual(2, len(self.host.endpoints()))
        self.assertEqual([], self.host.fairlead_json("status")["problems"])

    def test_netavark_takes_over_after_the_reboot(self):
        self.network("n1", "--subnet", "10.60.0.0/24")
        self.podman.run("db", "--publish", "8081:80", network="n1")
        self.power_cut()
        self.podman.use_drop_in(False)
        self.addCleanup(self.podman.use_drop_in)
        self.podman("start", "db")
        self.podman.wait_serving("db")
        self.assertEqual("db", self.host.outside.ask(HOST_V4, 8081).name)
        self.podman("rm", "--all", "--force", "--time", "0")
        self.podman.exec("nft", "flush", "ruleset")
        self.restart_fairleadd()
        eventually(lambda: self.host.networks() == [], "the network to be let go of", 10)


class Killed(WithPodman, HostCase):
    """Fairlead killed at every step of setup and of teardown: the next call clears up."""

    def test_setup_and_teardown_killed_anywhere(self):
        self.host.exec("ip", "netns", "add", "box")
        self.addCleanup(self.host.exec, "ip", "netns", "del", "box")
        for driver in ("fairlead", "bridge"):
            self.network(f"of-{driver}", "--driver", driver)
            network = self.podman.json("network", "inspect", f"of-{driver}")[0]
            network.pop("containers", None)
            document = self.document(network, driver)
            for verb in ("setup", "teardown"):
                with self.subTest(driver=driver, verb=verb):
                    self.kill_everywhere(verb, document)

    @staticmethod
    def document(network, driver):
        document = {"container_id": "c" * 64, "container_name": "box",
                    "port_mappings": [{"host_ip": "", "container_port": 80, "host_port": 8080, "range": 1, "protocol": "tcp"}]}
        options = {"interface_name": "eth0"}
        if driver == "fairlead":
            document |= {"network": network, "network_options": options}
        else:
            options["static_ips"] = [network["subnets"][0]["subnet"].replace(".0/24", ".9")]
            document |= {"networks": {network["name"]: options}, "network_info": {network["name"]: network}}
        return json.dumps(document)

    def call(self, verb, document, fault=None):
        return self.host.exec(bin_folder() / "fairlead-netavark-local", verb, "/run/netns/box", data=document, check=False,
                              env={"FAIRLEAD_FAULT": fault} if fault else {})

    def kill_everywhere(self, verb, document):
        before = Snapshot(self.host)
        if verb == "teardown":
            self.assertEqual(0, self.call("setup", document).code)
        self.host.path("/run/host/points").unlink(missing_ok=True)
        self.assertEqual(0, self.call(verb, document, "list:/run/host/points").code)
        points = self.host.path("/run/host/points").read_text().split()
        self.assertTrue(any(point.startswith(f"netavark.{verb}") for point in points), points)
        self.call("teardown", document)
        for point in points:
            if verb == "teardown":
                self.assertEqual(0, self.call("setup", document).code, point)
            self.assertNotEqual(0, self.call(verb, document, point).code, point)
            again = self.call(verb, document)
            self.assertEqual(0, again.code, f"{point}: {again.out}")
            self.assertEqual(0, self.call("teardown", document).code, point)
            self.assertEqual(([], []), (self.host.endpoints(), self.host.ports()), point)
        self.assert_as_before(before)
