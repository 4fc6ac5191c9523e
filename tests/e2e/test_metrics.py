"""What /metrics tells agrees with what was done and with real traffic, and Prometheus's own tool reads it."""

import contextlib
import os
import re
import shutil
import subprocess
import threading
import unittest
from pathlib import Path

from support.e2e import cni
from support.e2e.case import CniCalls, FairleadCase
from support.e2e.host import HOST_V4
from support.e2e.waiting import eventually

API_SOCKET = "/run/fairlead/api.sock"
PACKAGING = Path(__file__).resolve().parent.parent.parent / "packaging"
LINE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
MEBIBYTE = 1 << 20


def parse(text):
    """{(name, frozenset of labels): value}; a series that is there twice is an error."""
    series = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = LINE.match(line).groups()
        key = name, frozenset(LABEL.findall(labels or ""))
        assert key not in series, f"twice: {line}"
        series[key] = float(value)
    return series


def promtool(*arguments, data=None):
    """What the tool says, and nothing when it is content. Skips where Debian's package `prometheus` is not installed."""
    program = shutil.which(os.environ.get("FAIRLEAD_PROMTOOL", "promtool"))
    if program is None:
        raise unittest.SkipTest("promtool is not installed (package prometheus)")
    done = subprocess.run([program, *map(str, arguments)], input=data, capture_output=True, text=True, check=False, timeout=60)
    return "" if done.returncode == 0 and not (data and done.stderr) else done.stdout + done.stderr


class Rules(unittest.TestCase):
    def test_promtool_takes_them_and_each_fires_where_it_should(self):
        self.assertEqual("", promtool("check", "rules", PACKAGING / "prometheus/fairlead.rules.yml"))
        self.assertEqual("", promtool("test", "rules", PACKAGING / "prometheus/fairlead.rules.test.yml"))


class MetricsCase(CniCalls, FairleadCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.remove_networks)
        self.network = cni.Network(self.host, cni.fairlead_conflist("shop", "10.87.0.0/24"))

    def scrape(self, path="/metrics", accept="text/plain"):
        return self.host.exec("curl", "--silent", "--fail", "--header", f"Accept: {accept}", "--unix-socket", API_SOCKET,
                              f"http://localhost{path}").out

    def series(self, path="/metrics"):
        return parse(self.scrape(path))

    def value(self, name, path="/metrics", **labels):
        return self.series(path).get((name, frozenset(labels.items())), 0)

    @contextlib.contextmanager
    def serving(self, container, port, count):
        """In the container somebody takes one connection, reads `count` bytes and sends as many back."""
        with self.containers.net(container) as net, net.listen("0.0.0.0", port) as listener:
            def serve():
                connection, _ = listener.accept()
                with connection:
                    got = 0
                    while got < count:
                        got += len(connection.recv(65536))
                    connection.sendall(b"x" * count)
            server = threading.Thread(target=serve, daemon=True)
            server.start()
            yield
            server.join(30)
            self.assertFalse(server.is_alive(), "the server is not done")

    def transfer(self, net, address, port, count):
        with net.connect(address, port, timeout=30) as connection:
            connection.sendall(b"y" * count)
            got = 0
            while got < count:
                part = connection.recv(65536)
                self.assertTrue(part, "the connection ended early")
                got += len(part)


class Scrapes(MetricsCase):
    def test_prometheus_s_tool_has_nothing_to_say_about_either_page(self):
        self.containers.make("web")
        self.network.add("web", ports=[(8080, 80)])
        self.host.fairlead("volume", "create", "data")
        self.addCleanup(self.host.fairlead, "volume", "rm", "data")
        for path in ("/metrics", "/metrics/traffic"):
            text = self.scrape(path)
            self.assertGreater(len(parse(text)), 5)
            self.assertEqual("", promtool("check", "metrics", data=text))

    def test_openmetrics_for_who_asks_for_it(self):
        text = self.scrape(accept="application/openmetrics-text; version=1.0.0")
        self.assertTrue(text.endswith("# EOF\n"))
        self.assertIn("# TYPE fairlead_build info\n", text)
        self.assertNotIn("# EOF", self.scrape())

    def test_calls_networks_and_leases(self):
        before = self.value("fairlead_calls_total", protocol="cni", verb="ADD", outcome="ok")
        self.containers.make("one", "two")
        for name in ("one", "two"):
            self.network.add(name)
        with self.assertRaises(cni.CniError):
            self.network.add("one", ports=[(8080, 80)])  # it is there, with other properties
        self.assertEqual(before + 2, self.value("fairlead_calls_total", protocol="cni", verb="ADD", outcome="ok"))
        self.assertGreaterEqual(self.value("fairlead_calls_total", protocol="cni", verb="ADD", outcome="failed"), 1)
        self.assertEqual(2, self.value("fairlead_endpoints", network="shop", runtime="cni"))
        leases = {"network": "shop", "subnet": "10.87.0.0/24"}
        self.assertEqual(3, self.value("fairlead_subnet_leases_used", **leases))
        self.assertEqual(251, self.value("fairlead_subnet_leases_free", **leases))
        self.network.delete("one")
        self.assertEqual(2, self.value("fairlead_subnet_leases_used", **leases))

    def test_volumes_and_their_health(self):
        self.host.fairlead("volume", "create", "data", "-o", "backend=dir")
        self.addCleanup(self.host.fairlead, "volume", "rm", "data")
        self.host.fairlead("snapshot", "create", "data")
        eventually(lambda: self.value("fairlead_volume_snapshots", volume="data") == 1, "the volume to be seen", 20)
        self.assertEqual(1, self.value("fairlead_volume_healthy", volume="data"))
        self.assertEqual(1, self.value("fairlead_volumes", backend="dir", condition="ok"))

    def test_repairs_are_counted_by_kind(self):
        self.containers.make("web")
        self.network.add("web")
        before = self.value("fairlead_repairs_total", kind="firewall")
        self.host.exec("nft", "flush", "ruleset")
        eventually(lambda: self.value("fairlead_repairs_total", kind="firewall") > before, "the repair to be counted")


class AtAnAddress(MetricsCase):
    @classmethod
    def setUpClass(cls):
        cls.fairleadd_options = ("--config", "/etc/fairlead/metrics.json")
        super(FairleadCase, cls).setUpClass()
        cls.host.write("/etc/fairlead/metrics.json", '{"metrics_address": "127.0.0.1:9464"}')
        cls.fairleadd = cls.host.start_fairleadd(*cls.fairleadd_options)

    def get(self, path, *options):
        return self.host.exec("curl", "--silent", "--output", "/dev/stderr", "--write-out", "%{http_code}", *options,
                              f"http://127.0.0.1:9464{path}", check=False)

    def test_only_metrics_are_there(self):
        answer = self.get("/metrics")
        self.assertEqual("200", answer.out)
        self.assertIn("fairlead_build_info{", answer.err)
        for path in ("/v1/networks", "/", "/v1/cni"):
            self.assertEqual("404", self.get(path).out)
        self.assertEqual("405", self.get("/metrics", "--request", "POST").out)


class Traffic(MetricsCase):
    def setUp(self):
        super().setUp()
        self.look()

    def look(self):
        """From the first look on, ports are counted; without a network there is no table yet."""
        self.containers.make("first")
        self.network.add("first")
        self.scrape("/metrics/traffic")

    def port_bytes(self, way):
        return self.value(f"fairlead_port_{way}_bytes_total", "/metrics/traffic", network="shop", container="web",
                          protocol="tcp", port="80")

    def endpoint_bytes(self, way):
        return self.value(f"fairlead_endpoint_{way}_bytes_total", "/metrics/traffic", network="shop", container="web")

    def assert_about(self, expected, count):
        """The kernel counts headers as well."""
        self.assertGreaterEqual(count, expected)
        self.assertLess(count, expected * 1.1)

    def test_of_a_published_port_from_outside_and_from_the_host(self):
        self.containers.make("web")
        self.network.add("web", ports=[(8080, 80)])
        count = 0
        for net in (self.host.outside, self.host.net):
            with self.serving("web", 80, MEBIBYTE):
                self.transfer(net, HOST_V4, 8080, MEBIBYTE)
            count += MEBIBYTE
            for way in ("receive", "transmit"):
                with self.subTest(way=way, of=net):
                    self.assert_about(count, self.port_bytes(way))
                    self.assert_about(count, self.endpoint_bytes(way))

    def test_what_is_not_published_counts_for_the_endpoint_alone(self):
        self.containers.make("web", "other")
        web = self.network.add("web", ports=[(8080, 81)])
        self.network.add("other")
        with self.serving("web", 80, MEBIBYTE), self.containers.net("other") as other:
            self.transfer(other, cni.address_of(web), 80, MEBIBYTE)
        self.assert_about(MEBIBYTE, self.endpoint_bytes("receive"))
        self.assertEqual(0, self.port_bytes("receive"))

    def test_a_table_that_was_made_anew_counts_from_zero(self):
        self.containers.make("web")
        self.network.add("web", ports=[(8080, 80)])
        with self.serving("web", 80, MEBIBYTE):
            self.transfer(self.host.outside, HOST_V4, 8080, MEBIBYTE)
        self.assertGreater(self.port_bytes("receive"), MEBIBYTE)
        self.host.exec("nft", "flush", "ruleset")
        self.host.fairlead("reconcile")
        self.assertEqual(0, self.port_bytes("receive"))
        self.assertGreater(self.endpoint_bytes("receive"), MEBIBYTE)
        with self.serving("web", 80, MEBIBYTE):
            self.transfer(self.host.outside, HOST_V4, 8080, MEBIBYTE)
        self.assert_about(MEBIBYTE, self.port_bytes("receive"))

    def test_the_tables_of_counters_do_not_differ_from_what_is_written(self):
        self.containers.make("web")
        self.network.add("web", ports=[(8080, 80)])
        with self.serving("web", 80, 10):
            self.transfer(self.host.outside, HOST_V4, 8080, 10)
        self.assertGreater(self.port_bytes("receive"), 0)
        self.assertEqual([], self.host.fairlead_json("status")["problems"])

    def test_before_the_first_look_nothing_is_counted(self):
        self.host.exec("nft", "flush", "ruleset")
        self.host.fairlead("reconcile")
        self.containers.make("web")
        self.network.add("web", ports=[(8080, 80)])
        with self.serving("web", 80, MEBIBYTE):
            self.transfer(self.host.outside, HOST_V4, 8080, MEBIBYTE)
        self.assertEqual(0, self.port_bytes("receive"))

    def test_switched_off_nothing_is_counted(self):
        self.host.write("/etc/fairlead/fairlead.json", '{"counters": false}')
        self.fairleadd.stop()
        self.restart_fairleadd()

        def as_before():
            self.host.path("/etc/fairlead/fairlead.json").unlink()
            self.fairleadd.stop()
            self.restart_fairleadd()
        self.addCleanup(as_before)
        self.scrape("/metrics/traffic")  # takes back what the look before it has switched on
        self.containers.make("web")
        self.network.add("web", ports=[(8080, 80)])
        with self.serving("web", 80, MEBIBYTE):
            self.transfer(self.host.outside, HOST_V4, 8080, MEBIBYTE)
        self.assertEqual(0, self.port_bytes("receive"))
        self.assert_about(MEBIBYTE, self.endpoint_bytes("receive"))
