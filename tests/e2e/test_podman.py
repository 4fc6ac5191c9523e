"""Podman 4.3 with its CNI backend."""

from support.e2e import cni
from support.e2e.case import FairleadCase, HostCase
from support.e2e.host import FURTHER_V4, HOST_V4, OUTSIDE_V4
from support.e2e.podman import Podman


class PodmanCni:
    """The same with the daemon and without: mixed in below."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cni.install_fairlead(cls.host)
        cls.podman = Podman(cls.host).load_image()
        cls.podman.use_network(cni.fairlead_conflist("podnet", "10.51.0.0/24"))
        cls.podman.run("first", network="podnet")  # the first container makes the network, which stays
        cls.podman.remove("first")

    def tearDown(self):
        self.podman("rm", "--all", "--force", "--time", "0")
        super().tearDown()

    def test_a_published_port_answers_and_the_client_s_address_is_kept(self):
        with self.leaving_nothing():
            self.podman.run("web", "--publish", "8080:80", "--publish", "127.0.0.1:5353:53/udp", network="podnet",
                            serve=("tcp/80", "udp/53"))
            answer = self.host.outside.ask(HOST_V4, 8080)
            self.assertEqual(("web", OUTSIDE_V4), (answer.name, answer.peer))
            self.assertEqual("web", self.host.net.ask("127.0.0.1", 8080).name)
            self.assertEqual("web", self.host.net.ask("127.0.0.1", 5353, "udp").name)
            self.assertFalse(self.host.outside.answers(HOST_V4, 5353, "udp", timeout=0.3))
            self.podman.remove("web")

    def test_containers_reach_each_other_and_the_outside(self):
        self.podman.run("one", network="podnet")
        self.podman.run("two", "--ip", "10.51.0.77", "--mac-address", "02:11:22:33:44:66", network="podnet")
        self.assertEqual("10.51.0.77", self.podman.address("two", "podnet"))
        with self.podman.net("one") as namespace:
            self.assertEqual("two", namespace.ask("10.51.0.77", 80).name)
            self.assertIsNotNone(namespace.ping(FURTHER_V4))
        shown = self.podman("exec", "two", "ip", "link", "show", "eth0").out
        self.assertIn("02:11:22:33:44:66", shown)

    def test_a_restarted_container_has_its_port_again(self):
        with self.leaving_nothing():
            self.podman.run("web", "--publish", "8080:80", network="podnet")
            self.podman("restart", "--time", "0", "web")
            self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
            self.podman.remove("web")

    def test_connect_and_disconnect(self):
        self.podman.use_network(cni.fairlead_conflist("second", "10.52.0.0/24"))
        self.podman.run("web", network="podnet")
        self.podman("network", "connect", "second", "web")
        address = self.podman.address("web", "second")
        self.assertTrue(address.startswith("10.52.0."))
        self.assertEqual("web", self.host.net.ask(address, 80).name)
        self.podman("network", "disconnect", "second", "web")
        self.assertFalse(self.host.net.answers(address, 80, timeout=0.3))


    def test_a_published_port_on_two_networks_and_after_a_reload(self):
        """Podman gives the ports to each network, and its conmon keeps them bound while the container runs."""
        self.podman.use_network(cni.fairlead_conflist("second", "10.52.0.0/24"))
        self.podman.run("both", "--publish", "8081:80", network="podnet,second")
        self.podman.run("web", "--publish", "8080:80", network="podnet")
        self.podman("network", "connect", "second", "web")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.podman("network", "reload", "web")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.podman("network", "disconnect", "podnet", "web")
        self.assertEqual("web", self.host.net.ask("127.0.0.1", 8080).name)
        self.assertEqual("both", self.host.outside.ask(HOST_V4, 8081).name)
        self.podman.remove("web")
        self.podman.remove("both")
        self.assertEqual([], self.host.ports())


class WithTheDaemon(PodmanCni, FairleadCase):
    pass


class WithoutADaemon(PodmanCni, HostCase):
    pass
