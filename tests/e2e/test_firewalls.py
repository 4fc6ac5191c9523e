"""Other firewalls on the host: ufw, firewalld, nftables by hand, before and after Fairlead, with and without the daemon."""

import json
import shutil
import time

from support.e2e import cni
from support.e2e.case import CniCalls, HostCase
from support.e2e.host import HOST_V4, OUTSIDE_V4, OUTSIDE_V6
from support.e2e.namespaces import Pinger
from support.e2e.waiting import eventually

MINE = """table inet mine {{
  chain forward {{
    type filter hook forward priority filter; policy drop;
    ct state established accept
    {rules}
  }}
}}
"""
CLOSED = """table inet closed {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established accept
    meta l4proto ipv6-icmp accept
  }
}
"""


class OtherFirewallCase(CniCalls, HostCase):
    SUBNETS = ["10.94.0.0/24", "fd00:94::/64"]

    def setUp(self):
        super().setUp()
        self.network = cni.Network(self.host, cni.fairlead_conflist("n", subnets=self.SUBNETS))
        self._made, self._pingers = [], []
        self.addCleanup(self._tidy)

    def _tidy(self):
        for name in self._made:
            self.network.delete(name)
        self.host.fairlead("network", "rm", "n", check=False)
        self.host.exec("nft", "delete table inet mine", check=False)

    def nft(self, text):
        self.host.exec("nft", "-f", "-", data=text)

    def add(self, name):
        self.containers.make(name)
        result = self.network.add(name)
        self._made.append(name)
        return result

    def start_daemon(self):
        daemon = self.host.start_fairleadd()
        self.addCleanup(daemon.stop)
        return daemon

    def passes(self, name, address=OUTSIDE_V4):
        """By a new flow each time: a pinger that is gone may leave its number to the next one."""
        with self.host.named_net(name) as namespace:
            self._pingers.append(self.enterContext(Pinger(namespace, ":" in address)))
            return self._pingers[-1].ping(address, 0.5) is not None

    def configure(self, **keys):
        self.host.write("/etc/fairlead/fairlead.json", json.dumps(keys))
        self.addCleanup(self.host.path("/etc/fairlead/fairlead.json").unlink)

    def ruleset(self):
        return self.host.exec("nft", "-s", "list", "table", "inet", "mine").out

    def problems(self):
        return self.host.fairlead_json("status")["problems"]

    def notes(self):
        return self.host.fairlead_json("status")["notes"]


class NftByHand(OtherFirewallCase):
    def test_without_the_daemon_the_next_call_opens_it(self):
        self.add("a")
        self.assertTrue(self.passes("a"))
        self.nft(MINE.format(rules=""))
        before = self.ruleset()
        self.assertFalse(self.passes("a"))
        self.assertTrue(any("inet mine, chain forward" in line for line in self.problems()), self.problems())
        self.add("b")
        for name in ("a", "b"):
            for address in (OUTSIDE_V4, OUTSIDE_V6):
                self.assertTrue(self.passes(name, address), (name, address))
        self.assertTrue(any("inet mine, chain forward" in line for line in self.notes()), self.notes())
        self.assertEqual([], self.problems())
        self.network.delete("a")
        self.network.delete("b")
        self._made.clear()
        self.host.fairlead("network", "rm", "n")
        self.assertEqual(before, self.ruleset())

    def test_with_the_daemon_it_is_opened_within_a_second_also_after_a_reload(self):
        daemon = self.start_daemon()
        self.add("a")
        for text in (MINE.format(rules=""),
                     "flush ruleset\n" + MINE.format(rules="tcp dport 1 drop"),
                     "flush chain inet mine forward\n",
                     "add rule inet mine forward counter drop\n"):
            self.nft(text)
            start = time.monotonic()
            eventually(lambda: self.passes("a"), f"packets to pass after: {text}", 3, 0.01)
            self.assertLess(time.monotonic() - start, 2)
        self.assertIn("inet mine, chain forward", daemon.log())
        self.nft("add rule inet mine forward iifname \"fl-*\" drop\n")  # behind the rule that drops all: never asked
        self.assertTrue(self.passes("a"))
        # The admin's rule is asked before ours, although it came later.
        self.nft("flush chain inet mine forward\n")
        eventually(lambda: self.passes("a"), "packets to pass", 3)
        self.nft(f"add rule inet mine forward iifname \"fl-*\" ip daddr {OUTSIDE_V4} drop\n")
        eventually(lambda: not self.passes("a"), "the admin's rule to be asked", 3)
        self.assertTrue(self.passes("a", OUTSIDE_V6))

    def test_report_changes_nothing_and_says_what_would_help(self):
        self.nft(MINE.format(rules=""))
        before = self.ruleset()
        self.add("a")
        self.assertTrue(self.passes("a"))
        self.configure(foreign_firewalls="report")
        daemon = self.start_daemon()
        eventually(lambda: self.ruleset() == before, "our rules to go", 5)
        self.assertFalse(self.passes("a"))
        said = [line for line in self.problems() if "inet mine, chain forward" in line]
        self.assertEqual(1, len(said), self.problems())
        self.assertIn(" warn ", [line for line in daemon.log().split("\n") if "inet mine, chain forward" in line][0])
        commands = said[0].split("this opens it: ")[1]
        self.host.exec("sh", "-c", commands)
        self.assertTrue(self.passes("a"))

    def test_published_ports_are_reached_through_it(self):
        self.nft(MINE.format(rules="") + CLOSED)
        self.addCleanup(self.host.exec, "nft", "delete table inet closed", check=False)
        self.containers.make("web")
        self.network.add("web", ports=[(8080, 80)])
        self._made.append("web")
        self.host.answer_here("tcp/9")
        self.host.exec("ip", "-n", "web", "link", "set", "lo", "up")
        self.host.start("nsenter", "--net=/run/netns/web", "/run/host/answer", "web", "tcp/80", name="answer-web")
        eventually(lambda: self.host.outside.answers(HOST_V4, 8080), "the port to answer")


class LegacyBesideNft(OtherFirewallCase):
    def test_a_policy_of_iptables_legacy_is_opened_whenever_it_comes(self):
        if not self.host.exec("sh", "-c", "command -v iptables-legacy", check=False).out:
            self.skipTest("no iptables-legacy")
        self.add("a")
        self.host.exec("iptables-legacy", "-P", "FORWARD", "DROP")
        self.addCleanup(self.host.exec, "iptables-legacy", "-P", "FORWARD", "ACCEPT")
        self.assertFalse(self.passes("a"))
        self.add("b")
        self.assertTrue(self.passes("a"))
        self.start_daemon()
        self.host.exec("iptables-legacy", "-F", "FORWARD")  # of this nobody is told
        eventually(lambda: self.passes("a"), "packets to pass", 4)


class Ufw(OtherFirewallCase):
    def setUp(self):
        super().setUp()
        if not shutil.which("ufw"):
            self.skipTest("no ufw")
        self.host.exec("ufw", "--force", "enable")
        self.addCleanup(self.host.exec, "ufw", "--force", "reset")
        self.addCleanup(self.host.exec, "ufw", "--force", "disable")

    def test_its_drop_is_opened_and_its_route_rules_stay_effective(self):
        self.add("a")
        self.start_daemon()
        self.assertTrue(self.passes("a"))
        self.host.exec("ufw", "reload")
        eventually(lambda: self.passes("a"), "packets to pass after a reload", 4)
        self.host.exec("ufw", "route", "reject", "out", "on", "uplink0", "to", OUTSIDE_V4)
        self.host.answer_outside("tcp/80")
        with self.host.named_net("a") as namespace:
            self.assertFalse(namespace.answers(OUTSIDE_V4, 80, timeout=0.5))
        self.host.exec("sed", "-i", "s/^DEFAULT_FORWARD_POLICY=.*/DEFAULT_FORWARD_POLICY=\"REJECT\"/", "/etc/default/ufw")
        self.addCleanup(self.host.exec, "sed", "-i", "s/^DEFAULT_FORWARD_POLICY=.*/DEFAULT_FORWARD_POLICY=\"DROP\"/",
                        "/etc/default/ufw")
        self.host.exec("ufw", "--force", "delete", "1")
        self.host.exec("ufw", "reload")

        def answers():
            with self.host.named_net("a") as namespace:
                return namespace.answers(OUTSIDE_V4, 80, timeout=0.5)
        eventually(answers, "what ufw rejects by default to pass", 4)


class Firewalld(OtherFirewallCase):
    """The real one, with a D-Bus of its own."""

    def setUp(self):
        super().setUp()
        for program in ("firewalld", "dbus-daemon"):
            if not self.host.exec("sh", "-c", f"command -v {program}", check=False).out:
                self.skipTest(f"no {program}")
        self.host.exec("mkdir", "-p", "/run/dbus")
        bus = self.host.start("dbus-daemon", "--system", "--nofork", "--nopidfile", name="dbus")
        self.addCleanup(bus.kill)
        eventually(self.host.path("/run/dbus/system_bus_socket").exists, "the bus")
        self.firewalld = None
        self.start_firewalld()

    def start_firewalld(self):
        self.firewalld = self.host.start("firewalld", "--nofork", "--nopid", name="firewalld")
        self.addCleanup(self.firewalld.kill)
        eventually(lambda: self.host.exec("firewall-cmd", "--state", check=False).code == 0, "firewalld", 20)

    def strict(self):
        """As StrictForwardPorts=yes has it: what is translated is not accepted for that."""
        shown = self.host.exec("nft", "-a", "list", "chain", "inet", "firewalld", "filter_FORWARD").out
        for line in shown.split("\n"):
            if "ct status dnat accept" in line:
                self.nft(f"delete rule inet firewalld filter_FORWARD handle {line.split('# handle ')[1]}\n")

    def test_it_is_opened_survives_a_reload_and_is_left_as_it_was(self):
        self.containers.make("web")
        self.network.add("web", ports=[(8080, 80)])
        self._made.append("web")
        self.host.answer_here("tcp/9")
        self.host.exec("ip", "-n", "web", "link", "set", "lo", "up")
        self.host.start("nsenter", "--net=/run/netns/web", "/run/host/answer", "web", "tcp/80", name="answer-web")
        self.start_daemon()
        self.assertTrue(self.passes("web"))
        self.strict()
        eventually(lambda: self.host.outside.answers(HOST_V4, 8080), "the published port", 4)
        self.host.exec("firewall-cmd", "--reload")
        self.strict()
        # It reloads in several steps, and its program, which is asked in between, takes a second and more.
        eventually(lambda: self.host.outside.answers(HOST_V4, 8080) and self.passes("web"), "packets after a reload", 20)
        self.network.delete("web")
        self._made.clear()
        self.host.fairlead("network", "rm", "n")
        self.assertNotIn("fairlead", self.host.exec("nft", "list", "table", "inet", "firewalld").out)
        self.assertEqual("", self.host.exec("firewall-cmd", "--zone=trusted", "--list-interfaces").out.strip())
