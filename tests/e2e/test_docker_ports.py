"""Published ports: every form of -p, and every way to reach one."""

import contextlib
import socket

from support.e2e.case import DockerCase
from support.e2e.docker import IPAM_DRIVER, stand_in
from support.e2e.host import FURTHER_V4, HOST_V4, HOST_V6, OUTSIDE_V4, OUTSIDE_V6
from support.e2e.waiting import eventually


class PortCase(DockerCase):
    ipam = IPAM_DRIVER

    def setUp(self):
        super().setUp()
        self.docker.network("net", "--subnet", "10.30.0.0/24", "--ipv6", "--subnet", "fd00:30::/64", ipam=self.ipam)

    def assert_answers_everywhere(self, container, port, container_port=80, proto="tcp"):
        """From outside, from the host by its address and by 127.0.0.1, from another container, and from itself."""
        self.docker.run("client", network="net")
        asks = {
            "outside": self.host.outside.ask(HOST_V4, port, proto),
            "host, by its address": self.host.net.ask(HOST_V4, port, proto),
            "host, by 127.0.0.1": self.host.net.ask("127.0.0.1", port, proto),
            "another container": self.docker.ask("client", HOST_V4, port, proto),
            "the container itself": self.docker.ask(container, HOST_V4, port, proto),
        }
        self.assertEqual({way: container for way in asks}, {way: answer.name for way, answer in asks.items()})
        self.assertEqual(OUTSIDE_V4, asks["outside"].peer)
        if proto == "tcp":
            self.assertEqual(container_port, asks["outside"].own_port)


class Forms(PortCase):
    def test_a_tcp_port_answers_from_everywhere(self):
        self.docker.run("web", "--publish", "8080:80", network="net")
        self.assert_answers_everywhere("web", 8080)

    def test_a_udp_port_answers_from_everywhere(self):
        self.docker.run("web", "--publish", "5353:53/udp", network="net", serve=("udp/53",))
        self.assert_answers_everywhere("web", 5353, 53, "udp")

    def test_a_port_answers_over_ipv6(self):
        if stand_in():
            self.skipTest("Docker's bridge of 20.10 has no IPv6 port mapping without ip6tables")
        self.docker.run("web", "--publish", "8080:80", "--publish", "5353:53/udp", network="net",
                        serve=("tcp/80", "udp/53"))
        self.docker.run("client", network="net")
        self.assertEqual(("web", OUTSIDE_V6), self._who(self.host.outside.ask(HOST_V6, 8080)))
        self.assertEqual(("web", OUTSIDE_V6), self._who(self.host.outside.ask(HOST_V6, 5353, "udp")))
        self.assertEqual("web", self.host.net.ask(HOST_V6, 8080).name)
        for container in ("client", "web"):
            self.assertEqual("web", self.docker.ask(container, HOST_V6, 8080).name)

    @staticmethod
    def _who(answer):
        return answer.name, answer.peer

    def test_a_range_of_udp_ports_on_127_0_0_1_answers_on_the_host_alone(self):
        self.docker.run("web", "--publish", "127.0.0.1:9000-9002:9000-9002/udp", network="net",
                        serve=("udp/9000-9002",))
        for port in (9000, 9001, 9002):
            self.assertEqual("web", self.host.net.ask("127.0.0.1", port, "udp").name)
            self.assertFalse(self.host.outside.answers(HOST_V4, port, "udp", timeout=0.3))
            self.assertFalse(self.host.net.answers(HOST_V4, port, "udp", timeout=0.3))

    def test_publish_all_takes_a_port_for_each_exposed_one(self):
        self.docker.run("web", "--publish-all", network="net", serve=("tcp/80", "udp/53"))
        self.assertEqual("web", self.host.outside.ask(HOST_V4, self.host_port("web", 80, "tcp")).name)
        self.assertEqual("web", self.host.outside.ask(HOST_V4, self.host_port("web", 53, "udp"), "udp").name)

    def test_a_port_without_a_host_port_gets_an_ephemeral_one(self):
        self.docker.run("web", "--publish", "80", network="net")
        port = self.host_port("web", 80, "tcp")
        self.assertGreaterEqual(port, 32768)
        self.assertEqual("web", self.host.outside.ask(HOST_V4, port).name)

    def test_of_a_range_to_one_port_the_first_free_is_taken_until_none_is(self):
        names = [f"web{number}" for number in range(3)]
        for name in names:
            self.docker.run(name, "--publish", "7000-7002:70", network="net", serve=("tcp/70",))
        answered = {self.host.outside.ask(HOST_V4, port).name for port in (7000, 7001, 7002)}
        self.assertEqual(set(names), answered)
        self.docker("create", "--name", "web9", "--network", "net", "--publish", "7000-7002:70", "fairlead-e2e:1")
        self.assertRegex(self.docker.fails("start", "web9"), "7000|7002|allocated")

    def test_a_range_7000_7005_to_port_70(self):
        self.docker.run("web", "--publish", "7000-7005:70", network="net", serve=("tcp/70",))
        reached = [port for port in range(7000, 7006) if self.host.outside.answers(HOST_V4, port, timeout=0.3)]
        self.assertEqual(1, len(reached))

    def test_a_host_address_of_the_host(self):
        self.docker.run("web", "--publish", f"{HOST_V4}:8080:80", network="net")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.assertFalse(self.host.net.answers("127.0.0.1", 8080, timeout=0.3))

    def test_a_hundred_ports(self):
        self.docker.run("web", "--publish", "20000-20099:20000-20099", network="net", serve=("tcp/20000-20099",))
        for port in (20000, 20050, 20099):
            self.assertEqual(port, self.host.outside.ask(HOST_V4, port).own_port)

    def test_the_same_port_for_tcp_and_udp(self):
        self.docker.run("web", "--publish", "5353:53", "--publish", "5353:53/udp", network="net",
                        serve=("tcp/53", "udp/53"))
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 5353).name)
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 5353, "udp").name)

    def host_port(self, container, container_port, proto):
        """Where a port chosen by the driver went: `fairlead port ls` says it (Docker cannot)."""
        if stand_in():
            return int(self.docker("port", container, f"{container_port}/{proto}").out.split()[0].rsplit(":", 1)[1])
        found = [entry for entry in self.host.ports() if entry["container_port"] == container_port
                 and entry["protocol"] == proto]
        self.assertEqual(1, len({entry["host_port"] for entry in found}), found)
        return found[0]["host_port"]


class WithDockersIpam(PortCase):
    """The same way of a port, when Docker gives the addresses."""

    ipam = "default"

    def test_a_tcp_port_answers_from_everywhere(self):
        self.docker.run("web", "--publish", "8080:80", network="net")
        self.assert_answers_everywhere("web", 8080)

    def test_a_udp_port_answers_from_everywhere(self):
        self.docker.run("web", "--publish", "5353:53/udp", network="net", serve=("udp/53",))
        self.assert_answers_everywhere("web", 5353, 53, "udp")


class Conflicts(PortCase):
    def test_a_port_that_another_container_has_is_refused_and_the_holder_named(self):
        self.docker.run("web", "--publish", "8080:80", network="net")
        said = self.fails_to_start("second", "8080:80")
        self.assertIn("8080", said)
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)

    def test_a_port_that_a_program_of_the_host_has_is_refused(self):
        with contextlib.closing(self.host.net.listen("0.0.0.0", 8081)):
            self.assertIn("8081", self.fails_to_start("web", "8081:80"))
        self.docker("start", "web")
        self.docker.wait_serving("web")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8081).name)

    def test_a_udp_port_that_a_program_of_the_host_has_is_refused(self):
        with contextlib.closing(self.host.net.listen("127.0.0.1", 8082, "udp")):
            self.assertIn("8082", self.fails_to_start("web", "127.0.0.1:8082:53/udp"))

    def test_after_a_refusal_nothing_is_left(self):
        self.docker.run("web", "--publish", "8080:80", network="net")
        with self.leaving_nothing():
            self.fails_to_start("second", "8080:80")
            self.docker.remove("second")

    def test_different_host_addresses_may_have_the_same_port(self):
        self.docker.run("one", "--publish", "127.0.0.1:8080:80", network="net")
        self.docker.run("two", "--publish", f"{HOST_V4}:8080:80", network="net")
        self.assertEqual("one", self.host.net.ask("127.0.0.1", 8080).name)
        self.assertEqual("two", self.host.outside.ask(HOST_V4, 8080).name)

    def test_a_stopped_container_frees_its_port(self):
        self.docker.run("one", "--publish", "8080:80", network="net")
        self.docker("stop", "--time", "1", "one")
        self.assertFalse(self.host.outside.answers(HOST_V4, 8080, timeout=0.5))
        self.docker.run("two", "--publish", "8080:80", network="net")
        self.assertEqual("two", self.host.outside.ask(HOST_V4, 8080).name)

    def fails_to_start(self, name, port):
        self.docker("create", "--name", name, "--hostname", name, "--network", "net", "--publish", port,
                    "fairlead-e2e:1", "answer", name, "tcp/80")
        return self.docker.fails("start", name)


class Flows(PortCase):
    def test_the_way_back_of_a_udp_flow_is_kept(self):
        self.docker.run("web", "--publish", "5353:53/udp", network="net", serve=("udp/53",))
        with self.host.outside.connect(HOST_V4, 5353, "udp") as flow:
            ports = set()
            for _ in range(5):
                flow.send(b"?")
                ports.add(flow.recv(512).split()[2])
        self.assertEqual(1, len(ports))

    def test_a_udp_flow_that_goes_on_finds_the_container_that_comes_next(self):
        """The host still remembers the flow, unless its conntrack entry goes with the port."""
        with contextlib.closing(self.host.outside.socket(socket.AF_INET, socket.SOCK_DGRAM)) as flow:
            flow.settimeout(0.2)
            for name, address in (("one", "10.30.0.51"), ("two", "10.30.0.52")):
                self.docker.run(name, "--ip", address, "--publish", "5353:53/udp", network="net", serve=("udp/53",))
                eventually(lambda name=name: self._asked(flow) == name, f"an answer of {name}", deadline=3)
                self.docker.remove(name)
                self.assertIsNone(self._asked(flow))

    @staticmethod
    def _asked(flow):
        """Who answers on the flow; None when nobody does."""
        try:
            flow.sendto(b"?", (HOST_V4, 5353))
            return flow.recv(512).split()[0].decode()
        except OSError:
            return None

    def test_a_port_of_the_outside_is_not_taken_for_one_of_the_host(self):
        """Only addresses of the host are published: traffic through it to port 8080 of others passes."""
        server = self.host.answer_outside("tcp/8080")
        eventually(lambda: self.host.net.answers(FURTHER_V4, 8080), "the outside server")
        self.docker.run("web", "--publish", "8080:80", network="net")
        self.docker.run("client", network="net")
        self.assertEqual("outside", self.docker.ask("client", FURTHER_V4, 8080).name)
        server.kill()
