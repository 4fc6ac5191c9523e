"""`fairlead doctor`: faults that are planted are found, told in words, and mended where that is promised; a healthy host has none."""

import contextlib
import json
import shutil
import socket
import threading
import unittest

from support.e2e import cni
from support.e2e.case import CniCalls, FairleadCase, HostCase
from support.e2e.host import API_SOCKET, PLUGIN_SOCKET, UPLINK, bin_folder
from support.e2e.waiting import eventually

# Notes about what the kernel of the machine lacks say nothing about the host.
ABOUT_THE_MACHINE = {"kernel-features"}
FINE, WARNINGS, PROBLEMS, UNKNOWN = 0, 1, 2, 3
CONFIG = "/etc/fairlead/fairlead.json"
STATE = "/var/lib/fairlead"


# Makes the record of a network one of tomorrow.
MAKE_LATER = """
import json, sqlite3, sys, time
database = sqlite3.connect(sys.argv[1])
key, text = database.execute("SELECT key, value FROM record WHERE key LIKE 'network/%'").fetchone()
record = json.loads(text)
assert "created" in record, record
record["created"] = int(time.time()) + 86400
database.execute("UPDATE record SET value = ? WHERE key = ?", (json.dumps(record), key))
database.commit()
"""


class Asking:
    """Beside a HostCase: sentences about what the doctor says."""

    def configure(self, **settings):
        self.host.write(CONFIG, json.dumps({"api_group": "root", **settings}))

    def ask(self, *arguments, env=None):
        """The exit code and the document."""
        said = self.host.fairlead("doctor", "--json", *arguments, check=False, env=env)
        self.assertTrue(said.out, said.err)
        return said.code, json.loads(said.out)

    def findings(self, *arguments, env=None):
        document = self.ask(*arguments, env=env)[1]
        return [each for each in document["findings"] if each["id"] not in ABOUT_THE_MACHINE]

    def expect(self, check, *words, severity, fixable=False, options=(), env=None):
        """Exactly one finding of the check, with these words; the exit code is of its severity."""
        code, document = self.ask(*options, check, env=env)
        found = document["findings"]
        self.assertEqual([check], [each["id"] for each in found], document)
        finding = found[0]
        text = " ".join([finding["wrong"], finding["why"], finding["mend"]])
        for word in words:
            self.assertIn(word, text)
        self.assertEqual((severity, fixable), (finding["severity"], finding["fixable"]), finding)
        self.assertEqual({"problem": PROBLEMS, "warning": WARNINGS, "note": FINE}[severity], code)
        self.assertEqual([check], document["checks"])
        return finding

    def expect_nothing(self, *checks, options=()):
        code, document = self.ask(*options, *checks)
        self.assertEqual([], document["findings"])
        self.assertEqual([], document["unseen"])
        self.assertEqual(FINE, code)

    def mend(self, check, *words):
        """--fix says what it did, and the check finds nothing then."""
        code, document = self.ask("--fix", check)
        self.assertEqual([], document["failed"])
        self.assertEqual([], document["findings"], document)
        self.assertEqual(FINE, code)
        done = " ".join(document["mended"])
        for word in words:
            self.assertIn(word, done)
        self.expect_nothing(check)

    def sysctl(self, name, value):
        self.host.exec("sysctl", "-q", "-w", f"{name}={value}")

    def sysctl_of(self, name):
        return self.host.exec("sysctl", "-n", name).out.strip()


class WithTheDaemon(Asking, CniCalls, FairleadCase):
    """A host in use: a network with a container that publishes a port, a volume, fairleadd."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write(CONFIG, json.dumps({"api_group": "root"}))
        cls.fairleadd.stop()
        cls.fairleadd = cls.host.start_fairleadd()

    def setUp(self):
        super().setUp()
        self.containers.make("web")
        self.network = cni.Network(self.host, cni.fairlead_conflist("shop", subnet="10.89.0.0/24"))
        self.network.add("web", ports=[(8080, 80)])
        self.host.fairlead("volume", "create", "data")
        self.addCleanup(self.tidy)

    def tidy(self):
        self.network.delete("web")
        self.remove_networks()
        self.host.fairlead("volume", "rm", "-f", "data")

    def test_a_healthy_host_has_nothing(self):
        code, document = self.ask()
        self.assertEqual([], [each for each in document["findings"] if each["id"] not in ABOUT_THE_MACHINE])
        self.assertEqual([], document["unseen"])
        self.assertEqual((FINE, "fine"), (code, document["result"]))
        self.assertGreaterEqual(len(document["checks"]), 25)
        by_api = json.loads(self.host.exec("curl", "--silent", "--fail-with-body", "--unix-socket", API_SOCKET,
                                           "http://localhost/v1/doctor").out)
        self.assertEqual(document, by_api)
        said = self.host.fairlead("doctor", "mtu").out
        self.assertEqual("1 check: all is well\n", said)

    def test_only_what_is_asked_for_and_by_its_name(self):
        listed = self.host.fairlead_json("doctor", "--list")
        self.assertEqual([each["id"] for each in listed], self.ask()[1]["checks"])
        said = self.host.fairlead("doctor", "disk-spce", check=False)
        self.assertEqual(UNKNOWN, said.code)
        self.assertIn('did you mean "disk-space"?', said.err)
        self.assertEqual(2, self.host.fairlead("doctor", "--fixx", check=False).code)

    def test_who_is_not_root_asks_the_daemon(self):
        as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", bin_folder() / "fairlead", "doctor")
        refused = self.host.exec(*as_nobody, check=False)
        self.assertEqual(UNKNOWN, refused.code, refused.out)
        self.assertIn("use sudo", refused.err)
        self.host.path(API_SOCKET).chmod(0o666)
        self.addCleanup(self.host.path(API_SOCKET).chmod, 0o660)
        self.assertEqual("1 check: all is well\n", self.host.exec(*as_nobody, "mtu").out)
        self.assertEqual(UNKNOWN, self.host.exec(*as_nobody, "--fix", check=False).code)

    def test_overlap(self):
        self.host.exec("ip", "link", "add", "tun9", "type", "veth", "peer", "name", "tun9-peer")
        self.addCleanup(self.host.exec, "ip", "link", "del", "tun9")
        self.host.exec("ip", "addr", "add", "10.89.0.77/24", "dev", "tun9")
        self.host.exec("ip", "link", "set", "tun9", "up")
        self.expect("subnet-overlap", "tun9", "10.89.0.0/24", severity="problem")

    def test_mtu(self):
        self.host.exec("ip", "link", "set", UPLINK, "mtu", "1280")
        self.addCleanup(self.host.exec, "ip", "link", "set", UPLINK, "mtu", "1500")
        self.expect("mtu", "1500 bytes", "1280", "-o mtu=1280", severity="warning")

    def test_port_of_another_program(self):
        server = self.host.answer_here("tcp/8080")
        self.addCleanup(server.stop)
        eventually(lambda: "8080" in self.host.exec("ss", "-ltn").out, "the program to listen")
        self.expect("ports-taken", "8080/tcp", "container web", "answer", severity="warning")

    def test_other_way(self):
        self.host.add_uplink("second", "uplink1", ("203.0.114.2", "203.0.114.1"))
        self.addCleanup(self.host.exec, "ip", "netns", "del", "second")
        self.host.exec("ip", "route", "add", "default", "via", "203.0.114.1", "metric", "500")
        self.sysctl("net.ipv4.conf.uplink1.rp_filter", 1)
        self.expect("reverse-path", "uplink1", severity="warning")
        self.sysctl("net.ipv4.conf.uplink1.rp_filter", 2)
        self.expect_nothing("reverse-path")

    def test_connections(self):
        before = self.sysctl_of("net.netfilter.nf_conntrack_max")
        machine = open("/proc/sys/net/netfilter/nf_conntrack_max", encoding="ascii").read().strip()
        self.host.exec("sysctl", "-q", "-w", "net.netfilter.nf_conntrack_max=4", check=False)
        if open("/proc/sys/net/netfilter/nf_conntrack_max", encoding="ascii").read().strip() != machine:
            self.host.exec("sysctl", "-q", "-w", f"net.netfilter.nf_conntrack_max={before}")
            self.fail("the limit of the machine was changed")
        if self.sysctl_of("net.netfilter.nf_conntrack_max") != "4":
            self.skipTest("this kernel has one limit for all namespaces")
        self.addCleanup(self.sysctl, "net.netfilter.nf_conntrack_max", before)
        for _ in range(4):
            self.host.exec("ping", "-c1", "-W1", "203.0.113.1", check=False)
        self.expect("conntrack", "nf_conntrack_max", "% full", severity="problem")

    def test_clock(self):
        self.host.exec("mkdir", "-p", "/run/host/backups")
        self.host.fairlead("volume", "create", "-o", "backup=daily:7@/run/host/backups", "kept")
        self.addCleanup(self.host.fairlead, "volume", "rm", "-f", "kept")
        synchronised = self.host.exec("python3", "-c", "import ctypes; l = ctypes.CDLL(None); "
                                      "print(l.adjtimex(ctypes.create_string_buffer(400)))").out.strip() != "5"
        if synchronised:
            self.expect_nothing("clock")
        else:
            self.expect("clock", "NTP", severity="warning")

    def test_volume_without_data(self):
        volume = self.host.fairlead_json("volume", "inspect", "data")[0]
        self.host.exec("mv", f"{STATE}/volumes/vol/{volume['state']['id']}", "/run/host/away")
        try:
            self.expect("volumes", "Volume data", severity="problem")
        finally:
            self.host.exec("mv", "/run/host/away", f"{STATE}/volumes/vol/{volume['state']['id']}")

    def test_left_mount(self):
        place = f"{STATE}/volumes/vol/{'0123456789abcdef' * 2}"
        self.host.exec("mkdir", "-p", place)
        self.host.exec("mount", "-t", "tmpfs", "none", place)
        self.addCleanup(self.host.exec, "rmdir", place)
        self.addCleanup(self.host.exec, "umount", place)
        self.expect("leftovers", place, "umount", severity="warning")

    def test_folder_that_others_write_into(self):
        folder, database = self.host.path(STATE), self.host.path(STATE + "/state.db")
        folder.chmod(0o777)
        self.expect("state-folder", "write into", "chmod", severity="problem", fixable=True)
        self.mend("state-folder", STATE)
        self.assertEqual(0o755, folder.stat().st_mode & 0o777)
        database.chmod(0o644)
        self.expect("state-folder", "state.db", severity="warning", fixable=True)
        self.mend("state-folder", "state.db")
        self.assertEqual(0o600, database.stat().st_mode & 0o777)

    def test_other_version(self):
        self.serve("/run/other/api.sock", {"version": "0.0.1", "api": "v1"})
        self.expect("versions", "0.0.1", severity="warning", options=("--run-dir", "/run/other"))
        self.expect_nothing("daemon", options=("--run-dir", "/run/other"))

    def serve(self, path, document):
        """Answers every call at a socket of the host with a document."""
        target = self.host.path(path)
        target.parent.mkdir(exist_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(target))
        server.listen()
        body = json.dumps(document).encode()

        def run():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        if connection.recv(4096):
                            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                                               b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(lambda: server.shutdown(socket.SHUT_RDWR))
        self.addCleanup(target.unlink)

    def test_units(self):
        self.host.exec("mkdir", "-p", "/run/systemd/system", "/run/host/bin")
        self.addCleanup(self.host.exec, "rm", "-r", "/run/systemd")
        self.host.write("/run/host/bin/systemctl", "#!/bin/sh\n[ $1 = is-enabled ] && echo disabled || echo active\n", 0o755)
        path = {"PATH": "/run/host/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        found = self.findings("units", env=path)
        self.assertEqual(["units"] * 2, [each["id"] for each in found])
        self.assertIn("systemctl enable fairleadd.service", found[0]["mend"])
        self.assertIn("reboot", found[0]["why"])

    def test_file_that_leads_docker_astray(self):
        self.host.write("/etc/docker/plugins/fairlead.spec", "unix:///run/elsewhere.sock\n")
        self.addCleanup(self.host.exec, "rm", "/etc/docker/plugins/fairlead.spec")
        self.expect("docker-plugin", "unix:///run/elsewhere.sock", "/etc/docker/plugins/fairlead.spec", severity="warning")
        self.host.write("/etc/docker/plugins/fairlead.spec", f"unix://{PLUGIN_SOCKET}\n")
        self.expect_nothing("docker-plugin")

    def test_cni_plugin(self):
        plugin = self.host.path("/opt/cni/bin/fairlead")
        plugin.unlink()  # a link to what was built
        shutil.copy(bin_folder() / "fairlead-cni", plugin)
        self.expect_nothing("cni-plugin")
        self.host.write("/etc/cni/net.d/10-shop.conflist", json.dumps(cni.fairlead_conflist("shop")))
        self.addCleanup(self.host.exec, "rm", "/etc/cni/net.d/10-shop.conflist")
        with open(plugin, "ab") as file:
            file.write(b"\0")
        self.expect("cni-plugin", "/opt/cni/bin/fairlead", "fairlead cni install", severity="warning", fixable=True)
        self.mend("cni-plugin", "/opt/cni/bin/fairlead: replaced")
        plugin.unlink()
        self.expect("cni-plugin", "10-shop.conflist", severity="problem", fixable=True)
        self.mend("cni-plugin", "installed")
        self.assertTrue(plugin.is_file())

    def test_podman_plugin(self):
        self.host.write("/etc/containers/networks/shop.json", json.dumps({"name": "shop", "driver": "fairlead"}))
        self.addCleanup(self.host.exec, "rm", "/etc/containers/networks/shop.json")
        if any(self.host.path(f"{folder}/fairlead").exists() for folder in ("/usr/libexec/netavark", "/usr/lib/netavark")):
            self.skipTest("Podman's plugin is installed on this machine")
        finding = self.findings("podman-plugin")[0]
        self.assertEqual("problem", finding["severity"])
        self.assertIn("fairlead podman install", finding["mend"])

    def test_group(self):
        self.host.write("/run/host/group.json", json.dumps({"api_group": "nobodys"}))
        self.expect("api-group", "nobodys", "groupadd", severity="note", options=("--config", "/run/host/group.json"))

    def test_configuration(self):
        self.host.write("/run/host/bad.json", json.dumps({"api_grup": "root"}))
        self.expect("configuration", "api_grup", "api_group", severity="problem", options=("--config", "/run/host/bad.json"))

    def test_daemon_that_hangs(self):
        with self.fairleadd.paused():
            self.expect("daemon", "does not answer", "systemctl restart fairleadd", severity="problem")


class OtherPlaces(Asking, HostCase):
    """Databases on disks of their own, with no daemon."""

    def setUp(self):
        super().setUp()
        self.configure()

    def on_a_disk(self, options):
        """Arguments for a database on a small disk of its own."""
        where = "/run/host/disk"
        self.host.exec("mkdir", "-p", where)
        self.host.exec("mount", "-t", "tmpfs", "-o", options, "small", where)
        self.addCleanup(self.host.exec, "umount", where)
        place = ("--state-dir", where + "/state")
        self.host.fairlead(*place, "network", "create", "--internal", "small")
        self.addCleanup(self.host.fairlead, *place, "network", "rm", "-f", "small")
        return place, where

    def test_full(self):
        place, where = self.on_a_disk("size=16m")
        self.expect_nothing("disk-space", options=place)
        self.host.exec("fallocate", "-l", "13800k", where + "/much")
        self.expect("disk-space", "% full", "the database", severity="warning", options=place)
        self.host.exec("rm", where + "/much")
        self.expect_nothing("disk-space", options=place)

    def test_no_more_files(self):
        place, where = self.on_a_disk("size=16m,nr_inodes=200")
        self.host.exec("sh", "-c", f"for i in $(seq 180); do : > {where}/$i || exit 0; done")
        self.expect("disk-space", "inodes", "files", severity="warning", options=place)
        self.host.exec("sh", "-c", f"rm {where}/[0-9]*")

    def test_read_only(self):
        place, where = self.on_a_disk("size=16m")
        self.host.exec("mount", "-o", "remount,ro", where)
        finding = self.findings(*place, "state-database")[0]
        self.assertIn("read-only", finding["wrong"] + finding["why"])
        self.assertEqual("problem", finding["severity"])
        self.host.exec("mount", "-o", "remount,rw", where)
        self.expect_nothing("state-database", options=place)

    def test_reserve(self):
        place, where = self.on_a_disk("size=16m")
        self.host.exec("truncate", "-s", "0", where + "/state/state.db-reserve")
        self.expect("reserve", "0 KiB are left", severity="warning", options=place)

    def test_damaged(self):
        self.host.write("/run/host/damaged/state.db", "this is no database, and long enough to be looked at " * 100)
        self.expect("state-database", "state.db", "fairlead volume recover", severity="problem",
                    options=("--state-dir", "/run/host/damaged"))

    def test_record_from_the_future(self):
        place, where = self.on_a_disk("size=16m")
        self.host.exec("python3", "-c", MAKE_LATER, where + "/state/state.db")
        self.expect("clock", "network small", "date", severity="warning", options=place)


class WithoutTheDaemon(Asking, CniCalls, FairleadCase):
    """What the daemon would mend at once is mended by --fix."""

    def setUp(self):
        super().setUp()
        self.configure()
        if not self.fairleadd.running():
            self.restart_fairleadd()
        self.containers.make("web")
        self.network = cni.Network(self.host, cni.fairlead_conflist("shop", subnet="10.89.0.0/24"))
        self.network.add("web")
        self.fairleadd.stop()
        self.addCleanup(self.tidy)

    def tidy(self):
        if not self.fairleadd.running():
            self.configure()
            self.restart_fairleadd()
        self.network.delete("web")
        self.remove_networks()

    def test_it_is_away(self):
        finding = self.expect("daemon", "does not run", "systemctl enable --now", severity="problem")
        self.assertIn("Containers that run go on", finding["why"])

    def test_killed(self):
        self.restart_fairleadd()
        self.fairleadd.kill()
        self.expect("docker-plugin", PLUGIN_SOCKET, "nobody listens", severity="warning", fixable=True)
        self.mend("docker-plugin", PLUGIN_SOCKET)
        self.assertFalse(self.host.path(PLUGIN_SOCKET).exists())

    def test_forwarding(self):
        self.sysctl("net.ipv4.ip_forward", 0)
        self.expect("forwarding", "IPv4", "shop", severity="problem", fixable=True)
        self.mend("forwarding")
        self.assertEqual("1", self.sysctl_of("net.ipv4.ip_forward"))

    def test_bridge_that_is_gone(self):
        bridge = self.host.networks()[0]["state"]["bridge"]
        self.host.exec("ip", "link", "del", bridge)
        found = self.findings("networks")
        self.assertTrue(any(bridge in each["wrong"] and each["fixable"] for each in found), found)
        self.mend("networks", bridge)

    def test_left_link(self):
        self.host.exec("ip", "link", "add", "flh0123456789ab", "type", "veth", "peer", "name", "left")
        self.expect("leftovers", "flh0123456789ab", severity="warning", fixable=True)
        self.mend("leftovers", "flh0123456789ab")
        self.assertNotIn("flh0123456789ab", self.host.exec("ip", "link").out)

    def other_firewall(self):
        self.host.exec("nft", "add table ip other; add chain ip other forward { type filter hook forward priority 0; policy drop; }")
        self.addCleanup(self.host.exec, "nft", "delete", "table", "ip", "other")

    def test_other_firewall(self):
        self.other_firewall()
        self.expect("foreign-drops", "other", "forward", severity="problem", fixable=True)
        self.mend("foreign-drops")

    def test_other_firewall_that_is_only_reported(self):
        self.configure(foreign_firewalls="report")
        self.other_firewall()
        self.expect("foreign-drops", "other", "foreign_firewalls", severity="problem")
        if "bridge-nf-call-iptables" not in self.host.exec("sysctl", "-a", check=False).out:
            return
        self.sysctl("net.bridge.bridge-nf-call-iptables", 1)
        self.expect("bridge-netfilter", "br_netfilter", severity="warning")
        self.sysctl("net.bridge.bridge-nf-call-iptables", 0)
        self.expect_nothing("bridge-netfilter")

    def test_few_open_files(self):
        limited = self.host.start("prlimit", "--nofile=300:300", bin_folder() / "fairleadd", name="fairleadd-limited")
        self.addCleanup(limited.stop)
        self.host.await_fairleadd(limited)
        self.expect("limits", "300 files", "LimitNOFILE", severity="warning")

    def test_etcd_that_is_away(self):
        self.configure(cluster={"etcd": ["http://203.0.113.2:2379"]})
        self.restart_fairleadd()
        self.addCleanup(self.fairleadd.stop)
        found = self.findings("etcd")
        self.assertEqual("problem", found[0]["severity"])
        self.assertIn("http://203.0.113.2:2379 does not answer", found[0]["wrong"])


if __name__ == "__main__":
    unittest.main()
