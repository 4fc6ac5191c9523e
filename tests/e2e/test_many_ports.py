"""10,000 published ports: what the last one costs beside the first, and connections while others come and go."""

import contextlib
import json
import multiprocessing
import selectors
import socket
import statistics
import struct
import time
import unittest

from support.e2e import cni
from support.e2e.case import CniCalls, FairleadCase
from support.e2e.cluster import UnixHttp
from support.e2e.host import API_SOCKET, HOST_V4, HOST_V6
from support.e2e.waiting import eventually
from test_scale import seconds_of

FIRST, LAST = 20000, 29999
CONNECTS, TURNS = 100, 20
# Measured are 1.00 to 1.05; the rest is for what else runs on the machine.
MOST = 1.15
MOST_FOR_A_CHANGE = 2.5  # what looks at each of them costs a hundred times as much
ROUNDS = 5  # of a measurement that something else on the machine disturbs
CHANGES = 200
PAUSE = 0.005  # seconds between rounds of questions: without it the kernel soon has a hundred thousand flows to look through
FORK = multiprocessing.get_context("fork")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: no TIME_WAIT, of which the ports of the client would run out


class PortsCase(CniCalls, FairleadCase):
    """Two containers on one network, and the API over one connection."""

    mode = "bridge"

    def setUp(self):
        super().setUp()
        self.host.fairlead("network", "create", "--mode", self.mode, "--subnet", "10.93.0.0/24", "--subnet", "fd00:93::/64", "--ipv6", "shop")
        network = cni.Network(self.host, {"cniVersion": "1.0.0", "name": "joined", "plugins": [{"type": "fairlead", "network": "shop"}]})
        for name in self.containers.make("web", "other"):
            self.host.exec("ip", "-n", name, "link", "set", "lo", "up")
            network.add(name)
        self.ids = {endpoint["container"]: endpoint["id"] for endpoint in self.host.endpoints()}
        self._connection = UnixHttp(self.host.path(API_SOCKET))
        self.addCleanup(self._connection.close)

    def tearDown(self):
        self.remove_networks()
        super().tearDown()

    def change(self, container, add=(), remove=()):
        """The seconds that it took."""
        body = json.dumps({"add": list(add), "remove": list(remove)})
        start = time.perf_counter()
        self._connection.request("PATCH", f"/v1/endpoints/shop/{self.ids[container]}/ports", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        text = answer.read()
        took = time.perf_counter() - start
        self.assertEqual(200, answer.status, text)
        return took


def port(host_port, container_port=None, last=None, **more):
    added = {"host_port": host_port, "container_port": container_port or host_port, **more}
    return {**added, "host_port_end": last, "container_port_end": last} if last else added


class TenThousand(PortsCase):
    alone = True  # it measures time

    def setUp(self):
        super().setUp()
        self.listeners = [self.containers.net("web").listen("::", number) for number in (80, FIRST, LAST)]
        for listener in self.listeners:
            listener.listen(4096)
            listener.setblocking(False)
            self.addCleanup(listener.close)

    def seconds_to(self, number, into):
        """Connects of the outside, none of which fails. The kernel answers for the server, who takes them afterwards."""
        with contextlib.ExitStack() as clients:
            with self.host.outside.entered():
                sockets = [clients.enter_context(socket.socket()) for _ in range(CONNECTS)]
            for client in sockets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.settimeout(3)
                start = time.perf_counter()
                client.connect((HOST_V4, number))
                into.append(time.perf_counter() - start)
        for listener in self.listeners:
            with contextlib.suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()

    def assert_the_last_is_reached_as_the_first(self, what):
        self.seconds_to(LAST, [])
        ratios = []
        for _ in range(ROUNDS):
            first, last = [], []
            for _ in range(TURNS):
                self.seconds_to(FIRST, first)
                self.seconds_to(LAST, last)
            ratios.append(statistics.median(last) / statistics.median(first))
            print(f"{what}: {statistics.median(first) * 1e6:.1f} us through the first, {statistics.median(last) * 1e6:.1f} through the last")
            if ratios[-1] <= MOST:
                return
        self.fail(f"{what}: {ratios}")

    def cost_of_a_change(self, added, removed):
        """Seconds of publishing and of unpublishing: the medians, and what the daemon computes for both."""
        before = seconds_of(self.fairleadd)
        published, unpublished = [], []
        for _ in range(50):
            published.append(self.change("other", add=[added]))
            unpublished.append(self.change("other", remove=[removed]))
        return statistics.median(published), statistics.median(unpublished), (seconds_of(self.fairleadd) - before) / 50

    def assert_a_change_costs_as_one(self, what, added, removed, one):
        costs = []
        for _ in range(ROUNDS):
            costs.append(self.cost_of_a_change(added, removed))
            published, unpublished, computed = (min(column) for column in zip(*costs))
            # Others on the machine make one wait, and hold the kernel's locks, but not both every time.
            times = min(max(published / one[0], unpublished / one[1]), computed / one[2])
            if times <= MOST_FOR_A_CHANGE:  # and with more rounds it would not be more
                break
        print(f"{what}: publish {published * 1000:.2f} ms, unpublish {unpublished * 1000:.2f}; one port alone {one[0] * 1000:.2f} and {one[1] * 1000:.2f}")
        self.assertLessEqual(times, MOST_FOR_A_CHANGE, what)

    def test_the_last_costs_what_the_first_does(self):
        single, range_of_all = port(9000, 90), port(FIRST, FIRST, LAST)
        gone, all_gone = {"host_port": 9000}, {"host_port": FIRST, "host_port_end": LAST}
        self.cost_of_a_change(single, gone)  # warm
        one = tuple(min(column) for column in zip(*(self.cost_of_a_change(single, gone) for _ in range(ROUNDS))))
        self.assert_a_change_costs_as_one("10,000 ports as a range", range_of_all, all_gone, one)

        self.change("web", add=[range_of_all])
        self.assert_the_last_is_reached_as_the_first("a range of 10,000 ports")
        self.assert_a_change_costs_as_one("1 port beside a range of 10,000", single, gone, one)
        self.change("web", remove=[all_gone])

        self.change("web", add=[port(number, 80) for number in range(FIRST, LAST + 1)])
        self.assertEqual(LAST - FIRST + 1, len(self.host.ports()))
        self.assert_the_last_is_reached_as_the_first("10,000 single ports")
        self.assert_a_change_costs_as_one("1 port beside 10,000", single, gone, one)
        self.change("web", remove=[all_gone])
        self.assertEqual([], self.host.ports())


class Echo:
    """A server in a namespace that gives back what it gets: TCP and UDP, IPv4 and IPv6. In a process of its own."""

    def __init__(self, net, number):
        with net.entered():
            listener = socket.create_server(("::", number), family=socket.AF_INET6, backlog=512, dualstack_ipv6=True)
            datagrams = [socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6)]
        datagrams[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for each, place in zip(datagrams, ("0.0.0.0", "::")):
            each.bind((place, number))
        self._process = FORK.Process(target=self._serve, args=(listener, datagrams), daemon=True)
        self._process.start()
        for each in (listener, *datagrams):
            each.close()

    def _serve(self, listener, datagrams):
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        for each in datagrams:
            self._selector.register(each, selectors.EVENT_READ, self._answer)
        while True:
            for key, _ in self._selector.select():
                key.data(key.fileobj)

    def _accept(self, listener):
        self._selector.register(listener.accept()[0], selectors.EVENT_READ, self._give_back)

    def _give_back(self, connection):
        data = b""
        with contextlib.suppress(ConnectionError):
            data = connection.recv(4096)
        if data:
            connection.sendall(data)
        else:
            self._selector.unregister(connection)
            connection.close()

    @staticmethod
    def _answer(datagrams):
        data, client = datagrams.recvfrom(4096)
        datagrams.sendto(data, client)

    def close(self):
        self._process.kill()
        self._process.join()


class Traffic:
    """Questions to one port without a pause: over connections and flows that stay, and over new ones. In a process of its own."""

    def __init__(self, net, number):
        self._net, self._number = net, number
        self._places = [(address, proto) for address in (HOST_V4, HOST_V6) for proto in ("tcp", "udp")]
        self.errors, self.answers = [], 0
        self._ours, self._its = FORK.Pipe()
        self._process = FORK.Process(target=self._run, daemon=True)
        self._process.start()
        self._ours.recv()  # all that stay are open

    def _open(self, address, proto):
        return self._net.connect(address, self._number, proto, timeout=5)

    def _run(self):
        stay = [(self._open(*place), place) for place in self._places for _ in range(3)]
        self._its.send("open")
        last = False
        while not last:
            last = self._its.poll(PAUSE)  # one round is asked after the end is
            for connection, place in stay:
                self._ask(connection, "one that stays", place)
            for place in self._places:
                try:
                    with self._open(*place) as connection:
                        self._ask(connection, "a new one", place)
                except OSError as error:
                    self._fails("a new one", place, error)
        self._its.send((self.errors, self.answers))

    def _ask(self, connection, what, place):
        question = b"question %d" % self.answers
        try:
            connection.send(question)
            answer = connection.recv(4096)
        except OSError as error:
            return self._fails(what, place, error)
        if answer != question:
            self._fails(what, place, answer)
        self.answers += 1

    def _fails(self, what, place, error):
        self.errors.append(f"{time.strftime('%T', time.gmtime())} {what} to {place}: {error!r}")

    def stop(self):
        """Then `errors` and `answers` are known."""
        self._ours.send("stop")
        self.errors, self.answers = self._ours.recv()
        self._process.join()


class WhileConnectionsRun(PortsCase):
    def comings_and_goings(self, number):
        """(container, what is added, what is removed): ports of the same container and of another one."""
        kinds = (("web", port(9000 + number, 90), {"host_port": 9000 + number}),
                 ("other", port(9000 + number, 90, protocol="udp"), {"host_port": 9000 + number, "protocol": "udp"}),
                 ("web", port(7000, 7000, 7099), {"host_port": 7000, "host_port_end": 7099}),
                 ("other", port(9000, 90, host_ip="127.0.0.1"), {"host_port": 9000}),
                 ("other", port(8080, 80, protocol="sctp"), {"host_port": 8080, "protocol": "sctp"}),
                 ("other", port(1, 80, host_ip=HOST_V4), {"host_port": 1}))
        return kinds[number % len(kinds)]

    def test_no_other_port_loses_a_connection(self):
        self.change("web", add=[port(8080, 80), port(8080, 80, protocol="udp")])
        with contextlib.closing(Echo(self.containers.net("web"), 80)):
            eventually(lambda: self.host.outside.connect(HOST_V4, 8080).close() or True, "the server")
            traffic = Traffic(self.host.outside, 8080)
            try:
                for number in range(CHANGES):
                    container, added, removed = self.comings_and_goings(number)
                    self.change(container, add=[added])
                    self.change(container, remove=[removed])
            finally:
                traffic.stop()
        self.assertEqual([], traffic.errors[:10], f"{len(traffic.errors)} beside {traffic.answers} answers\n{self.fairleadd.log()[-3000:]}")
        self.assertGreater(traffic.answers, CHANGES)
        print(f"{self.mode}: {traffic.answers} answers during {2 * CHANGES} changes")

    def test_the_control_a_port_that_goes_loses_its_connections(self):
        self.change("web", add=[port(8080, 80), port(8080, 80, protocol="udp")])
        with contextlib.closing(Echo(self.containers.net("web"), 80)):
            traffic = Traffic(self.host.outside, 8080)
            self.change("web", remove=[{"host_port": 8080}])
            traffic.stop()
        self.assertNotEqual([], traffic.errors)


class WhileConnectionsRunWithoutABridge(WhileConnectionsRun):
    mode = "routed"


if __name__ == "__main__":
    unittest.main()
