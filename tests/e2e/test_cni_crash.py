"""SIGKILL at every fault point of ADD and DEL, then DEL, or ADD once more and DEL: nothing is left over."""

import collections
import contextlib
import fcntl
import json
import threading
import time

from support.e2e import cni
from support.e2e.case import CniCalls, FairleadCase, HostCase
from support.e2e.host import HOST_V4
from support.e2e.snapshot import Snapshot
from support.e2e.waiting import eventually

POINTS = "/run/host/fault-points"
PORTS = [(8080, 80), (5353, 53, "udp"), (8081, 80, "tcp", "127.0.0.1")]


class Crash(HostCase):
    """fairlead-cni without a daemon: the process that dies is the one that did all of the work."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cni.install_fairlead(cls.host)
        cls.prepare()
        cls.network = cni.Network(cls.host, cni.fairlead_conflist(
            "net", subnets=["10.90.0.0/24", "fd00:90::/64"]))
        cls.containers = cni.Containers(cls.host)
        cls.containers.make("first", "one")

    @classmethod
    def prepare(cls):
        """What the network needs on the host."""

    def setUp(self):
        super().setUp()
        self.empty = Snapshot(self.host)  # no network yet

    def tearDown(self):
        self.network.delete("one", forget=True)
        self.network.delete("first", forget=True)
        self.host.fairlead("network", "rm", "net", check=False)
        super().tearDown()

    def points_of(self, verb):
        """The fault points that the verb passes, as the names that make it die there: name:passage."""
        self.host.path(POINTS).unlink(missing_ok=True)
        verb(env={"FAIRLEAD_FAULT": f"list:{POINTS}"})
        passed = collections.Counter()
        points = []
        for name in self.host.path(POINTS).read_text().split():
            passed[name] += 1
            points.append(f"{name}:{passed[name]}")
        self.assertGreater(len(points), 3)
        return points

    def assert_dies(self, verb, point):
        with self.assertRaises(cni.CniError) as caught:
            verb(env={"FAIRLEAD_FAULT": point})
        self.assertIsNone(caught.exception.code, "it answered, and did not die")
        self.assert_loopback_is_guarded()

    def assert_loopback_is_guarded(self):
        """A bridge takes packets to 127.0.0.1 only behind a filter of its own, whatever becomes of the firewall."""
        for link in json.loads(self.host.exec("ip", "-json", "link", "show", "type", "bridge").out):
            name = link["ifname"]
            if self.host.exec("sysctl", "-n", f"net.ipv4.conf.{name}.route_localnet").out.strip() == "1":
                self.assertIn("direct-action", self.host.exec("tc", "filter", "show", "dev", name, "ingress").out, name)

    def add(self, env=None):
        return self.network.add("one", ports=PORTS, env=env)

    def delete(self, env=None):
        self.network.delete("one", forget=True, env=env)

    def test_the_first_add_killed_anywhere_leaves_nothing_after_del(self):
        """The first ADD of a network also makes the network."""
        points = self.points_of(self.add)
        self.delete()
        self.host.fairlead("network", "rm", "net")
        for point in points:
            with self.subTest(point):
                self.assert_dies(self.add, point)
                self.delete()
                if self.host.networks():  # it died after the network was made: that stays, as after every DEL
                    self.host.fairlead("network", "rm", "net")
                self.assert_as_before(self.empty, within=2)

    def test_an_add_killed_anywhere_leaves_nothing_after_del(self):
        self.network.add("first")
        before = Snapshot(self.host)
        points = self.points_of(self.add)
        self.delete()
        for point in points:
            with self.subTest(point):
                self.assert_dies(self.add, point)
                self.delete()
                self.assert_as_before(before, within=2)

    def test_an_add_killed_anywhere_succeeds_when_it_is_done_again_after_del(self):
        self.network.add("first")
        points = self.points_of(self.add)
        self.delete()
        for point in points:
            with self.subTest(point):
                self.assert_dies(self.add, point)
                self.delete()
                address = cni.address_of(self.add())
                self.assert_works(address)
                self.delete()

    def test_an_add_killed_anywhere_succeeds_when_it_is_repeated_at_once(self):
        """A runtime that takes the end of the plugin for a failure and calls ADD again, without a DEL in between."""
        self.network.add("first")
        before = Snapshot(self.host)
        points = self.points_of(self.add)
        self.delete()
        for point in points:
            with self.subTest(point):
                self.assert_dies(self.add, point)
                result = self.add()
                self.assert_works(cni.address_of(result))
                self.network.check("one")
                self.assertEqual(result, self.add(), "and once more it is the same")
                self.assertEqual([], self.host.fairlead_json("reconcile")["network"]["actions"])
                self.delete()
                self.assert_as_before(before, within=2)

    def test_an_add_killed_twice_leaves_nothing_after_del(self):
        self.network.add("first")
        before = Snapshot(self.host)
        points = self.points_of(self.add)
        self.delete()
        for first, second in zip(points, reversed(points)):
            with self.subTest(f"{first} {second}"):
                for point in (first, second):
                    with self.assertRaises(cni.CniError) if point == first else contextlib.suppress(cni.CniError):
                        self.add(env={"FAIRLEAD_FAULT": point})  # the second may be past its point already
                self.delete()
                self.assert_as_before(before, within=2)

    def assert_works(self, address):
        with self.containers.net("one") as inside, self.containers.net("first") as other, \
                inside.listen("0.0.0.0", 80):
            self.assertIsNotNone(other.ping(address))
            self.host.outside.connect(HOST_V4, 8080).close()

    def test_a_del_killed_anywhere_is_finished_by_the_next(self):
        self.network.add("first")
        before = Snapshot(self.host)
        self.add()
        self.assert_has_ports()
        points = self.points_of(self.delete)
        for point in points:
            with self.subTest(point):
                self.add()
                self.assert_dies(self.delete, point)
                self.delete()
                self.assert_as_before(before, within=2)

    def assert_has_ports(self):
        self.assertIn(" 1\n", self.host.exec("sysctl", "-ar", r"^net\.ipv4\.conf\.fl-.*\.route_localnet").out)

    def publish(self, env=None):
        return self.cli("publish", env)

    def unpublish(self, env=None):
        return self.cli("unpublish", env)

    def cli(self, verb, env):
        ports = ["9090:90", "9091:91/udp"] if verb == "publish" else ["9090", "9091/udp"]
        return self.host.fairlead(verb, "one", *ports, env=env, check=False)

    def test_a_publish_or_an_unpublish_killed_anywhere_is_undone_by_the_other(self):
        self.network.add("first")
        self.add()
        before = Snapshot(self.host)
        for verb, opposite in ((self.publish, self.unpublish), (self.unpublish, self.publish)):
            if verb == self.unpublish:
                self.publish()
            points = self.points_of_cli(verb)
            self.publish()
            self.unpublish() if verb == self.publish else None
            for point in points:
                with self.subTest(f"{verb.__name__} {point}"):
                    verb(env={"FAIRLEAD_FAULT": point})
                    self.publish()
                    self.unpublish()
                    self.assert_as_before(before, within=2)
                    if verb == self.unpublish:
                        self.publish()
            self.unpublish()

    def points_of_cli(self, verb):
        self.host.path(POINTS).unlink(missing_ok=True)
        verb(env={"FAIRLEAD_FAULT": f"list:{POINTS}"})
        passed = collections.Counter()
        points = []
        for name in self.host.path(POINTS).read_text().split():
            passed[name] += 1
            points.append(f"{name}:{passed[name]}")
        self.assertIn("endpoint.publish.intent:1", points)
        return points

    def test_a_del_that_hands_ports_on_killed_anywhere_leaves_nothing_after_both(self):
        other = cni.Network(self.host, cni.fairlead_conflist("other", "10.92.0.0/24"))
        self.network.add("first")
        other.add("first", "eth1")
        before = Snapshot(self.host)

        def add():
            self.add()
            other.add("one", "eth1", ports=PORTS)

        def give_up(env=None):
            self.delete(env)

        add()
        points = self.points_of(give_up)
        self.assertIn("endpoint.publish.heir:1", points)
        other.delete("one", "eth1", forget=True)
        for point in points:
            with self.subTest(point):
                add()
                self.assert_dies(give_up, point)
                self.delete()
                self.host.fairlead("reconcile")
                serving = {port["network"] for port in json.loads(self.host.fairlead("port", "ls", "--json").out)}
                self.assertEqual({"other"}, serving)
                other.delete("one", "eth1", forget=True)
                self.assert_as_before(before, within=2)
        other.delete("first", "eth1", forget=True)
        self.host.fairlead("network", "rm", "other")


class CrashWithAnotherIpamPlugin(Crash):
    """The same with addresses of the real host-local, whose leases are files."""

    options = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        ipam = {"type": "host-local", "delegate": True, "ranges": [[{"subnet": "10.90.0.0/24"}], [{"subnet": "fd00:90::/64"}]],
                "routes": [{"dst": "10.99.0.0/16"}]}
        cls.network = cni.Network(cls.host, cni.fairlead_conflist("net", ipam=ipam, **cls.options),
                                  env={"CNI_PATH": f"{cni.BIN_FOLDER}:{cni.STANDARD_PLUGINS}"})
        cls.network.add("one")  # the plugin's own files stay
        cls.network.delete("one")
        cls.host.fairlead("network", "rm", "net")

    def points_of(self, verb):
        points = super().points_of(verb)
        for name in ("linked", "added") if verb == self.add else ("link-removed",):
            self.assertIn(f"cni.ipam.{name}:1", points)
        return points

    # What has nothing to do with who gives the addresses.
    test_a_publish_or_an_unpublish_killed_anywhere_is_undone_by_the_other = None
    test_a_del_that_hands_ports_on_killed_anywhere_leaves_nothing_after_both = None


class CrashWithAnotherIpamPluginWithoutABridge(CrashWithAnotherIpamPlugin):
    options = {"options": {"mode": "routed"}}

    def assert_has_ports(self):
        self.assertEqual(len(PORTS), len(json.loads(self.host.fairlead("port", "ls", "--json").out)))

    # What the mode does not do in its own way.
    test_the_first_add_killed_anywhere_leaves_nothing_after_del = None
    test_an_add_killed_anywhere_leaves_nothing_after_del = None
    test_an_add_killed_anywhere_succeeds_when_it_is_done_again_after_del = None
    test_an_add_killed_twice_leaves_nothing_after_del = None


class CrashWithAnotherIpamPluginOnAParent(CrashWithAnotherIpamPluginWithoutABridge):
    options = {"options": {"mode": "macvlan", "parent": "lan0"}}

    @classmethod
    def prepare(cls):
        cls.host.exec("sh", "-c", "ip link add lan0 type veth peer lan1 && ip link set lan0 up && ip link set lan1 up")

    def add(self, env=None):
        return self.network.add("one", env=env)

    def assert_has_ports(self):
        self.assertEqual([], json.loads(self.host.fairlead("port", "ls", "--json").out))

    def assert_works(self, address):
        with self.containers.net("first") as other:
            self.assertIsNotNone(other.ping(address))


class CrashOfTheDaemon(HostCase):
    """fairleadd dies in the middle of a CNI call; the runtime's DEL comes while it is away, or after it is back."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cni.install_fairlead(cls.host)
        cls.network = cni.Network(cls.host, cni.fairlead_conflist("net", "10.91.0.0/24"))
        cls.containers = cni.Containers(cls.host)
        cls.containers.make("first", "one")
        daemon = cls.host.start_fairleadd()
        cls.network.add("first")
        daemon.stop()

    def points(self):
        self.host.path(POINTS).unlink(missing_ok=True)
        daemon = self.host.start_fairleadd(env={"FAIRLEAD_FAULT": f"list:{POINTS}"})
        self.await_quiet()
        self.host.path(POINTS).unlink()
        self.network.add("one", ports=PORTS)
        names = list(dict.fromkeys(self.host.path(POINTS).read_text().split()))
        self.network.delete("one")
        daemon.stop()
        self.assertGreater(len(names), 3)
        return names

    def await_quiet(self):
        """Until the daemon's reconcile of its start has passed its own points."""
        file = self.host.path(POINTS)

        def quiet():
            size = file.stat().st_size if file.exists() else 0
            time.sleep(1)
            return size > 0 and size == file.stat().st_size

        eventually(quiet, "the reconcile at the start to end", deadline=30)

    def test_del_without_the_daemon_leaves_nothing(self):
        points = self.points()
        before = Snapshot(self.host)
        for point in points:
            with self.subTest(point):
                self.die_in_add(point)
                self.network.delete("one", forget=True)
                self.assert_as_before(before, within=2)

    def test_the_next_daemon_and_del_leave_nothing(self):
        points = self.points()
        before = Snapshot(self.host)
        for point in points:
            with self.subTest(point):
                self.die_in_add(point)
                daemon = self.host.start_fairleadd()
                self.network.delete("one", forget=True)
                daemon.stop()
                self.assert_as_before(before, within=2)

    def die_in_add(self, point):
        daemon = self.host.start_fairleadd(env={"FAIRLEAD_FAULT": point})
        with self.assertRaises(cni.CniError):
            self.network.add("one", ports=PORTS)
        daemon.wait(5)


class CancelledAdds(CniCalls):
    """A runtime kills the plugin in the middle of ADD and calls DEL: what fairleadd is still at work on goes too."""

    def tearDown(self):
        self.containers.remove_all()
        self.remove_networks()
        super().tearDown()

    def network(self, number=0):
        return cni.Network(self.host, cni.fairlead_conflist(f"net{number}", f"10.92.{number}.0/24"))

    def add_killed_after(self, seconds, network, container):
        """Whether it was killed: it may have been faster."""
        plugin = network.conflist["plugins"][0]
        config = json.dumps({**plugin, "cniVersion": "1.0.0", "name": network.name})
        env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": container, "CNI_IFNAME": "eth0", "CNI_PATH": cni.BIN_FOLDER,
               "CNI_NETNS": f"/run/netns/{container}"}
        output = self.host.exec("timeout", "--signal=KILL", str(seconds), f"{cni.BIN_FOLDER}/fairlead", check=False,
                                data=config, env=env)
        return output.code != 0

    def assert_nothing_is_left(self, *containers):
        self.assertEqual([], self.host.endpoints())
        for container in containers:
            links = json.loads(self.host.exec("ip", "-json", "-netns", container, "link").out)
            self.assertEqual(["lo"], [link["ifname"] for link in links], container)
        self.assertEqual(len(self.host.networks()), self.host.fairlead_json("status")["leases"])  # the gateways'

    def test_30_adds_killed_on_their_way_leave_nothing_after_del(self):
        names = self.containers.make(*(f"c{number}" for number in range(30)))
        killed = 0
        for number, name in enumerate(names):
            network = self.network(number)
            killed += self.add_killed_after(0.001 * (number + 1), network, name)
            network.delete(name, forget=True)
        self.assertGreater(killed, 0)
        self.assert_nothing_is_left(*names)

    def test_a_del_waits_for_the_add_that_makes_the_network(self):
        self.killed_while_the_network_is_made("fairlead")

    def test_a_del_without_the_daemon_waits_for_it_too(self):
        self.killed_while_the_network_is_made("fairlead-cni-local")

    def killed_while_the_network_is_made(self, program):
        self.containers.make("one")
        network = self.network()
        self.host.fairlead("network", "create", "first")  # there is a folder of locks from now on
        failures = []

        def delete():
            try:
                config = {"type": "fairlead", "cniVersion": "1.0.0", "name": network.name}
                network.call(program, "DEL", config, "one")
            except AssertionError as error:
                failures.append(error)

        with open(self.host.path("/run/fairlead/locks/networks"), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertTrue(self.add_killed_after(1, network, "one"))
            removal = threading.Thread(target=delete)
            removal.start()
            removal.join(1)  # it may be through already: when the ADD had not begun
        removal.join(60)
        self.assertEqual([], failures)
        self.host.fairlead("network", "rm", "first")
        self.assert_nothing_is_left("one")


class CancelledAddsWithTheDaemon(CancelledAdds, FairleadCase):
    pass


class CancelledAddsWithoutADaemon(CancelledAdds, HostCase):
    pass
