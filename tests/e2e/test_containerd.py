"""containerd: ctr run --cni with a conflist of one plugin."""

from support.e2e import cni
from support.e2e.case import FairleadCase, HostCase
from support.e2e.containerd import Containerd
from support.e2e.host import FURTHER_V4, HOST_V4
from support.e2e.snapshot import Snapshot
from support.e2e.waiting import eventually


class Ctr:
    """The same with the daemon and without: mixed in below."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cni.install_fairlead(cls.host)
        cls.containerd = Containerd(cls.host).start().load_image()
        cls.containerd.use_network(cni.fairlead_conflist("ctr", "10.50.0.0/24"))
        cls.host.answer_outside("tcp/80")
        # The first container makes the network, which stays.
        cls.containerd.run("first", "true")

    def test_a_container_has_an_address_a_route_and_the_outside(self):
        with self.leaving_nothing():
            shown = self.containerd.run("one", "sh", "-c", f"ip address show eth0; ip route; ping -c1 -W2 {FURTHER_V4}")
        self.assertRegex(shown, r"inet 10\.50\.0\.\d+/24")
        self.assertIn("default via 10.50.0.1", shown)
        self.assertIn(" 0% packet loss", shown)

    def test_containers_reach_each_other(self):
        before = Snapshot(self.host)
        one = self.containerd.run_background("one", "tcp/80")
        two = self.containerd.run_background("two", "tcp/80")
        with self.containerd.net("one") as net_of_one, self.containerd.net("two") as net_of_two:
            address = self.address_of("two")
            answer = eventually(lambda: net_of_one.ask(address, 80), "two to serve")
            self.assertEqual("two", answer.name)
            self.assertIsNotNone(net_of_two.ping(self.address_of("one")))
            self.assertEqual(HOST_V4, eventually(lambda: net_of_two.ask(FURTHER_V4, 80), "the outside").peer)
        for name, run in (("one", one), ("two", two)):
            self.containerd.kill(name)
            run.wait(10)
        self.assert_as_before(before)

    def address_of(self, name):
        endpoint = next(entry for entry in self.host.endpoints() if name in entry["container"])
        return endpoint["addresses"][0].split("/")[0]


class WithTheDaemon(Ctr, FairleadCase):
    pass


class WithoutADaemon(Ctr, HostCase):
    pass
