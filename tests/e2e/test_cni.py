"""CNI by itself: versions, capabilities, CHECK, GC, STATUS, errors. With the daemon and without."""

import json

from support.e2e import cni
from support.e2e.case import CniCalls, FairleadCase, HostCase
from support.e2e.host import FURTHER_V4, HOST_V4
from support.e2e.namespaces import advertise_router
from support.e2e.waiting import eventually

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")


class Cni(CniCalls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.answer_outside("tcp/80")
        eventually(lambda: cls.host.net.answers(FURTHER_V4, 80), "the outside server")

    def tearDown(self):
        self.remove_networks()
        super().tearDown()

    def network(self, subnet="10.70.0.0/24", name="net", **keys):
        return cni.Network(self.host, cni.fairlead_conflist(name, subnet, **keys))

    def test_every_version_is_answered_in_its_own_shape(self):
        for number, version in enumerate(VERSIONS):
            with self.subTest(version):
                name = f"c{number}"
                self.containers.make(name)
                network = self.network(f"10.70.{number}.0/24", f"net{number}", version=version)
                result = network.add(name)
                self.assertEqual(version, result["cniVersion"])
                self.assertEqual(version < "0.3", "ip4" in result)
                self.assertEqual("0.3" <= version < "1", any("version" in ip for ip in result.get("ips", [])))
                self.assertEqual(version >= "1.1", any("mtu" in link for link in result.get("interfaces", [])))
                if version >= "0.4":
                    network.check(name)
                network.delete(name)

    def test_version_lists_them_all(self):
        answer = self.network().call("fairlead", "VERSION", {"cniVersion": "1.0.0"}, "", "", "")
        self.assertEqual(list(VERSIONS), answer["supportedVersions"])

    def test_a_container_reaches_the_outside_and_is_masqueraded(self):
        self.containers.make("one")
        self.network().add("one")
        with self.containers.net("one") as namespace:
            self.assertEqual(HOST_V4, namespace.ask(FURTHER_V4, 80).peer)

    def test_addresses_and_mac_may_be_asked_for(self):
        self.containers.make("one")
        network = self.network(subnets=["10.70.0.0/24", "fd00:70::/64"], subnet=None)
        result = network.add("one", ips=["10.70.0.99/24", "fd00:70::99/64"], mac="02:11:22:33:44:77")
        self.assertEqual(("10.70.0.99", "fd00:70::99"), (cni.address_of(result), cni.address_of(result, 6)))
        inside = next(link for link in result["interfaces"] if link.get("sandbox"))
        self.assertEqual("02:11:22:33:44:77", inside["mac"].lower())

    def test_the_name_servers_come_from_the_file_that_is_named(self):
        self.containers.make("one")
        path = "/run/fairlead-test-resolv.conf"
        self.host.exec("sh", "-c", f"printf 'nameserver 192.0.2.53\nsearch a.example b.example\n' > {path}")
        self.addCleanup(self.host.exec, "rm", "-f", path)
        result = self.network(ipam={"resolvConf": path}).add("one")
        self.assertEqual({"nameservers": ["192.0.2.53"], "search": ["a.example", "b.example"]}, result["dns"])
        self.containers.make("two")
        self.host.exec("rm", path)
        with self.leaving_nothing(), self.assertRaises(cni.CniError) as caught:
            self.network(ipam={"resolvConf": path}).add("two")
        self.assertIn(path, str(caught.exception))

    def test_ports_as_go_cni_writes_them_in_capitals(self):
        self.containers.make("one")
        network = self.network()
        config = {"cniVersion": "1.0.0", "name": "net", "type": "fairlead", "subnet": "10.70.0.0/24",
                  "runtimeConfig": {"portMappings": [{"HostPort": 8080, "ContainerPort": 80, "Protocol": "tcp",
                                                      "HostIP": ""}]}}
        network.call("fairlead", "ADD", config, "one")
        with self.containers.net("one") as namespace, namespace.listen("0.0.0.0", 80):
            self.host.outside.connect(HOST_V4, 8080).close()
        network.call("fairlead", "DEL", config, "one")

    def test_an_ipv4_container_takes_no_router_advertisement_of_its_neighbour(self):
        self.containers.make("one", "evil")
        network = self.network(options={"spoofing": "allow"})  # what is looked at is the container that receives it
        address = cni.address_of(network.add("one"))
        network.add("evil")
        with self.containers.net("evil") as evil:
            advertise_router(evil, "eth0", "2001:db8:bad::")
            self.assertIsNotNone(evil.ping(address))  # what was sent before has arrived
            shown = self.host.exec("ip", "-netns", "one", "-6", "address", "show", "dev", "eth0").out
            self.assertNotIn("2001:db8:bad", shown)
            self.assertEqual("", self.host.exec("ip", "-netns", "one", "-6", "route", "show", "default").out)
            # The control: the packet is one that a kernel takes.
            self.host.exec("ip", "netns", "exec", "one", "sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=1")
            advertise_router(evil, "eth0", "2001:db8:bad::")
            eventually(lambda: "2001:db8:bad" in self.host.exec("ip", "-netns", "one", "-6", "address").out, "the address")

    def test_a_bridge_of_somebody_else_s_keeps_its_mac_when_a_container_goes(self):
        self.host.exec("ip", "link", "add", "mybr", "type", "bridge")
        try:
            network = self.network("10.91.0.0/24", bridge="mybr")
            names = ["c1", "c2", "c3", "c4", "c5", "c6"]
            self.containers.make("last", *names)
            network.add("last")
            mac = self.host.link("mybr")["address"]
            for name in names:
                shown = next(link for link in network.add(name)["interfaces"] if link["name"] == "mybr")
                self.assertEqual(mac, shown["mac"].lower())
            with self.containers.net("last") as namespace:
                self.assertIsNotNone(namespace.ping("10.91.0.1"))
                for name in names:
                    network.delete(name)
                    self.assertEqual(mac, self.host.link("mybr")["address"])
                    self.assertIsNotNone(namespace.ping("10.91.0.1"))
            network.delete("last")
            self.assertEqual(mac, self.host.link("mybr")["address"])
        finally:
            self.host.exec("ip", "link", "del", "mybr")

    def test_no_link_of_a_container_has_a_mac_that_udev_would_change(self):
        self.containers.make("one")
        self.network().add("one", ports=[(8080, 80)])
        self.host.exec("mount", "-t", "sysfs", "sysfs", "/mnt")
        try:
            for link in self.host.path("/mnt/class/net").glob("fl*"):
                self.assertEqual("3", (link / "addr_assign_type").read_text().strip(), link.name)
        finally:
            self.host.exec("umount", "/mnt")

    def test_names_that_mean_something_to_a_firewall_are_refused(self):
        self.containers.make("one")
        for name in ('a"b', "up*", "up+", "a%d", "a\\b", "a;b", "all", "default"):
            with self.subTest(name):
                failed = self.host.fairlead("network", "create", "-o", f"bridge={name}", "odd", check=False)
                self.assertNotEqual(0, failed.code)
                self.assertIn("interface name", failed.err)
                with self.assertRaises(cni.CniError):
                    self.network().add("one", ifname=name)
        self.assertEqual([], self.host.fairlead_json("endpoint", "ls"))

    def test_a_lost_answer_is_given_again_and_another_second_add_is_an_error(self):
        self.containers.make("one")
        network = self.network(version="1.1.0")
        wishes = {"ports": [(8080, 80)], "ips": ["10.70.0.9/24"]}
        result = network.add("one", **wishes)
        self.assertEqual(result, network.add("one", **wishes))
        for other in ({}, {"ports": [(8080, 81)], "ips": ["10.70.0.9/24"]}, {"ports": [(8080, 80)]}):
            with self.assertRaises(cni.CniError) as caught:
                network.add("one", **other)
            self.assertIn("exists", str(caught.exception))
        self.assertEqual(result, network.add("one", **wishes))
        network.check("one")
        self.host.exec("ip", "-netns", "one", "link", "delete", "eth0")
        network.add("one", **wishes)  # of what is no more nothing is told
        network.check("one")

    def test_a_changed_conflist_gives_a_network_that_nobody_uses_its_new_subnet(self):
        self.containers.make("one", "two")
        old = self.network("10.70.0.0/24")
        new = self.network("10.71.0.0/24")
        old.add("one")
        with self.assertRaises(cni.CniError) as caught:
            new.add("two")
        self.assertIn("10.71.0.0/24", str(caught.exception))
        old.delete("one")
        self.assertEqual("10.71.0.2", cni.address_of(new.add("two")))
        new.check("two")
        new.delete("two")

    def test_a_second_del_is_no_error(self):
        self.containers.make("one")
        network = self.network()
        network.add("one")
        network.delete("one")
        network.delete("one")
        network.delete("never-there")

    def test_del_without_the_namespace_and_without_the_result_leaves_nothing(self):
        self.containers.make("first", "one")
        network = self.network()
        network.add("first")
        with self.leaving_nothing():
            network.add("one", ports=[(8080, 80), (5353, 53, "udp")])
            network.delete("one", netns="", forget=True)
        self.containers.remove("one")
        self.containers.make("two")
        with self.leaving_nothing():
            network.add("two", ports=[(8080, 80)])
            self.containers.remove("two")
            network.delete("two", forget=True)
            self.containers.make("two")

    def test_check_finds_what_is_missing(self):
        self.containers.make("one")
        network = self.network()
        network.add("one", ports=[(8080, 80)])
        network.check("one")
        self.host.exec("ip", "-netns", "one", "address", "flush", "dev", "eth0")
        with self.assertRaises(cni.CniError):
            network.check("one")

    def test_gc_frees_what_is_no_longer_valid(self):
        self.containers.make("keep", "lost1", "lost2")
        network = self.network(version="1.1.0")
        kept = network.add("keep", ports=[(8080, 80)])
        network.add("lost1", ports=[(8081, 80)])
        network.add("lost2")
        network.collect([("keep", "eth0")])
        self.assertEqual(["keep"], [endpoint["container"] for endpoint in self.host.endpoints()])
        self.assertEqual({8080}, {port["host_port"] for port in self.host.ports()})
        with self.containers.net("keep") as namespace:
            self.assertIsNotNone(namespace.ping(kept["ips"][0]["gateway"]))

    def test_status_is_ready(self):
        self.network(version="1.1.0").status()

    def test_errors_are_objects_with_code_and_message(self):
        network = self.network()
        self.containers.make("one")
        good = {"cniVersion": "1.0.0", "name": "net", "type": "fairlead", "subnet": "10.70.0.0/24"}
        for what, config, container, code in (
                ("not JSON", "{", "one", 6),
                ("empty", "", "one", 6),
                ("unknown version", {**good, "cniVersion": "9.9.9"}, "one", 1),
                ("bad name", {**good, "name": "../x"}, "one", 7),
                ("bad subnet", {**good, "subnet": "10.70.0.0/99"}, "one", 7),
                ("bad container", good, "../x", 4),
                ("no container", good, "", 4),
                ("deep", "[" * 100000, "one", 6)):
            with self.subTest(what), self.assertRaises(cni.CniError) as caught:
                network.call("fairlead", "ADD", config, container, netns="/run/netns/one")
            with self.subTest(what):
                self.assertEqual(code, caught.exception.code, str(caught.exception))
                self.assertNotEqual("", caught.exception.message)
        self.assertEqual([], self.host.endpoints())

    def test_an_unknown_command_is_refused(self):
        output = self.network().run("fairlead", "REMOVE", "{}", "one")
        self.assertEqual(4, json.loads(output.out)["code"])

    def test_a_port_that_is_taken_is_refused_and_leaves_nothing(self):
        self.containers.make("one", "two")
        network = self.network()
        network.add("one", ports=[(8080, 80)])
        with self.leaving_nothing():
            with self.assertRaises(cni.CniError) as caught:
                network.add("two", ports=[(8080, 80)])
            self.assertIn("8080", caught.exception.message + caught.exception.details)

    def test_one_container_brings_its_ports_to_each_of_its_networks(self):
        """CNI runtimes hand the same portMappings to every network: one serves them, and the next takes over."""
        self.containers.make("one", "two")
        nets = [self.network("10.70.0.0/24"), self.network("10.71.0.0/24", "other")]
        ports = [(8080, 80), (5353, 53, "udp")]
        with self.leaving_nothing():
            nets[0].add("one", "eth0", ports=ports)
            nets[1].add("one", "eth1", ports=ports)
            nets[0].check("one", "eth0")
            self.assertEqual(["net"] * 2, self.serving())
            with self.assertRaises(cni.CniError) as caught:
                nets[1].add("two", ports=[(8080, 80)])
            self.assertIn("port 8080/tcp is published by container one of network net", str(caught.exception))
            for gone, left, ifname in ((0, "other", "eth0"), (1, "net", "eth1")):
                nets[gone].delete("one", ifname)
                self.assertEqual([left] * 2, self.serving())
                with self.containers.net("one") as inside, inside.listen("0.0.0.0", 80):
                    self.host.outside.connect(HOST_V4, 8080).close()
                if gone == 0:
                    nets[0].add("one", "eth0", ports=ports)
                    self.assertEqual(["other"] * 2, self.serving())
            nets[0].delete("one", "eth0")
            self.assertEqual([], self.serving())
            self.remove_networks()

    def test_with_the_default_route_the_ports_pass_to_the_next_network(self):
        """Answers leave by the default route: the outside hears them only from the network that it goes through."""
        self.containers.make("one")
        nets = [self.network(subnets=[f"10.7{n}.0.0/24", f"fd00:7{n}::/64"], subnet=None, name=f"net{n}") for n in range(5)]
        for number, net in enumerate(nets):
            net.add("one", f"eth{number}", ports=[(8080, 80)])
        for number, net in enumerate(nets):
            self.assertEqual([f"net{number}"], self.serving())
            self.assertEqual(f"eth{number}", self.way_out())
            with self.containers.net("one") as inside, inside.listen("0.0.0.0", 80):
                for source in (None, (FURTHER_V4, 0)):
                    self.host.outside.connect(HOST_V4, 8080, source=source).close()
            net.delete("one", f"eth{number}")
        self.assertEqual([], self.serving())

    def test_the_default_route_is_the_first_network_s_and_then_the_next_one_s(self):
        self.containers.make("one")
        nets = [self.network(subnets=[f"10.7{n}.0.0/24", f"fd00:7{n}::/64"], subnet=None, name=f"net{n}",
                             version="1.1.0") for n in range(3)]
        results = [net.add("one", f"eth{n}") for n, net in enumerate(nets)]
        for number, (net, result) in enumerate(zip(nets, results)):
            net.check("one", f"eth{number}")
            said = {(route["dst"], route["gw"], route.get("priority")) for route in result["routes"]}
            self.assertEqual(said, self.default_routes(f"eth{number}"))
            self.assertEqual(number > 0, all(priority for _, _, priority in said))
        self.assertEqual("eth0", self.way_out())
        for gone, left in ((0, "eth1"), (1, "eth2")):
            nets[gone].delete("one", f"eth{gone}")
            self.assertEqual(left, self.way_out())
            with self.containers.net("one") as namespace:
                self.assertEqual(HOST_V4, namespace.ask(FURTHER_V4, 80).peer)
        nets[0].add("one", "eth0")  # the way out stays where connections already use it
        nets[0].check("one", "eth0")
        self.assertEqual("eth2", self.way_out())
        for net, ifname in ((nets[2], "eth2"), (nets[0], "eth0")):
            net.delete("one", ifname)

    def default_routes(self, ifname):
        found = set()
        for family, everything, usual in (("-4", "0.0.0.0/0", 0), ("-6", "::/0", 1024)):
            shown = json.loads(self.host.exec("ip", "-netns", "one", "-j", family, "route", "show", "default",
                                              "dev", ifname).out)
            for route in shown:
                metric = route.get("metric", 0)
                found.add((everything, route["gateway"], None if metric == usual else metric))
        return found

    def way_out(self):
        used = {json.loads(self.host.exec("ip", "-netns", "one", "-j", "route", "get", far).out)[0]["dev"]
                for far in ("192.0.2.99", "2001:db8:ffff::1")}
        self.assertEqual(1, len(used))
        return used.pop()

    def serving(self):
        return [port["network"] for port in json.loads(self.host.fairlead("port", "ls", "--json").out)]

    def test_ports_are_published_and_unpublished_while_the_container_runs(self):
        self.containers.make("one")
        with self.leaving_nothing():
            network = self.network()
            network.add("one", ports=[(8080, 80)])
            shown = self.host.fairlead("publish", "one", "8081:80", "127.0.0.1:7000-7009:7000-7009/udp").out
            self.assertEqual("127.0.0.1:7000-7009->7000-7009/udp", shown.strip().split(", ")[-1])
            with self.containers.net("one") as inside, inside.listen("0.0.0.0", 80):
                for port in (8080, 8081):
                    self.host.outside.connect(HOST_V4, port).close()
                self.host.fairlead("unpublish", "one", "8080")
                with self.assertRaises(OSError):
                    self.host.outside.connect(HOST_V4, 8080).close()
                self.host.outside.connect(HOST_V4, 8081).close()
            self.assertIn("port 8080 is not published", self.host.fairlead("unpublish", "one", "8080", check=False).err)
            self.host.fairlead("unpublish", "one")
            self.assertEqual([], self.serving())
            network.delete("one")
            self.remove_networks()

    def test_what_a_container_held_that_went_without_del_goes_to_who_asks_for_it(self):
        one, other = self.network("10.70.0.0/24"), self.network("10.71.0.0/24", "other")
        self.containers.make("c0", "c1", "c2")
        for number, network in enumerate((one, other, one)):
            network.add(f"c{number}", ports=[(8080, 80)], ips=["10.70.0.9"] if network is one else [])
            if number < 2:
                self.containers.remove(f"c{number}")
                eventually(lambda: '"flh' not in self.host.exec("ip", "-json", "link").out, "its interface to go")
        self.assertEqual(["c2"], [endpoint["container"] for endpoint in self.host.endpoints()])

    def test_a_network_of_the_command_line_is_joined_by_name(self):
        self.host.fairlead("network", "create", "shop", "--subnet", "10.71.0.0/24")
        self.containers.make("one")
        network = self.network(None, "any", network="shop")
        self.assertTrue(cni.address_of(network.add("one")).startswith("10.71.0."))
        self.assertEqual(["shop"], [endpoint["network"] for endpoint in self.host.endpoints()])


class WithTheDaemon(Cni, FairleadCase):
    pass


class WithoutADaemon(Cni, HostCase):
    pass
