"""Addresses: several subnets of a family, addresses that are kept by name, what is taken, and what a kill leaves of it."""

import collections

from support.e2e import cni
from support.e2e.case import CniCalls, DockerCase, FairleadCase, HostCase
from support.e2e.host import HOST_V4
from support.e2e.images import IMAGE
from support.e2e.waiting import eventually

POINTS = "/run/host/fault-points"


def addresses(result):
    return [ip["address"] for ip in result["ips"]]


class OfCni(CniCalls):
    def tearDown(self):
        self.remove_networks()
        super().tearDown()

    def network(self, name="net", **ipam):
        return cni.Network(self.host, cni.fairlead_conflist(name, ipam={"type": "host-local", **ipam}, version="1.1.0"))

    def test_each_set_of_ranges_gives_an_address(self):
        self.containers.make("one", "two")
        network = self.network(ranges=[[{"subnet": "10.60.0.0/24"}], [{"subnet": "10.61.0.0/24"}], [{"subnet": "fd00:60::/64"}]],
                               routes=[{"dst": "0.0.0.0/0"}])
        one, two = network.add("one"), network.add("two")
        self.assertEqual(["10.60.0.2/24", "10.61.0.2/24", "fd00:60::2/64"], addresses(one))
        self.assertEqual(["10.60.0.1", "10.61.0.1"], [ip["gateway"] for ip in one["ips"][:2]])
        self.assertEqual(1, sum(route["dst"] == "0.0.0.0/0" for route in one["routes"]))
        network.check("one")
        with self.containers.net("one") as inside:
            for target in ("10.60.0.3", "10.61.0.3", "fd00:60::3", "10.61.0.1", HOST_V4):
                self.assertIsNotNone(inside.ping(target), target)
        self.assertEqual(["10.60.0.3/24", "10.61.0.3/24", "fd00:60::3/64"], addresses(two))

    def test_the_ranges_of_a_set_are_alternatives_and_status_says_when_all_are_full(self):
        self.containers.make("one", "two", "three")
        network = self.network(ranges=[[{"subnet": "10.60.0.0/30"}, {"subnet": "10.61.0.0/30"}]])
        network.status()
        self.assertEqual(["10.60.0.2/30"], addresses(network.add("one")))
        network.status()
        self.assertEqual(["10.61.0.2/30"], addresses(network.add("two")))
        with self.assertRaises(cni.CniError) as full:
            network.status()
        self.assertEqual(50, full.exception.code)
        with self.assertRaises(cni.CniError) as refused:
            network.add("three")
        self.assertEqual(102, refused.exception.code)
        network.delete("one")
        network.status()

    def test_a_pod_finds_its_address_again(self):
        self.containers.make("one", "two", "three")
        network = self.network(ranges=[[{"subnet": "10.60.0.0/24"}]])
        network.add("one")
        self.host.fairlead("network", "reserve", "net", "shop/web-0", "10.60.0.3")
        self.assertEqual(["10.60.0.4/24"], addresses(network.add("two")))
        pod = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"
        self.assertEqual(["10.60.0.3/24"], addresses(network.add("three", args=pod)))
        network.delete("three")
        self.assertEqual(["10.60.0.3/24"], addresses(network.add("three", args=pod)))
        holders = {lease["address"]: lease for lease in self.host.fairlead_json("lease", "ls", "--network", "net")}
        self.assertEqual("shop/web-0", holders["10.60.0.3"]["reserved_for"])
        self.assertEqual("gateway", holders["10.60.0.1"]["use"])
        self.host.fairlead("network", "unreserve", "net", "shop/web-0")
        self.assertNotIn("reserved_for", next(lease for lease in self.host.fairlead_json("lease", "ls")
                                              if lease["address"] == "10.60.0.3"))

    def test_what_a_container_has_is_freed_by_force_only(self):
        self.containers.make("one")
        network = self.network(ranges=[[{"subnet": "10.60.0.0/24"}]])
        network.add("one")
        refused = self.host.fairlead("lease", "rm", "10.60.0.2", check=False)
        self.assertEqual(1, refused.code)
        self.assertIn("container one of network net (cni) has it", refused.err)
        self.host.fairlead("lease", "rm", "-f", "10.60.0.2")
        self.assertEqual([], self.host.endpoints())

    def test_a_pod_whose_namespace_went_loses_port_and_address_to_who_asks(self):
        """Nobody has called DEL, and without the daemon nobody has looked."""
        self.containers.make("one", "two")
        network = self.network(ranges=[[{"subnet": "10.60.0.0/24"}]])
        network.add("one", ports=[(8088, 80)], ips=["10.60.0.9/24"])
        self.containers.remove("one")
        network.add("two", ports=[(8088, 80)], ips=["10.60.0.9/24"])
        self.assertEqual(["two"], [endpoint["container"] for endpoint in self.host.endpoints()])


class WithoutTheDaemon(OfCni, HostCase):
    pass


class WithTheDaemon(OfCni, FairleadCase):
    pass


class OfDocker(DockerCase):
    waits = True  # for a minute, in one of its tests

    def use_several_subnets(self, ipam):
        self.make_small_one_first(ipam)
        self.docker.run("one", network="net")
        self.docker.run("two", network="net")
        self.assertEqual(["10.62.0.2", "10.63.0.2"], [self.docker.address(name, "net") for name in ("one", "two")])
        self.assertEqual("two", self.docker.ask("one", "10.63.0.2", 80).name)
        self.assertEqual("one", self.docker.ask("two", "10.62.0.2", 80).name)
        self.docker("restart", "--time", "0", "two")
        self.docker.wait_serving("two")
        self.docker.run("three", "--ip", "10.63.0.99", network="net")
        self.assertEqual("10.63.0.99", self.docker.address("three", "net"))

    def make_small_one_first(self, ipam):
        """The docker command puts the subnets in an order by chance."""
        def made():
            self.docker.network("net", "--subnet", "10.62.0.0/30", "--subnet", "10.63.0.0/24", ipam=ipam)
            order = self.docker("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", "net").out
            if order.startswith("10.62.0.0/30"):
                return True
            self.docker("network", "rm", "net")
            return False
        eventually(made, "the small subnet to be the first")

    def test_fairleads_allocator_goes_on_to_the_next_subnet(self):
        self.use_several_subnets("fairlead")
        self.docker.remove("one", "two", "three")
        self.docker.run("one", network="net")

    def test_dockers_own_goes_on_to_the_next_subnet(self):
        self.use_several_subnets("default")

    def test_a_container_that_went_while_fairleadd_was_away_leaves_nothing(self):
        self.docker.network("net", "--subnet", "10.62.0.0/24")
        self.docker.run("one", "--ip", "10.62.0.50", "-p", "8090:80", network="net")
        self.host_daemon_away(lambda: self.docker.remove("one"))
        # Docker leaves the interface in the host, as that of a container which it is about to start: for a minute it
        # cannot be told which of both it is, and "docker rm" took most of that.
        again = ("run", "--detach", "--name", "two", "--network", "net", "--ip", "10.62.0.50", "-p", "8090:80", IMAGE, "sleep", "60")

        def started():
            done = self.docker(*again, check=False)
            if done.code != 0:
                self.docker("rm", "-f", "two", check=False)
            return done.code == 0
        eventually(started, "the address to be free", deadline=70, pause=1)

    def host_daemon_away(self, work):
        self.fairleadd.stop()
        work()
        self.restart_fairleadd()


class VerbsThatDie(CniCalls, HostCase):
    """SIGKILL at every fault point of the verbs about addresses, then the opposite verb: nothing is left over."""

    def tearDown(self):
        self.remove_networks()
        super().tearDown()

    def points_of(self, *verb):
        self.host.path(POINTS).unlink(missing_ok=True)
        self.host.fairlead(*verb, env={"FAIRLEAD_FAULT": f"list:{POINTS}"})
        passed, points = collections.Counter(), []
        for name in self.host.path(POINTS).read_text().split():
            passed[name] += 1
            points.append(f"{name}:{passed[name]}")
        return points

    def leases(self):
        return [(lease["address"], lease.get("reserved_for", "")) for lease in self.host.fairlead_json("lease", "ls")]

    def test_each_of_them(self):
        keep = ("network", "reserve", "net", "web", "10.64.0.5")
        keep_no_longer = ("network", "unreserve", "net", "10.64.0.5")
        free = ("lease", "rm", "-f", "10.64.0.2")
        make = ("network", "create", "--subnet", "10.64.0.0/24", "--subnet", "10.65.0.0/24", "--reserve", "db=10.65.0.9", "other")
        self.host.fairlead("network", "create", "--subnet", "10.60.0.0/24", "--subnet", "10.64.0.0/24", "net")
        empty = self.leases()
        for point in self.points_of(*keep):
            for last in (keep_no_longer, keep):
                with self.subTest(point, last=last[1]):
                    self.host.fairlead(*keep_no_longer, check=False)
                    self.assertNotEqual(0, self.host.fairlead(*keep, check=False, env={"FAIRLEAD_FAULT": point}).code)
                    self.host.fairlead(*last, check=last is keep)
                    self.assertEqual(sorted(empty + ([("10.64.0.5", "web")] if last is keep else [])), sorted(self.leases()))
        for point in self.points_of(*keep_no_longer):
            with self.subTest(point):
                self.host.fairlead(*keep)
                self.assertNotEqual(0, self.host.fairlead(*keep_no_longer, check=False, env={"FAIRLEAD_FAULT": point}).code)
                self.host.fairlead(*keep_no_longer, check=False)
                self.assertEqual(empty, self.leases())
        self.containers.make("one")
        network = cni.Network(self.host, {"cniVersion": "1.0.0", "name": "net", "plugins": [
            {"type": "fairlead", "network": "net", "capabilities": {"ips": True}}]})
        network.add("one", ips=["10.64.0.2/24"])
        for point in self.points_of(*free):
            with self.subTest(point):
                network.add("one", ips=["10.64.0.2/24"])
                self.assertNotEqual(0, self.host.fairlead(*free, check=False, env={"FAIRLEAD_FAULT": point}).code)
                self.host.fairlead(*free)
                self.assertEqual(empty, self.leases())
                self.assertEqual([], self.host.endpoints())
        self.host.fairlead("network", "rm", "net")
        points = self.points_of(*make)
        self.assertIn("network.create.reservation:1", points)
        for point in points:
            with self.subTest(point):
                self.host.fairlead("network", "rm", "other")
                self.assertNotEqual(0, self.host.fairlead(*make, check=False, env={"FAIRLEAD_FAULT": point}).code)
                self.host.fairlead(*make)
                self.assertEqual(["10.64.0.1", "10.65.0.1", "10.65.0.9"], sorted(address for address, _ in self.leases()))
        self.host.fairlead("network", "rm", "other")
        self.assertEqual([], self.leases())
