"""Names of containers, whatever runs them, answered at the gateways of their networks."""

import contextlib
import random
import socket
import threading
import time

from support.e2e import cni, names, newer_docker
from support.e2e.case import FairleadCase
from support.e2e.host import FURTHER_V4, HOST_V4, OUTSIDE_V4
from support.e2e.name_server import NameServer
from support.e2e.waiting import eventually
from test_join import JoinCase, Namespaces, join

GATEWAY, GATEWAY6 = "10.72.0.1", "fd00:72::1"


class Asking:
    """Beside a FairleadCase: a network "shop" of Fairlead's; the host asks a name server outside."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = NameServer(cls.host.outside, OUTSIDE_V4)
        cls.addClassCleanup(cls.server.close)
        cls.server.names["www.example.org"] = ["192.0.2.80", "2001:db8::80"]
        cls.host.write("/etc/resolv.conf", f"nameserver {OUTSIDE_V4}\n")

    def setUp(self):
        super().setUp()
        self.make("shop")

    def make(self, name, *options, number=72):
        self.host.fairlead("network", "create", "--subnet", f"10.{number}.0.0/24", "--subnet", f"fd00:{number}::/64", "--ipv6",
                           *options, name)

    def asked(self, net, name, kind="A", server=GATEWAY, **options):
        return names.addresses(net, server, name, kind, **options)

    def await_answer(self, expected, net, name, kind="A", server=GATEWAY):
        def answered():
            with contextlib.suppress(OSError):  # nobody listens yet
                return self.asked(net, name, kind, server) == expected
            return False
        eventually(answered, f"{name} to be {expected}")

    def await_names(self, server=GATEWAY):
        self.await_answer("NXDOMAIN", self.host.net, "nobody.invalid", server=server)


class NamesCase(Asking, JoinCase):
    together = "names"


class OfEveryRuntime(NamesCase):
    def test_names_of_one_runtime_are_found_by_the_others(self):
        join(self.docker, "shop", "--ipv6")
        cni.install_fairlead(self.host)
        conflist = cni.Network(self.host, cni.fairlead_conflist("cni-net", network="shop"))
        by_api = self.others.by_api("of-api", "shop")
        by_cni = self.others.by_cni("of-cni", conflist)
        self.docker.run("of-docker", "--network-alias", "alias", "--hostname", "named", network="shop")
        by_docker = [self.docker.address("of-docker", "shop"), self.docker.address6("of-docker", "shop")]
        container = self.docker.inspect("container", "of-docker")["Id"][:12]
        with self.others.net("of-api") as net:
            for name in ("of-docker", "alias", "named", container, "of-docker.shop", "ALIAS.Shop"):
                with self.subTest(name):
                    self.await_answer([by_docker[0]], net, name)
                    self.assertEqual([by_docker[1]], self.asked(net, name, "AAAA"))
                    self.assertEqual([by_docker[0]], self.asked(net, name, tcp=True))
                    self.assertEqual([by_docker[1]], self.asked(net, name, "AAAA", GATEWAY6))
            self.assertEqual([by_cni[0]], self.asked(net, "of-cni"))
            self.assertEqual(["of-docker.shop."], names.pointer(net, GATEWAY, by_docker[0]))
            self.assertEqual(["of-api.shop."], names.pointer(net, GATEWAY, by_api[1]))
            self.assertEqual(["192.0.2.80"], self.asked(net, "www.example.org"))
            self.assertEqual("NXDOMAIN", self.asked(net, "nobody.example.org"))
            self.assertEqual([], self.asked(net, "of-docker", "MX"))
        self.assertEqual([by_docker[0]], self.asked(self.host.net, "of-docker"))
        self.docker.remove("of-docker")
        with self.others.net("of-api") as net:
            self.await_answer("NXDOMAIN", net, "of-docker")

    def test_dockers_own_resolver_finds_the_others(self):
        """It asks the host's servers for what it does not know, out of the container's namespace."""
        join(self.docker, "shop", "--ipv6")
        by_api = self.others.by_api("of-api", "shop")
        self.docker.run("of-docker", network="shop")
        self.await_names()
        self.assertIn(by_api[0], self.docker.resolves("of-docker", "of-api"))
        self.assertIn(by_api[0], self.docker.resolves("of-docker", "of-api.shop"))
        self.assertIn("192.0.2.80", self.docker.resolves("of-docker", "www.example.org"))

    def test_where_the_hosts_servers_are_on_its_loopback_interface(self):
        """Docker asks such a server from the host: a container that names the gateway asks from its own namespace."""
        join(self.docker, "shop", "--ipv6")
        by_api = self.others.by_api("of-api", "shop")
        self.await_names()
        kept = self.host.path("/etc/resolv.conf").read_text()
        self.addCleanup(self.host.write, "/etc/resolv.conf", kept)
        self.host.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        self.docker.run("told", "--dns", GATEWAY, network="shop")
        self.assertIn(by_api[0], self.docker.resolves("told", "of-api"))
        self.host.write("/etc/resolv.conf", kept)
        eventually(lambda: "192.0.2.80" in self.docker.resolves("told", "www.example.org"), "the host's server to be asked")

    def test_all_replicas_of_a_compose_service_take_turns(self):
        join(self.docker, "shop", "--ipv6")
        labels = ("--label", "com.docker.compose.project=app", "--label", "com.docker.compose.service=web")
        for number in (1, 2):
            self.docker.run(f"app-web-{number}", *labels, network="shop")
        self.others.by_api("of-api", "shop")
        expected = sorted(self.docker.address(f"app-web-{number}", "shop") for number in (1, 2))
        with self.others.net("of-api") as net:
            self.await_answer(expected, net, "web")
            first = {names.ask(net, GATEWAY, "web").answer[0].to_text().split()[4] for _ in range(4)}
        self.assertEqual(set(expected), first)

    def test_an_answer_of_cni_tells_whom_to_ask(self):
        cni.install_fairlead(self.host)
        conflist = cni.Network(self.host, cni.fairlead_conflist("cni-net", network="shop"))
        self.others.namespaces.make("of-cni")
        result = conflist.add("of-cni")
        self.assertEqual({"nameservers": [GATEWAY, GATEWAY6]}, result["dns"])


class Docker26(OfEveryRuntime):
    @classmethod
    def setUpClass(cls):
        newer_docker.require("trixie")
        super().setUpClass()

    @classmethod
    def make_docker(cls):
        return newer_docker.NewerDocker(cls.host, "trixie")


class OfTheApi(Asking, FairleadCase):
    """Without Docker: containers are namespaces that the API attaches."""

    together = "names"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.answer_here("tcp/9")  # brings the program to the host

    def setUp(self):
        super().setUp()
        self.others = Namespaces(self.host)

    def tearDown(self):
        self.others.remove_all()
        for network in self.host.networks():
            self.host.fairlead("network", "rm", network["name"])
        self.host.write("/etc/resolv.conf", f"nameserver {OUTSIDE_V4}\n")
        super().tearDown()

    def attach(self, name, network="shop", **more):
        """Its addresses; `more` of the request."""
        self.others.namespaces.make(name)
        made = self.others.call("POST", "/v1/endpoints", {"network": network, "id": name, "container": name,
                                                          "netns": f"/run/netns/{name}", **more})
        return [address.split("/")[0] for address in made["addresses"]]

    def test_a_container_of_two_networks_asks_either_and_sees_both_and_no_other(self):
        self.make("lab", number=73)
        self.make("else", number=74)
        self.attach("both")
        self.others.call("POST", "/v1/endpoints", {"network": "lab", "container": "both", "netns": "/run/netns/both",
                                                   "ifname": "eth1"})
        in_shop, in_lab = self.attach("web"), self.attach("db", "lab")
        self.attach("hidden", "else")
        with self.others.net("both") as net:
            for server in (GATEWAY, "10.73.0.1"):
                self.await_answer([in_shop[0]], net, "web", server=server)
                self.assertEqual([in_lab[0]], self.asked(net, "db", server=server))
                self.assertEqual([in_lab[0]], self.asked(net, "db.lab", server=server))
                self.assertEqual("NXDOMAIN", self.asked(net, "hidden", server=server))
                self.assertEqual("NXDOMAIN", self.asked(net, "hidden.else", server=server))
        with self.others.net("web") as net:
            self.assertEqual("NXDOMAIN", self.asked(net, "db"))
            for name in ("hidden", "www.example.org"):  # of another network's gateway
                with self.assertRaises(OSError):
                    self.asked(net, name, server="10.74.0.1")
                self.assertEqual("REFUSED", self.asked(net, name, server="10.74.0.1", port=10053))

    def test_machines_around_the_host_are_told_nothing(self):
        self.attach("web")
        self.await_names()
        self.host.outside_ip(f"route add 10.72.0.0/24 via {HOST_V4}")
        self.addCleanup(self.host.outside_ip, "route del 10.72.0.0/24")
        for port in (53, 10053):
            for name in ("web", "www.example.org"):
                with contextlib.suppress(OSError):
                    self.assertEqual("REFUSED", names.addresses(self.host.outside, GATEWAY, name, port=port))

    def test_out_of_an_internal_network_nothing_is_asked(self):
        self.make("closed", "--internal", number=75)
        addresses = self.attach("web", "closed")
        before = self.server.questions
        with self.others.net("web") as net:
            self.await_answer([addresses[0]], net, "web", server="10.75.0.1")
            self.assertEqual([addresses[0]], self.asked(net, "web", server="10.75.0.1", tcp=True))
            for name in ("www.example.org", "single"):
                self.assertEqual("NXDOMAIN", self.asked(net, name, server="10.75.0.1"))
        self.assertEqual(before, self.server.questions)

    def test_options_of_a_network(self):
        other = NameServer(self.host.outside, FURTHER_V4)
        self.addCleanup(other.close)
        other.names["www.example.org"] = ["192.0.2.99"]
        self.make("quiet", "-o", "dns=off", number=76)
        self.make("named", "-o", "dns_domain=Shop.Internal", "-o", f"dns_servers={FURTHER_V4}", number=77)
        self.others.namespaces.make("web")
        made = self.others.call("POST", "/v1/endpoints", {"network": "named", "container": "web", "netns": "/run/netns/web"})
        self.assertEqual({"servers": ["10.77.0.1", "fd00:77::1"], "search": ["shop.internal"]}, made["state"]["dns"])
        address = made["addresses"][0].split("/")[0]
        with self.others.net("web") as net:
            for name in ("web", "web.shop.internal", "web.named"):
                self.await_answer([address], net, name, server="10.77.0.1")
            self.assertEqual(["web.shop.internal."], names.pointer(net, "10.77.0.1", address))
            self.assertEqual("NXDOMAIN", self.asked(net, "other.shop.internal", server="10.77.0.1"))
            self.assertEqual(["192.0.2.99"], self.asked(net, "www.example.org", server="10.77.0.1"))
        self.attach("alone", "quiet")
        with self.others.net("alone") as net, self.assertRaises(OSError):
            self.asked(net, "alone", server="10.76.0.1", timeout=0.5)
        self.assertNotIn("name_servers", self.host.fairlead_json("network", "inspect", "quiet")[0]["state"])

    def test_services_are_found_by_their_ports(self):
        address = self.attach("web", ports=[{"host_port": 8080, "container_port": 80}])[0]
        with self.others.net("web") as net:
            self.await_answer(["0 0 80 web.shop."], net, "_80._tcp.web", "SRV")
            self.assertEqual(["0 0 80 web.shop."], self.asked(net, "_http._tcp.web.shop", "SRV"))
            self.assertEqual("NXDOMAIN", self.asked(net, "_81._tcp.web", "SRV"))
            self.assertEqual([address], self.asked(net, "web.shop"))

    def test_port_53_of_a_gateway_may_be_anybodys(self):
        """A program on every address, and a container that publishes it: both are reached as before, and names are answered."""
        with self.host.net.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("", 53))
            address = self.attach("web")[0]
            with self.others.net("web") as net:
                self.await_answer([address], net, "web")
        self.attach("pihole", ports=[{"host_port": 53, "container_port": 53, "protocol": "udp"}])
        with self.others.net("pihole") as inside, inside.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
                self.host.outside.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, self.others.net("web") as net:
            server.bind(("", 53))
            client.sendto(b"from outside", (HOST_V4, 53))
            server.settimeout(3)
            self.assertEqual(b"from outside", server.recv(100))
            self.assertEqual([address], self.asked(net, "web"))

    def test_a_port_that_is_taken_is_told_and_another_one_serves(self):
        with self.host.net.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("", 10053))
            self.make("late", number=78)
            address = self.attach("web", "late")[0]
            with self.others.net("web") as net:
                self.await_answer([address], net, "web", server="10.78.0.1")
            eventually(lambda: "10053" in self.host.fairlead("status").out, "the status to tell of the port")

    def test_the_daemon_stops_is_killed_and_comes_back(self):
        address = self.attach("web")[0]
        with self.others.net("web") as net:
            self.await_answer([address], net, "web")
            self.assertEqual(["192.0.2.80"], self.asked(net, "www.example.org", server=OUTSIDE_V4))
            self.fairleadd.stop()
            with self.assertRaises(OSError):
                self.asked(net, "web", timeout=0.5)
            # What containers ask the host's servers is asked of those again.
            self.assertEqual("NXDOMAIN", self.asked(net, "web", server=OUTSIDE_V4))
            self.restart_fairleadd()
            self.await_answer([address], net, "web")
            self.fairleadd.kill()
            self.restart_fairleadd()
            self.await_answer([address], net, "web")
            self.await_answer([address], net, "web", server=OUTSIDE_V4)

    def test_the_hosts_servers_are_followed(self):
        other = NameServer(self.host.outside, FURTHER_V4)
        self.addCleanup(other.close)
        other.names["www.example.com"] = ["192.0.2.98"]
        address = self.attach("web")[0]
        with self.others.net("web") as net:
            self.await_answer([address], net, "web")
            self.host.write("/etc/resolv.conf", f"nameserver {FURTHER_V4}\n")
            self.await_answer(["192.0.2.98"], net, "www.example.com")
            self.await_answer([address], net, "web", server=FURTHER_V4)
            self.assertEqual("NXDOMAIN", self.asked(net, "web", server=OUTSIDE_V4), "it is not the host's any more")

    def test_rules_that_somebody_flushes_come_back(self):
        address = self.attach("web")[0]
        with self.others.net("web") as net:
            self.await_answer([address], net, "web")
            self.host.exec("nft", "flush", "ruleset")
            self.await_answer([address], net, "web")

    def test_a_client_that_keeps_its_port_is_answered_again(self):
        """Asked before anybody answered, and asked on: connection tracking would remember for as long that it led nowhere."""
        address = self.attach("web")[0]
        with self.others.net("web") as net:
            self.await_answer([address], net, "web")
            self.await_answer([address], net, "web", server=OUTSIDE_V4)
            self.fairleadd.stop()
            with names.Client(net, GATEWAY) as gateway, names.Client(net, GATEWAY6) as gateway6, \
                    names.Client(net, OUTSIDE_V4) as upstream:
                clients = (gateway, gateway6, upstream)
                for each in (gateway, gateway6):
                    with self.assertRaises(OSError):
                        each.addresses("web")
                self.assertEqual("NXDOMAIN", upstream.addresses("web"))
                self.restart_fairleadd()
                self.await_all([address], clients, "web")
                self.fairleadd.stop()
                for each in (gateway, gateway6):
                    with self.assertRaises(OSError):
                        each.addresses("web")
                self.assertEqual("NXDOMAIN", upstream.addresses("web"))
                self.restart_fairleadd()
                self.await_all([address], clients, "web")
                with names.Client(net, GATEWAY) as early:
                    with self.fairleadd.paused():
                        self.host.exec("nft", "flush", "ruleset")
                        with self.assertRaises(OSError):
                            early.addresses("web")
                    self.await_all([address], (early, *clients), "web")

    def await_all(self, expected, clients, name):
        for client in clients:
            def answered(client=client):
                with contextlib.suppress(OSError):
                    return client.addresses(name, timeout=0.5) == expected
                return False
            eventually(answered, f"{name} to be {expected} for who asks {client.server}")

    def test_no_answer_is_wrong_and_none_is_missing_while_containers_come_and_go(self):
        """150 containers start and stop while 20 clients ask for one that stays, and for those that come and go."""
        asking, starting, most = 20, 4, 150
        stays = self.attach("stays")[0]
        faults, counts, ended = [], [], threading.Event()
        present = {}  # the address of each that is there for certain
        with self.others.net("stays") as net:
            self.await_answer([stays], net, "stays")

            def ask():
                count = 0
                while not ended.is_set():
                    count += 1
                    name, address = random.choice([("stays", stays), *list(present.items())])
                    try:
                        got = self.asked(net, name, timeout=5)
                    except Exception as error:  # pylint: disable=broad-except
                        got = repr(error)
                    if got != [address] and present.get(name, stays) == address:
                        faults.append((name, address, got))
                counts.append(count)

            def start(number):
                for each in range(number, most, starting):
                    name = f"c{each}"
                    address = self.attach(name)[0]
                    self.await_answer([address], net, name)
                    present[name] = address
                    if each >= 8:
                        gone = f"c{each - 8}"
                        if present.pop(gone, None):
                            time.sleep(0.05)  # for questions on their way
                            self.others.off_by_api(gone, "shop")
                            self.await_answer("NXDOMAIN", net, gone)

            clients = [threading.Thread(target=ask) for _ in range(asking)]
            starters = [threading.Thread(target=start, args=(number,)) for number in range(starting)]
            for thread in (*clients, *starters):
                thread.start()
            for thread in starters:
                thread.join()
            ended.set()
            for thread in clients:
                thread.join()
        self.assertEqual([], faults[:5])
        self.assertGreater(sum(counts), 1000)
