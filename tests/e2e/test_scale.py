"""Many containers on one host: what the last ones cost beside the first ones of another host, by turns."""

import contextlib
import json
import random
import statistics
import time
from pathlib import Path

from support.e2e import cni
from support.e2e.case import FairleadCase
from support.e2e.cluster import UnixHttp
from support.e2e.host import API_SOCKET, Host

GROUP = 50  # attaches that are compared
# Times the first. Measured are 1.1 to 1.35: to tell of a link whose peer is in another namespace the kernel walks through all of
# these (net/core/net_namespace.c, __peernet2id).
MOST = 1.5
# Measured are 1.3 to 1.5: the kernel's bridge looks at all of its ports when one comes (net/bridge/br_if.c, br_add_if and what it
# calls), and IPv6 at all links (net/ipv6/route.c, rt6_sync_down_dev).
MOST_ON_A_BRIDGE = 1.8
ROUNDS = 3
PAIRS = 60


def seconds_of(daemon):
    """What its threads have computed, in this kernel's system calls as well (Documentation/scheduler/sched-stats.rst)."""
    threads = Path(f"/proc/{daemon.pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


class Crowd:
    """Containers called c0, c1, ... on one network, put there by the API over one connection."""

    def __init__(self, host, daemon, network):
        self.host, self.network = host, network
        self._daemon, self._computed = daemon, 0.0
        self.containers = cni.Containers(host)
        self.addresses = {}
        self._connection = UnixHttp(host.path(API_SOCKET))

    def close(self):
        self._connection.close()
        self.containers.remove_all()

    def make(self, count):
        return self.containers.make(*(f"c{number}" for number in range(count)))

    def attach(self, name):
        made = self._call("POST", "/v1/endpoints", {"network": self.network, "id": name, "container": name,
                                                    "netns": f"/run/netns/{name}"})
        self.addresses[name] = made["addresses"][0].split("/")[0]

    def cost_of(self, name):
        """The seconds that attaching it takes, and those that the daemon computes for it."""
        start, before = time.perf_counter(), self._computed
        self.attach(name)
        took = time.perf_counter() - start
        self._computed = seconds_of(self._daemon)
        return took, self._computed - before

    def detach(self, *names):
        for name in names:
            self._call("DELETE", f"/v1/endpoints/{self.network}/{name}")
            del self.addresses[name]
        self.begin()

    def begin(self):
        self._computed = seconds_of(self._daemon)

    def _call(self, method, path, body=None):
        self._connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {text.decode()}")
        return json.loads(text or "null")


def costs(crowds):
    """Of attaching one, for each (crowd, names): the seconds that one waits, and those that the daemon computes.

    The crowds take turns, so that whatever else the machine does meets all alike; the lower quartile leaves out what
    that costs. All stay attached.
    """
    found = [[] for _ in crowds]
    for crowd, _ in crowds:
        crowd.begin()
    for number in range(ROUNDS):
        for turn in zip(*(names for _, names in crowds)):
            for (crowd, _), name, costs_of_crowd in zip(crowds, turn, found):
                costs_of_crowd.append(crowd.cost_of(name))
        if number + 1 < ROUNDS:
            for crowd, names in crowds:
                crowd.detach(*names)
    return [[statistics.quantiles(kind, n=4)[0] for kind in zip(*costs_of_crowd)] for costs_of_crowd in found]


class Scale(FairleadCase):
    """Beside the host a second one with a daemon of its own, on which there are never more than the first few."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.quiet = cls.enterClassContext(Host())
        cls.quiet_fairleadd = cls.quiet.start_fairleadd()
        # What stays when the last network goes: the host forwards, and holds strangers.
        cls.host.fairlead("network", "create", "--subnet", "10.89.0.0/24", "first")
        cls.host.fairlead("network", "rm", "first")

    def assert_as_cheap_at_the_end(self, mode, subnet, count, most=MOST):
        with self.leaving_nothing():
            for host in (self.host, self.quiet):
                host.fairlead("network", "create", "--mode", mode, "--subnet", subnet, "crowd")
            with contextlib.closing(Crowd(self.host, self.fairleadd, "crowd")) as crowd, \
                    contextlib.closing(Crowd(self.quiet, self.quiet_fairleadd, "crowd")) as few:
                names, first_names = crowd.make(count), few.make(GROUP)
                for name in names[:-GROUP]:
                    crowd.attach(name)
                first, last = costs([(few, first_names), (crowd, names[-GROUP:])])
                print(f"{mode}, first and last of {count}: {first[0] * 1000:.2f} and {last[0] * 1000:.2f} ms,",
                      f"of which fairleadd computes {first[1] * 1000:.2f} and {last[1] * 1000:.2f}")
                self.assertEqual(count, len(set(crowd.addresses.values())))
                self.assert_some_reach_each_other(crowd)
                few.detach(*first_names)
                crowd.detach(*names)
                self.assertEqual([], self.host.endpoints())
            for host in (self.host, self.quiet):
                host.fairlead("network", "rm", "crowd")
        # One waits for what others on the machine do with the kernel's locks too, and what is computed misses their caches.
        self.assertLessEqual(min(last[0] / first[0], last[1] / first[1]), most)

    def assert_some_reach_each_other(self, crowd):
        names, chosen = list(crowd.addresses), random.Random(12)
        pairs = [(names[0], names[-1]), (names[-1], names[0]), *(chosen.sample(names, 2) for _ in range(PAIRS))]
        for one, other in pairs:
            with crowd.containers.net(one) as namespace:
                self.assertIsNotNone(namespace.ping(crowd.addresses[other], 3.0), f"{one} -> {other}")

    def test_1000_containers_on_a_bridge(self):
        self.assert_as_cheap_at_the_end("bridge", "10.90.0.0/21", 1000, MOST_ON_A_BRIDGE)

    def test_5000_containers_without_a_bridge(self):
        self.assert_as_cheap_at_the_end("routed", "10.96.0.0/19", 5000)
