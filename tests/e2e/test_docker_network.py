"""Networks as Docker's users make them: every option of `network create`, names, addresses, the way out."""

import ipaddress

from support.e2e.case import DockerCase
from support.e2e.docker import NETWORK_DRIVER, stand_in
from support.e2e.host import FURTHER_V4, FURTHER_V6, HOST_V4, HOST_V6
from support.e2e.waiting import eventually


class NetworkCase(DockerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.answer_outside("tcp/80", "udp/53")
        eventually(lambda: cls.host.net.answers(FURTHER_V4, 80), "the outside server")

    def assert_reach_each_other(self, one, other, network):
        self.assertEqual(other, self.docker.ask(one, self.docker.address(other, network), 80).name)
        self.assertEqual(one, self.docker.ask(other, self.docker.address(one, network), 80).name)

    def assert_masqueraded(self, container):
        self.assertEqual(HOST_V4, self.docker.ask(container, FURTHER_V4, 80).peer)
        self.assertEqual(HOST_V4, self.docker.ask(container, FURTHER_V4, 53, "udp").peer)
        self.assertTrue(self.docker.ping(container, FURTHER_V4))


class Create(NetworkCase):
    def test_without_options_the_subnet_is_chosen_and_containers_are_connected(self):
        self.docker.network("net")
        self.assertEqual(NETWORK_DRIVER, self.docker.inspect("network", "net")["Driver"])
        self.docker.run("web", network="net")
        self.docker.run("client", network="net")
        self.assert_reach_each_other("web", "client", "net")
        self.assertIn(self.docker.address("web", "net"), self.docker.resolves("client", "web"))
        self.assert_masqueraded("client")

    def test_with_docker_s_own_ipam(self):
        self.docker.network("net", ipam="default")
        self.docker.run("web", network="net")
        self.docker.run("client", network="net")
        self.assert_reach_each_other("web", "client", "net")
        self.assertIn(self.docker.address("web", "net"), self.docker.resolves("client", "web"))
        self.assert_masqueraded("client")

    def test_with_docker_s_own_ipam_and_all_address_options(self):
        self.docker.network("net", "--subnet", "10.21.0.0/16", "--ip-range", "10.21.5.0/24", "--gateway", "10.21.0.254",
                            "--aux-address", "router=10.21.5.0", "--ipv6", "--subnet", "fd00:21::/64", ipam="default")
        self.docker.run("web", "--ip", "10.21.9.9", network="net")
        self.docker.run("client", network="net")
        self.assertEqual("10.21.9.9", self.docker.address("web", "net"))
        self.assertEqual("10.21.0.254", self.docker.default_route("client"))
        self.assert_reach_each_other("web", "client", "net")
        self.assertEqual("web", self.docker.ask("client", self.docker.address6("web", "net"), 80).name)
        self.assert_masqueraded("web")

    def test_subnet_range_gateway_and_auxiliary_address_are_kept(self):
        self.docker.network("net", "--subnet", "10.20.0.0/16", "--ip-range", "10.20.5.0/29", "--gateway", "10.20.0.254",
                            "--aux-address", "router=10.20.5.2")
        given = set()
        for name in ("one", "two", "three"):
            self.docker.run(name, network="net")
            given.add(ipaddress.ip_address(self.docker.address(name, "net")))
        self.assertEqual(3, len(given))
        self.assertNotIn(ipaddress.ip_address("10.20.5.2"), given)
        self.assertLess(given, set(ipaddress.ip_network("10.20.5.0/29")))
        self.assertEqual("10.20.0.254", self.docker.default_route("one"))
        self.assertTrue(self.docker.ping("one", "10.20.0.254"))
        self.assert_masqueraded("one")

    def test_ipv6_containers_reach_each_other_and_the_outside(self):
        self.docker.network("net", "--ipv6", "--subnet", "10.22.0.0/24", "--subnet", "fd00:22::/64")
        self.docker.run("web", network="net")
        self.docker.run("client", network="net")
        self.assertEqual("web", self.docker.ask("client", self.docker.address6("web", "net"), 80).name)
        self.assert_reach_each_other("web", "client", "net")
        if not stand_in():
            self.assertEqual(HOST_V6, self.docker.ask("client", FURTHER_V6, 80).peer)
            self.assertEqual(HOST_V6, self.docker.ask("client", FURTHER_V6, 53, "udp").peer)

    def test_an_internal_network_has_no_way_out(self):
        self.docker.network("net", "--internal")
        self.docker.run("web", "--publish", "8080:80", network="net")
        self.docker.run("client", network="net")
        self.assert_reach_each_other("web", "client", "net")
        if not stand_in():
            self.assertIsNone(self.docker.default_route("client"))
        self.assertEqual(["eth0"], list(self.docker.links("client")))
        self.assertFalse(self.docker.answers("client", FURTHER_V4, 80))
        self.assertFalse(self.host.outside.answers(HOST_V4, 8080))

    def test_an_internal_network_lets_nothing_out_although_the_container_adds_a_route(self):
        self.docker.network("net", "--internal", "--subnet", "10.23.0.0/24")
        self.docker.run("web", "--cap-add", "NET_ADMIN", network="net")
        self.docker.exec("web", "ip", "route", "add", "default", "via", "10.23.0.1", check=False)
        self.assertFalse(self.docker.answers("web", FURTHER_V4, 80))

    def test_networks_are_isolated_from_each_other(self):
        self.docker.network("red")
        self.docker.network("blue")
        self.docker.run("in-red", network="red")
        self.docker.run("in-blue", network="blue")
        self.assertFalse(self.docker.answers("in-red", self.docker.address("in-blue", "blue"), 80))
        self.assertFalse(self.docker.ping("in-blue", self.docker.address("in-red", "red"), timeout=0.5))

    def test_the_outside_does_not_reach_an_address_of_a_container(self):
        self.docker.network("net", "--subnet", "10.24.0.0/24")
        self.docker.run("web", "--publish", "8080:80", "--ip", "10.24.0.9", network="net", serve=("tcp/80-81",))
        self.host.outside_ip(f"route replace 10.24.0.0/24 via {HOST_V4}")
        self.assertFalse(self.host.outside.answers("10.24.0.9", 81))
        self.assertIsNone(self.host.outside.ping("10.24.0.9", timeout=0.5))
        self.assertEqual("web", self.host.net.ask("10.24.0.9", 81).name)


class Options(NetworkCase):
    def test_bridge_name_mtu_and_interface_prefix(self):
        self.docker.network("net", "--opt", "com.docker.network.bridge.name=brtest", "--opt",
                            "com.docker.network.driver.mtu=1400", "--opt",
                            "com.docker.network.container_iface_prefix=lan")
        self.docker.run("web", network="net")
        self.assertEqual("brtest", self.host.link("brtest")["ifname"])
        self.assertEqual(1400, self.docker.links("web")["lan0"]["mtu"])
        self.assert_masqueraded("web")

    def test_fairlead_s_own_names_of_options(self):
        self.needs_the_driver()
        self.docker.network("net", "--opt", "bridge=brtest", "--opt", "mtu=1300", "--opt", "ifname_prefix=lan")
        self.docker.run("web", network="net")
        self.assertEqual("brtest", self.host.link("brtest")["ifname"])
        self.assertEqual(1300, self.docker.links("web")["lan0"]["mtu"])

    def test_without_icc_containers_reach_the_outside_but_not_each_other(self):
        self.docker.network("net", "--opt", "com.docker.network.bridge.enable_icc=false")
        self.docker.run("web", network="net")
        self.docker.run("client", network="net")
        self.assertFalse(self.docker.answers("client", self.docker.address("web", "net"), 80))
        self.assert_masqueraded("client")

    def test_without_masquerade_the_outside_sees_the_container_s_address(self):
        self.docker.network("net", "--subnet", "10.25.0.0/24", "--opt",
                            "com.docker.network.bridge.enable_ip_masquerade=false")
        self.docker.run("web", "--ip", "10.25.0.7", network="net")
        self.host.outside_ip(f"route replace 10.25.0.0/24 via {HOST_V4}")
        self.assertEqual("10.25.0.7", self.docker.ask("web", FURTHER_V4, 80).peer)

    def test_an_existing_bridge_is_joined_and_stays(self):
        self.needs_the_driver()
        self.host.exec("ip", "link", "add", "foreign0", "type", "bridge")
        self.docker.network("net", "--subnet", "10.26.0.0/24", "--opt", "bridge=foreign0")
        self.docker.run("web", network="net")
        self.docker.run("client", network="net")
        self.assert_reach_each_other("web", "client", "net")
        self.docker.remove_everything()
        self.assertEqual("foreign0", self.host.link("foreign0")["ifname"])
        self.host.exec("ip", "link", "delete", "foreign0")

    def test_an_unknown_option_is_refused_and_the_nearest_is_named(self):
        self.needs_the_driver()
        said = self.docker.fails("network", "create", "--driver", "fairlead", "--opt", "mut=1400", "net")
        self.assertIn("mut", said)
        self.assertIn("mtu", said)

    def test_a_wrong_value_is_refused_and_leaves_nothing(self):
        self.needs_the_driver()
        with self.leaving_nothing():
            said = self.docker.fails("network", "create", "--driver", "fairlead", "--ipam-driver", "fairlead", "--opt",
                                     "mtu=many", "net")
            self.assertIn("many", said)

    def test_an_overlapping_subnet_is_refused(self):
        self.docker.network("net", "--subnet", "10.27.0.0/16")
        options = ["--ipam-driver", "fairlead"] if not stand_in() else []
        said = self.docker.fails("network", "create", "--driver", NETWORK_DRIVER, *options, "--subnet",
                                 "10.27.5.0/24", "other")
        self.assertIn("overlap", said)

    def needs_the_driver(self):
        if stand_in():
            self.skipTest("of Fairlead's own")


class Run(NetworkCase):
    def setUp(self):
        super().setUp()
        self.docker.network("net", "--subnet", "10.28.0.0/24", "--ipv6", "--subnet", "fd00:28::/64")

    def test_with_an_address_and_a_mac_address(self):
        self.docker.run("web", "--ip", "10.28.0.77", "--ip6", "fd00:28::77", "--mac-address", "02:11:22:33:44:55",
                        network="net")
        self.docker.run("client", network="net")
        link = self.docker.links("web")["eth0"]
        self.assertEqual("02:11:22:33:44:55", link["address"])
        self.assertIn("10.28.0.77", [address["local"] for address in link["addr_info"]])
        self.assertEqual("web", self.docker.ask("client", "10.28.0.77", 80).name)
        self.assertEqual("web", self.docker.ask("client", "fd00:28::77", 80).name)

    def test_an_address_that_is_taken_is_refused(self):
        self.docker.run("web", "--ip", "10.28.0.77", network="net")
        self.docker("create", "--name", "second", "--network", "net", "--ip", "10.28.0.77", "fairlead-e2e:1")
        said = self.docker.fails("start", "second")
        self.assertRegex(said, "in use|taken|already")

    def test_names_and_aliases_resolve_between_containers(self):
        self.docker.run("web", "--network-alias", "api", "--network-alias", "backend", network="net")
        self.docker.run("client", network="net")
        address = self.docker.address("web", "net")
        for name in ("web", "api", "backend"):
            with self.subTest(name):
                self.assertIn(address, self.docker.resolves("client", name))
        self.assertIn("0% packet loss", self.docker.exec("client", "ping", "-c1", "-W2", "api").out)

    def test_addresses_and_macs_are_shown_by_docker(self):
        self.docker.run("web", network="net")
        shown, link = self.docker.attachment("web", "net"), self.docker.links("web")["eth0"]
        self.assertEqual(link["address"], shown["MacAddress"])
        addresses = [address["local"] for address in link["addr_info"]]
        self.assertIn(shown["IPAddress"], addresses)
        self.assertIn(shown["GlobalIPv6Address"], addresses)
        self.assertEqual("10.28.0.1", shown["Gateway"])
