"""What `fairlead explain` says, and what becomes of a real packet: random networks, policies, ports and pairs.

A UDP datagram carries the number of its pair, and sockets at all ends say which have come. Of TCP and pings the answer counts: a
port that nobody listens at answers too.
"""

import concurrent.futures
import contextlib
import itertools
import json
import os
import random
import select
import socket
import time
import xml.etree.ElementTree

from support.e2e import cni
from support.e2e.case import CniCalls, HostCase
from support.e2e.host import FURTHER_V4, FURTHER_V6, HOST_V4, HOST_V6, OUTSIDE_V4, OUTSIDE_V6, bin_folder
from support.e2e.namespaces import Pinger
from support.e2e.waiting import eventually

PAIRS = 200
PORTS = (53, 80, 443, 5432)  # that policies and packets are about
NETWORKS, CONTAINERS = 8, 3


def family_of(address):
    return 6 if ":" in address else 4


class World:
    """Random networks with containers, ports and policies on a host."""

    def __init__(self, host, chance):
        self.host, self.chance = host, chance
        self.containers = {}  # name: (network, {family: address})
        self.networks, self.published = {}, []  # (family, port of the host, proto)
        self.namespaces = cni.Containers(host)
        for number in range(NETWORKS):
            self._make_network(f"n{number}", number)
        self._make_policies()

    def _make_network(self, name, number):
        chance = self.chance
        internal, egress = chance.random() < 0.2, chance.random() < 0.3
        options = [f"mode={chance.choice(('bridge', 'bridge', 'routed'))}", f"icc={chance.choice(('true', 'true', 'false'))}"]
        if not internal:
            options += [f"gateway_mode_ipv{family}={chance.choice(('nat', 'nat', 'nat-unprotected', 'routed'))}" for family in (4, 6)]
        if egress:
            options.append("egress=deny")
            options += [f"egress_allow={FURTHER_V4}:{chance.choice(PORTS)}"] * chance.randrange(2)
        subnets = [f"10.{100 + number}.0.0/24"] + [f"fd00:{100 + number}::/64"] * (chance.random() < 0.6)
        words = [word for subnet in subnets for word in ("--subnet", subnet)] + ["--internal"] * internal
        self.host.fairlead("network", "create", *words, *(word for option in options for word in ("-o", option)), name)
        self.networks[name] = options + ["internal"] * internal
        network = cni.Network(self.host, cni.fairlead_conflist(f"c-{name}", network=name))
        for index in range(CONTAINERS):
            self._attach(network, name, f"{name}c{index}", internal)

    def _attach(self, network, name, container, internal):
        self.namespaces.make(container)
        ports = []
        if not internal:
            ports = [(8000 + len(self.published) + i, self.chance.choice(PORTS), self.chance.choice(("tcp", "udp")))
                     for i in range(self.chance.randrange(3))]
        result = network.add(container, ports=ports)
        self.published += [(port, proto) for port, _, proto in ports]
        addresses = [entry["address"].split("/")[0] for entry in result["ips"]]
        self.containers[container] = name, {family_of(address): address for address in addresses}

    def _make_policies(self):
        ends = [f"net:{name}" for name in self.networks] + list(self.containers) + ["outside", "any"]
        made = 0
        while made < 10:
            ports = self.chance.choice(([], ["tcp"], ["udp"], ["icmp"], [f"{self.chance.choice(PORTS)}"], ["53", "443/tcp"]))
            added = self.host.fairlead("policy", self.chance.choice(("allow", "allow", "deny")), self.chance.choice(ends),
                                       self.chance.choice([*ends, "host"]), *ports, check=False)
            made += added.code == 0  # what would do nothing is refused

    def addresses(self):
        """Of everybody, as texts."""
        found = [HOST_V4, HOST_V6, FURTHER_V4, FURTHER_V6]
        for _, own in self.containers.values():
            found += own.values()
        return found

    def gateways(self):
        return [gateway for network in self.host.networks() for gateway in (s.get("gateway") for s in network["subnets"]) if gateway]


class Pair:
    """A question, and the packet that answers it."""

    def __init__(self, number, source, net, own, target, kind, port):
        self.number, self.source, self.net, self.own = number, source, net, own
        self.target, self.kind, self.port = target, kind, port
        self.said = self.reached = None

    def question(self):
        return self.source, self.target, "icmp" if self.kind == "icmp" else f"{self.port}/{self.kind}"

    def expected(self):
        """Whether the packet (of UDP), or its answer, is said to come through."""
        path = self.said["paths"][0]
        return path["reach"] == "yes" and (self.kind == "udp" or path["answers"] != "no")

    def text(self):
        return f"{' '.join(self.question())}: said {self.expected()}, was {self.reached}\n{json.dumps(self.said, indent=1)}"


class Listeners:
    """Sockets in all namespaces, which say which datagrams have come. At the host's published ports, too: what is published of a
    container with one family alone comes to the host itself in the other."""

    def __init__(self, nets, host, published):
        self.sockets, self.poll = {}, select.poll()
        for net, port in [*itertools.product(nets, PORTS), *((host, port) for port, proto in published if proto == "udp")]:
            for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                self._bind(net, port, family, any_address)
        self.heard = set()

    def _bind(self, net, port, family, any_address):
        listener = net.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((any_address, port))
        listener.setblocking(False)
        self.sockets[listener.fileno()] = listener
        self.poll.register(listener, select.POLLIN)

    def hear(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for fd, _ in self.poll.poll(left * 1000):
                with contextlib.suppress(OSError):
                    self.heard.add(int(self.sockets[fd].recv(64)))

    def close(self):
        for listener in self.sockets.values():
            listener.close()


class Networks(CniCalls, HostCase):
    """Every test removes the networks and policies that it has made."""

    def tearDown(self):
        for policy in self.host.fairlead("policy", "ls", "-q").out.split():
            self.host.fairlead("policy", "rm", policy)
        for endpoint in self.host.endpoints():
            self.host.fairlead("endpoint", "rm", "-f", f"{endpoint['network']}/{endpoint['id']}")
        for network in self.host.networks():
            self.host.fairlead("network", "rm", "-f", network["name"])
        super().tearDown()

    def explain(self, *words):
        """The exit code, and what it says as JSON."""
        output = self.host.fairlead("explain", *words, "--json", check=False)
        self.assertIn(output.code, (0, 1), f"{words}: {output.err}")
        return output.code, json.loads(output.out)


class RandomPairs(Networks):
    maxDiff = None

    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("FAIRLEAD_EXPLAIN_SEED", random.randrange(1 << 32)))
        print(f"test_explain: FAIRLEAD_EXPLAIN_SEED={seed}")
        self.chance = random.Random(seed)
        self.seed = seed

    def pairs(self, world):
        """Each with an address as its target, so that it is one packet."""
        chance, made = self.chance, []
        targets = world.addresses() + world.gateways()
        nets = {name: world.namespaces.net(name) for name in world.containers}
        while len(made) < PAIRS:
            target, kind = chance.choice(targets), chance.choice(("tcp", "udp", "icmp"))
            port = chance.choice(PORTS)
            if target in (HOST_V4, HOST_V6) and world.published and kind != "icmp":
                port, kind = chance.choice(world.published)
            family = family_of(target)
            source = chance.choice([*world.containers, *world.containers, "host", "outside"])
            if source == "outside":
                source, net = (OUTSIDE_V4 if family == 4 else OUTSIDE_V6), self.host.outside
                own = source
            elif source == "host":
                net, own = self.host.net, None
            else:
                own, net = world.containers[source][1].get(family), nets[source]
            if own == target or (own is None and source != "host") or (net is self.host.outside and target in (FURTHER_V4, FURTHER_V6)):
                continue
            made.append(Pair(len(made), source, net, own, target, kind, port))
        return made, [*nets.values(), self.host.net, self.host.outside]

    def ask(self, pair):
        code, pair.said = self.explain(*pair.question())
        self.assertEqual(code == 0, pair.said["reach"] == "yes")
        self.assertEqual(pair.target, pair.said["paths"][0]["destination"])

    def send_all(self, pairs, nets, published):
        listeners = Listeners(nets, self.host.net, published)
        try:
            with concurrent.futures.ThreadPoolExecutor(48) as pool:
                work = [pool.submit(self.send, pair) for pair in pairs if pair.kind != "udp"]
                for pair in pairs:
                    if pair.kind == "udp":
                        self.send_datagram(pair)
                listeners.hear(1.0)
                for each in work:
                    each.result()
            for pair in pairs:
                if pair.kind == "udp":
                    pair.reached = pair.number in listeners.heard
        finally:
            listeners.close()

    def send_datagram(self, pair):
        family = socket.AF_INET if family_of(pair.target) == 4 else socket.AF_INET6
        with pair.net.socket(family, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
            sender.sendto(str(pair.number).encode(), (pair.target, pair.port))

    def send(self, pair):
        if pair.kind == "icmp":
            with Pinger(pair.net, ipv6=family_of(pair.target) == 6) as pinger:
                with contextlib.suppress(OSError):
                    pair.reached = pinger.ping(pair.target, 1.0) is not None
            pair.reached = bool(pair.reached)
            return
        family = socket.AF_INET if family_of(pair.target) == 4 else socket.AF_INET6
        with pair.net.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(1.0)
            try:
                client.connect((pair.target, pair.port))
                pair.reached = True
            except ConnectionRefusedError:
                pair.reached = True
            except OSError:
                pair.reached = False

    def test_its_answer_and_a_real_packet_agree(self):
        world = World(self.host, self.chance)
        for subnet in ("10.0.0.0/8", "fd00::/8"):
            self.host.outside_ip(f"route add {subnet} via {HOST_V6 if ':' in subnet else HOST_V4}")
        pairs, nets = self.pairs(world)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self.ask, pairs))
        self.send_all(pairs, nets, world.published)
        wrong = [pair for pair in pairs if pair.expected() != pair.reached]
        if wrong:  # once more, one after the other: a machine that stands still loses packets
            self.send_all(wrong, nets, world.published)
            wrong = [pair for pair in wrong if pair.expected() != pair.reached]
        self.assertEqual([], [pair.text() for pair in wrong], f"FAIRLEAD_EXPLAIN_SEED={self.seed}")
        # It would be no proof if all had one answer.
        yes = sum(pair.expected() for pair in pairs)
        self.assertTrue(PAIRS // 10 < yes < PAIRS - PAIRS // 10, f"{yes} of {PAIRS} pairs reach each other")


class OneQuestion(Networks):
    def setUp(self):
        super().setUp()
        for name, subnet in (("front", "10.91.0.0/24"), ("back", "10.92.0.0/24")):
            self.host.fairlead("network", "create", "--subnet", subnet, name)
        self.containers.make("web", "db")
        cni.Network(self.host, cni.fairlead_conflist("f", network="front")).add("web")
        cni.Network(self.host, cni.fairlead_conflist("b", network="back")).add("db", ports=[(8432, 5432)])

    def trace_tables(self):
        return [line for line in self.host.exec("nft", "list", "tables").out.splitlines() if "fairlead-trace" in line]

    def test_a_trace_proves_the_answer(self):
        code, said = self.explain("--trace", "web", "db", "5432")
        self.assertEqual((1, "no"), (code, said["reach"]))
        self.assertIn("published ports only", said["sentence"])
        self.assertTrue(said["traces"][0]["sent"] and said["traces"][0]["dropped"])
        last = said["traces"][0]["steps"][-1]
        self.assertEqual(("inet fairlead", "published_only", "drop"), (last["table"], last["chain"], last["verdict"]))
        self.assertEqual(last["rule"], next(step for step in said["paths"][0]["steps"] if step["stops"])["rule"])
        policy = self.host.fairlead("policy", "allow", "web", "db", "5432/tcp").out.strip()
        code, said = self.explain("--trace", "web", "db", "5432")
        self.assertEqual((0, "yes", "yes"), (code, said["reach"], said["paths"][0]["answers"]))
        self.assertIn(f"policy {policy}: allow", json.dumps(said["paths"][0]["steps"]))
        self.assertEqual((False, "Connection refused"), (said["traces"][0]["dropped"], said["traces"][0]["said"]))
        for words in (("--trace", "web", "host"), ("--trace", "host", "db", "53/udp")):
            code, said = self.explain(*words)
            self.assertEqual((0, False), (code, said["traces"][0]["dropped"]), said)
            self.assertTrue(said["traces"][0]["steps"])
        self.assertEqual([], self.trace_tables())

    def test_a_packet_from_outside_is_waited_for_and_a_kill_leaves_nothing(self):
        words = ("explain", "--trace", "--wait", "60", "outside", "db", "5432")
        waiting = self.host.start(bin_folder() / "fairlead", *words, name="trace")
        eventually(self.trace_tables, "the tables of the trace")
        waiting.kill()
        eventually(lambda: not self.trace_tables(), "the tables of the trace to go")
        waiting = self.host.start(bin_folder() / "fairlead", "explain", "--trace", "--json", OUTSIDE_V4, HOST_V4, "8432",
                                  name="heard")
        eventually(self.trace_tables, "the tables of the trace")
        with self.assertRaises(ConnectionRefusedError):
            self.host.outside.connect(HOST_V4, 8432)
        self.assertEqual(0, waiting.wait(30))
        said = json.loads(waiting.log())
        self.assertIn("publish_everywhere", [step["chain"] for step in said["traces"][0]["steps"]])
        self.assertFalse(said["traces"][0]["sent"] or said["traces"][0]["dropped"])
        self.assertEqual([], self.trace_tables())

    def test_what_counts_is_what_the_kernel_has_loaded(self):
        self.assertEqual((1, []), (self.explain("web", "db", "5432")[0], self.explain("web", "back/db", "5432")[1]["notes"][1:]))
        self.host.exec("nft", "flush", "chain", "inet", "fairlead", "published_only")
        code, said = self.explain("web", "db", "5432")
        self.assertEqual(0, code, said)
        self.assertIn("not what is recorded", " ".join(said["notes"]))
        self.host.fairlead("reconcile")
        self.assertEqual(1, self.explain("web", "db", "5432")[0])
        self.host.exec("nft", "add table ip other; add chain ip other f { type filter hook forward priority 5; }; "
                       "add rule ip other f ip daddr 10.92.0.0/24 tcp dport 5432 drop")
        self.host.fairlead("policy", "allow", "web", "db", "5432/tcp")
        code, said = self.explain("web", "db", "5432")
        self.assertEqual(1, code, said)
        self.assertIn("chain f of ip other drops it", said["sentence"])
        self.host.exec("nft", "delete", "table", "ip", "other")
        self.assertEqual(0, self.explain("web", "db", "5432")[0])

    def test_questions_without_an_answer(self):
        for words, hint in ((("web", "nobody", "80"), "called"), (("web", "db", "x"), "is not like 80"),
                            (("-4", "-6", "web", "db"), "exclude"), (("-6", "web", "db"), "in common")):
            output = self.host.fairlead("explain", *words, check=False)
            self.assertEqual(2, output.code)
            self.assertIn(hint, output.err)

    def test_pictures(self):
        svg = self.host.fairlead("graph").out
        texts = [element.text for element in xml.etree.ElementTree.fromstring(svg).iter() if element.text]
        for text in ("front", "back", "web", "db", "10.92.0.0/24", "10.92.0.2", "*:8432 -> 5432/tcp"):
            self.assertIn(text, texts)
        self.assertNotIn("10.91.0.0/24", self.host.fairlead("graph", "--format", "dot", "back").out)
        self.assertIn("subgraph n1[", self.host.fairlead("graph", "--format", "mermaid").out)
        self.assertEqual(2, self.host.fairlead("graph", "--format", "png", check=False).code)
