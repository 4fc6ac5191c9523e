"""Many CNI calls at once: all succeed, no address twice, nothing left over. With the daemon and without."""

import collections
import concurrent.futures
import itertools

from support.e2e import cni
from support.e2e.case import CniCalls, FairleadCase, HostCase
from support.e2e.host import HOST_V4

AT_ONCE = 24
NETWORKS = 16
CROWD = 200


def at_once(function, items):
    """Calls function(*item) for all items at the same time; their results, or the first failure."""
    with concurrent.futures.ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(lambda item: function(*item), items))


class Stress(CniCalls):
    def assert_distinct(self, results):
        counts = collections.Counter(cni.address_of(result) for result in results)
        self.assertEqual({}, {address: count for address, count in counts.items() if count > 1})

    def test_24_containers_come_and_go_on_one_network_at_once(self):
        names = self.containers.make(*(f"c{number}" for number in range(AT_ONCE)))
        with self.leaving_nothing():
            network = cni.Network(self.host, cni.fairlead_conflist("net", "10.80.0.0/24"))
            for _ in range(3):
                results = at_once(network.add, [(name,) for name in names])
                self.assert_distinct(results)
                self.assertEqual(AT_ONCE, len(self.host.endpoints()))
                with self.containers.net(names[0]) as namespace:
                    for result in results[1:]:
                        self.assertIsNotNone(namespace.ping(cni.address_of(result)))
                at_once(network.delete, [(name,) for name in names])
            self.remove_networks()

    def test_adds_and_dels_mixed_on_one_network(self):
        staying, leaving = ([f"{kind}{number}" for number in range(AT_ONCE // 2)] for kind in "sl")
        self.containers.make(*staying, *leaving)
        with self.leaving_nothing():
            network = cni.Network(self.host, cni.fairlead_conflist("net", "10.80.0.0/24"))
            results = at_once(network.add, [(name,) for name in leaving])
            calls = [(network.add, name) for name in staying] + [(network.delete, name) for name in leaving]
            mixed = at_once(lambda verb, name: verb(name), calls)
            self.assert_distinct(results + [result for result in mixed if result])
            self.assertEqual(set(staying), {endpoint["container"] for endpoint in self.host.endpoints()})
            at_once(network.delete, [(name,) for name in staying])
            self.remove_networks()

    def test_16_networks_with_ports_at_once(self):
        names = self.containers.make(*(f"c{number}" for number in range(NETWORKS)))
        networks = [cni.Network(self.host, cni.fairlead_conflist(f"net{number}", f"10.81.{number}.0/24"))
                    for number in range(NETWORKS)]
        with self.leaving_nothing():
            calls = [(network, name, 8000 + number) for number, (network, name) in enumerate(zip(networks, names))]
            results = at_once(lambda network, name, port: network.add(
                name, ports=[(port, 80), (port, 53, "udp")]), calls)
            self.assert_distinct(results)
            for _, name, port in calls:
                with self.containers.net(name) as namespace, namespace.listen("0.0.0.0", 80):
                    self.host.outside.connect(HOST_V4, port).close()
            at_once(lambda network, name, _: network.delete(name), calls)
            self.remove_networks()

    def test_networks_without_a_subnet_get_different_ones_at_once(self):
        names = self.containers.make(*(f"c{number}" for number in range(8)))
        networks = [cni.Network(self.host, cni.fairlead_conflist(f"auto{number}")) for number in range(8)]
        with self.leaving_nothing():
            results = at_once(lambda network, name: network.add(name), list(zip(networks, names)))
            gateways = {result["ips"][0]["gateway"] for result in results}
            self.assertEqual(8, len(gateways))
            at_once(lambda network, name: network.delete(name), list(zip(networks, names)))
            self.remove_networks()

    def test_one_container_on_two_networks_at_once(self):
        self.containers.make("one")
        networks = [cni.Network(self.host, cni.fairlead_conflist(f"net{number}", f"10.82.{number}.0/24"))
                    for number in range(2)]
        with self.leaving_nothing():
            calls = list(zip(networks, itertools.repeat("one"), ("eth0", "eth1")))
            at_once(lambda network, name, ifname: network.add(name, ifname), calls)
            at_once(lambda network, name, ifname: network.delete(name, ifname), calls)
            self.remove_networks()


class Crowd(CniCalls, HostCase):
    """So many that each waits for hundreds of turns: nobody is told to come again."""

    def test_200_calls_at_once_wait_for_each_other(self):
        names = self.containers.make(*(f"c{number}" for number in range(CROWD)))
        with self.leaving_nothing():
            network = cni.Network(self.host, cni.fairlead_conflist("net", "10.80.0.0/24"))
            results = at_once(network.add, [(name,) for name in names])
            self.assertEqual(CROWD, len({cni.address_of(result) for result in results}))
            at_once(network.delete, [(name,) for name in names])
            self.assertEqual([], self.host.endpoints())
            self.remove_networks()


class WithTheDaemon(Stress, FairleadCase):
    pass


class WithoutADaemon(Stress, HostCase):
    pass
