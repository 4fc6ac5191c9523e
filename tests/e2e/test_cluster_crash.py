"""SIGKILL of an agent at every point where it tells the cluster something: the same again succeeds, nothing is left."""

import contextlib
import signal
import unittest

from support.e2e.cluster import Cluster
from support.e2e.docker import stand_in
from support.e2e.host import CommandFailed, have_fairlead
from support.e2e.namespaces import Pinger
from support.e2e.snapshot import Snapshot
from support.e2e.waiting import DeadlineExceeded, eventually

POINTS = "/run/host/fault-points"
OF_THE_CLUSTER = ("cluster.", "network.create.shared", "network.unbound", "network.underlay", "overlay.", "vxlan.")
FIXED = "10.79.200.200"


class AgentsThatDie(unittest.TestCase):
    """Two hosts. What is killed is fairleadd on the first one."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not have_fairlead() or stand_in():
            raise unittest.SkipTest("no fairleadd in the folder of --bin")
        cls.cluster = cls.enterClassContext(Cluster(hosts=2, docker=False))
        cls.one, cls.two = cls.cluster.nodes
        for name in ("any", "fixed"):
            cls.one.add_netns(name)

    # ---- the life of a network on host 1, each step of which may be done again

    def create(self, node=None):
        node = node or self.one
        if not any(network["name"] == "shop" for network in node.host.networks()):
            node.call("POST", "/v1/networks", {"name": "shop", "options": {"mode": "overlay"},
                                               "subnets": [{"subnet": "10.79.0.0/16"}]})

    def attach(self):
        any_address = self.one.attach("any", "shop", there=True)
        self.assertEqual(FIXED, self.one.attach("fixed", "shop", there=True, addresses=[f"{FIXED}/16"]))
        return any_address

    def leave(self, node=None):
        node = node or self.one
        for endpoint in node.host.endpoints():
            node.detach(endpoint["id"], "shop")
        if node.host.networks():
            node.host.fairlead("network", "rm", "shop")

    def live(self):
        self.create()
        self.attach()
        self.leave()

    # ---- faults

    def points(self):
        """The fault points of a life, as the names that make the daemon die there: name:passage."""
        self.one.fairleadd.stop()
        self.one.host.path(POINTS).unlink(missing_ok=True)
        self.one.start_fairleadd(env={"FAIRLEAD_FAULT": f"list:{POINTS}"})
        self.live()
        self.one.fairleadd.stop()
        passed, points = {}, []
        for name in self.one.host.path(POINTS).read_text().split():
            passed[name] = passed.get(name, 0) + 1
            # A look at everything, which comes when something was busy, ensures once more what is there.
            again = name.endswith(".ensure.made") and passed[name] > 1
            if name.startswith(OF_THE_CLUSTER) and not again:
                points.append(f"{name}:{passed[name]}")
        self.one.start_fairleadd()
        return points

    def die_at(self, point):
        """Host 1's daemon dies in the middle of a life, and comes back."""
        self.one.fairleadd.stop()
        with contextlib.suppress(CommandFailed, DeadlineExceeded):
            self.one.start_fairleadd(env={"FAIRLEAD_FAULT": point})
            self.live()
        # Some points are passed behind the answer, with the next beat (5 s).
        self.assertEqual(-signal.SIGKILL, self.one.fairleadd.wait(20), "it lived on")
        self.one.start_fairleadd()

    def test_the_same_again_succeeds_and_then_nothing_is_left(self):
        keys, before = self.one.etcd_keys(), Snapshot(self.one.host)
        points = self.points()
        self.assertGreater(len(points), 8, points)
        print("    " + " ".join(points))
        for point in points:
            with self.subTest(point):
                self.die_at(point)
                self.create()
                self.assertNotEqual(FIXED, self.attach())
                self.leave()
                self.assert_nothing_is_left(keys, before)

    def test_what_another_host_has_is_not_disturbed(self):
        self.create(self.two)
        other = self.two.attach("other", "shop")
        eventually(lambda: any("/ep/" in key for key in self.one.etcd_keys()), "it to be published")
        keys, before = self.one.etcd_keys(), Snapshot(self.one.host)
        for point in self.points():
            if not point.startswith("cluster."):
                continue
            with self.subTest(point):
                self.die_at(point)
                self.create()
                address = self.attach()
                self.assertEqual(3, len({address, FIXED, other}))
                eventually(lambda: set(self.two.remote_entries("shop")[0]) == {address, FIXED}, "host 2 to know both")
                for name in ("any", "fixed"):
                    with self.one.host.named_net(name) as namespace, Pinger(namespace) as pinger:
                        eventually(lambda: pinger.ping(other, 1.0) is not None, f"{name} to reach {other}")
                self.leave()
                eventually(lambda: not self.two.remote_entries("shop")[0], "host 2 to forget both")
        self.assert_nothing_is_left(keys, before)
        self.leave(self.two)

    def assert_nothing_is_left(self, keys, before):
        """VNIs rest for ten minutes, and guards go with their network: all else is as before."""
        def of_networks(all_keys):
            return {key for key in all_keys if not any(part in key for part in ("/vni/", "/live/", "-guard", "\x7f"))}
        with contextlib.suppress(DeadlineExceeded):
            eventually(lambda: of_networks(self.one.etcd_keys()) == of_networks(keys), "the cluster to be as before", 15, 0.1)
        self.assertEqual(of_networks(keys), of_networks(self.one.etcd_keys()))
        eventually(lambda: not before.difference(Snapshot(self.one.host)), "the host to be as before", 5, 0.2)
