"""The bed itself: what the other tests rely on, shown with the drivers people use today in Fairlead's place."""

import signal

from support.e2e import cni
from support.e2e.case import HostCase
from support.e2e.containerd import Containerd
from support.e2e.docker import Docker
from support.e2e.host import FURTHER_V4, FURTHER_V6, HOST_V4, HOST_V6
from support.e2e.podman import Podman
from support.e2e.snapshot import Snapshot
from support.e2e.waiting import eventually


class Bed(HostCase):
    needs_fairlead = False

    def test_the_host_reaches_the_outside_and_is_seen_by_its_address(self):
        self.host.answer_outside("tcp/80", "udp/53")
        eventually(lambda: self.host.net.answers(FURTHER_V4, 80), "the outside server")
        self.assertEqual(HOST_V4, self.host.net.ask(FURTHER_V4, 80).peer)
        self.assertEqual(HOST_V6, self.host.net.ask(FURTHER_V6, 53, "udp").peer)
        self.assertIsNotNone(self.host.net.ping(FURTHER_V6))
        self.assertIsNone(self.host.net.ping("203.0.113.99", timeout=0.2))

    def test_a_program_ends_by_a_signal_that_the_tests_ignore(self):
        """As they do that run in the background of a shell, or under nohup."""
        for number in (signal.SIGINT, signal.SIGHUP):
            self.addCleanup(signal.signal, number, signal.signal(number, signal.SIG_IGN))
            program = self.host.start("sleep", "600", name="sleep")
            program.signal(number)
            self.assertNotEqual(0, program.wait(30))

    def test_a_snapshot_sees_what_was_left(self):
        before = Snapshot(self.host)
        for leave, undo in (("nft add table inet left", "nft delete table inet left"),
                            ("ip link add left type bridge", "ip link del left"),
                            ("ip addr add 10.1.1.1/32 dev lo", "ip addr del 10.1.1.1/32 dev lo"),
                            ("ip netns add left", "ip netns del left"),
                            ("mkdir -p /var/lib/fairlead/volumes/left", "rm -r /var/lib/fairlead/volumes"),
                            ("mount -t tmpfs left /mnt", "umount /mnt")):
            with self.subTest(leave):
                self.host.exec(*leave.split())
                self.assertNotEqual("", before.difference(Snapshot(self.host)))
                self.host.exec(*undo.split())
                self.assert_as_before(before)

    def test_dockerd_with_its_own_bridge_driver(self):
        docker = Docker(self.host).start().load_image()
        before = Snapshot(self.host)
        docker.network("net", "--subnet", "10.7.0.0/24", driver="bridge", ipam="default")
        docker.run("web", "--publish", "8080:80", network="net")
        docker.run("client", network="net")
        self.assertEqual("web", docker.ask("client", docker.address("web", "net"), 80).name)
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.assertIn(docker.address("web", "net"), docker.resolves("client", "web"))
        docker.remove_everything()
        self.assert_as_before(before)
        docker.stop()

    def test_the_standard_cni_plugins(self):
        network = cni.Network(self.host, cni.standard_conflist("std", "std0", "10.9.0.0/24"), cni.STANDARD_PLUGINS)
        containers = cni.Containers(self.host)
        containers.make("one", "two")
        one, two = network.add("one", ports=[(8081, 80)]), network.add("two")
        with containers.net("one") as namespace:
            self.assertIsNotNone(namespace.ping(cni.address_of(two)))
        self.assertNotEqual(cni.address_of(one), cni.address_of(two))
        with self.assertRaises(cni.CniError):
            network.add("two")
        network.delete("one")
        network.delete("two")
        containers.remove_all()

    def test_containerd_and_podman_with_the_standard_cni_plugins(self):
        self.host.exec("sh", "-c", f"ln -s {cni.STANDARD_PLUGINS}/* {cni.BIN_FOLDER}")
        containerd = Containerd(self.host).start().load_image()
        containerd.use_network(cni.standard_conflist("std", "std1", "10.10.0.0/24"))
        self.assertIn("inet 10.10.0.2/24", containerd.run("one", "ip", "address"))
        containerd.stop()
        podman = Podman(self.host).load_image()
        podman.use_network(cni.standard_conflist("podnet", "std2", "10.11.0.0/24"))
        podman.run("web", "--publish", "8082:80", network="podnet")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8082).name)
        podman.remove("web")
