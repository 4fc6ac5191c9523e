"""Names of containers, whatever runs them, answered at the gateways of their networks."""

import contextlib
import json

from support.e2e import cni, names, newer_docker
from support.e2e.docker import stand_in
from support.e2e.host import OUTSIDE_V4, UPLINK
from support.e2e.name_server import NameServer
from support.e2e.waiting import eventually
from test_join import JoinCase, join

GATEWAY, GATEWAY6 = "10.72.0.1", "fd00:72::1"


class NamesCase(JoinCase):
    """A network "shop" of Fairlead's; the host asks a name server outside."""

    together = "names"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = NameServer(cls.host.outside, OUTSIDE_V4)
        cls.addClassCleanup(cls.server.close)
        cls.server.names["www.example.org"] = ["192.0.2.80", "2001:db8::80"]
        cls.host.write("/etc/resolv.conf", f"nameserver {OUTSIDE_V4}\n")

    def setUp(self):
        super().setUp()
        self.make_shop()

    def make_shop(self, *options):
        self.host.fairlead("network", "create", "--subnet", "10.72.0.0/24", "--subnet", "fd00:72::/64", "--ipv6", *options,
                           "shop")

    def await_names(self, server=GATEWAY):
        def answers():
            with contextlib.suppress(OSError):
                return names.ask(self.host.net, server, "nobody.invalid").rcode() is not None
            return False
        eventually(answers, "names to be answered")

    def asked(self, net, name, kind="A", server=GATEWAY, **options):
        return names.addresses(net, server, name, kind, **options)

    def await_answer(self, expected, net, name, kind="A", server=GATEWAY):
        eventually(lambda: self.asked(net, name, kind, server) == expected, f"{name} to be {expected}")


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
