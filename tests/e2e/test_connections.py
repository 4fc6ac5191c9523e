"""Limits of connections to a published port, from every protocol, with connections that stay."""

import contextlib

from support.e2e import cni
from support.e2e.case import DockerCase
from support.e2e.host import HOST_V4, HOST_V6
from support.e2e.waiting import eventually
from test_join import Namespaces

SUBNET, SUBNET6 = "10.84.0.0/24", "fd00:84::/64"


class Connections(DockerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.answer_here("tcp/9")  # brings the program to the host

    def setUp(self):
        super().setUp()
        self.others = Namespaces(self.host)
        self.open = self.enterContext(contextlib.ExitStack())

    def tearDown(self):
        super().tearDown()
        self.others.remove_all()
        for network in self.host.networks():
            self.host.fairlead("network", "rm", "-f", network["name"])

    def connect(self, address, port):
        """A connection that stays until it is closed."""
        connection = self.host.outside.connect(address, port)
        self.open.callback(connection.close)
        return connection

    def assert_refused(self, address, port):
        with self.assertRaises(ConnectionRefusedError):
            self.host.outside.connect(address, port).close()

    def assert_holds(self, port, most):
        """So many connections over both families, one more is refused, and passes when one has closed."""
        addresses = (HOST_V4, HOST_V6)
        made = [self.admitted(addresses[number % 2], port) for number in range(most)]
        for address in addresses:
            self.assert_refused(address, port)
        made[0].close()
        made[0] = self.admitted(HOST_V4, port)
        self.assert_refused(HOST_V6, port)
        for connection in made:
            connection.close()

    def admitted(self, address, port):
        """A connection that passes as soon as the kernel has seen the end of those that were closed."""
        return eventually(lambda: self.connect(address, port), f"room for a connection to {address}")

    def test_docker_s_ports_have_the_network_s(self):
        self.docker.network("net", "--subnet", SUBNET, "--ipv6", "--subnet", SUBNET6, "-o", "port_max_connections=3")
        self.docker.run("web", "--publish", "8080:80", "--publish", "8081:80", network="net")
        self.assertEqual({8080: 3, 8081: 3}, {port["host_port"]: port["max_connections"] for port in self.host.ports()})
        self.assert_holds(8080, 3)
        self.assert_holds(8081, 3)
        said = self.docker.fails("network", "create", "-d", "fairlead", "-o", "port_max_connections=0", "wrong")
        self.assertIn("is not a number of connections; use 1 to 1000000", said)

    def test_cni_s_ports_have_the_network_s(self):
        self.host.fairlead("network", "create", "--subnet", SUBNET, "--subnet", SUBNET6, "-o", "port_max_connections=2", "shop")
        cni.install_fairlead(self.host)
        network = cni.Network(self.host, cni.fairlead_conflist("c", network="shop"))
        self.others.namespaces.make("pod")
        network.add("pod", ports=((8080, 80),))
        self.others.serve("pod", [])
        eventually(lambda: self.host.outside.answers(HOST_V4, 8080), "the pod's port")
        self.assert_holds(8080, 2)

    def test_a_port_of_the_api_and_the_command_line_has_its_own(self):
        self.host.fairlead("network", "create", "--subnet", SUBNET, "--subnet", SUBNET6, "shop")
        self.others.namespaces.make("web")
        self.others.call("POST", "/v1/endpoints", {
            "network": "shop", "id": "web", "container": "web", "netns": "/run/netns/web",
            "ports": [{"host_port": 8080, "container_port": 80, "max_connections": 2}]})
        self.others.serve("web", [])
        eventually(lambda: self.host.outside.answers(HOST_V4, 8080), "the port")
        self.assert_holds(8080, 2)
        said = self.host.fairlead("publish", "web", "8081:80", "8090-8099:80", "--max-connections", "1").out
        self.assertIn("0.0.0.0:8081->80/tcp (max 1)", said)
        self.assertIn("0.0.0.0:8080->80/tcp (max 2)", self.host.fairlead("port", "ls").out)
        self.assert_holds(8081, 1)
        self.assert_holds(8080, 2)
        self.others.call("PATCH", "/v1/endpoints/shop/web/ports", {"add": [{"host_port": 8081, "container_port": 80, "max_connections": 2}]})
        self.assert_holds(8081, 2)
        self.host.fairlead("publish", "web", "8081:80")
        for _ in range(5):
            self.connect(HOST_V4, 8081)  # none is one too many
        self.host.fairlead("unpublish", "web")
        self.assertNotIn("limit_", self.host.exec("nft", "list", "table", "inet", "fairlead").out)

    def test_a_limit_outlives_the_daemon_and_a_flushed_firewall(self):
        self.docker.network("net", "--subnet", SUBNET, "--ipv6", "--subnet", SUBNET6, "-o", "port_max_connections=2")
        self.docker.run("web", "--publish", "8080:80", network="net")
        kept = [self.connect(HOST_V4, 8080), self.connect(HOST_V6, 8080)]
        self.fairleadd.kill()
        self.restart_fairleadd()
        self.host.fairlead("reconcile")
        self.assert_refused(HOST_V4, 8080)
        self.assert_refused(HOST_V6, 8080)
        for connection in kept:
            connection.close()
        self.host.exec("nft", "flush", "ruleset")
        eventually(lambda: "limit_2" in self.host.exec("nft", "list", "ruleset").out, "the firewall to be mended")
        self.assert_holds(8080, 2)
        self.assertEqual([], self.host.fairlead_json("status")["problems"])
