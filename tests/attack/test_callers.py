"""Whoever may talk to a socket cannot stop the others, whatever he sends, names or leaves hanging."""

import contextlib
import json
import os
import signal
import time

from support.e2e.case import FairleadCase
from support.e2e.host import API_SOCKET, HOST_V4, PLUGIN_SOCKET
from support.e2e.waiting import eventually

NOBODY = 65534

# Opens as many connections as it is told and keeps them; says how many are open whenever its file is asked for.
FLOOD = """
import os, select, socket, sys, time
path, wanted, uid, said = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].encode()
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
if uid: os.setgroups([]); os.setgid(uid); os.setuid(uid)
kept = []
for _ in range(wanted):
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    if said:
        try: one.sendall(said)
        except OSError: pass
    kept.append(one)
print("flooded", flush=True)
while True:
    poll = select.poll()
    for one in kept: poll.register(one, 0)
    closed = {fd for fd, _ in poll.poll(0)}
    kept = [one for one in kept if one.fileno() not in closed]
    print("open", len(kept), flush=True)
    time.sleep(0.1)
"""

# Announces large bodies and sends all but their last byte.
BODIES = """
import socket, sys, time
path, number, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
kept, refused = [], 0
for _ in range(number):
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(5)
    one.connect(path)
    try:
        one.sendall(b"POST /v1/networks HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n" % size + b"{" * (size - 1))
        one.settimeout(0.02)
        refused += one.recv(100).startswith(b"HTTP/1.1 503")
    except TimeoutError: kept.append(one)
    except OSError: refused += 1
print("kept", len(kept), "refused", refused, flush=True)
time.sleep(60)
"""


class Callers(FairleadCase):
    def api(self, method, path, body=None, timeout=20, socket=API_SOCKET):
        """The status and what was answered, from a process of its own."""
        data = ["-H", "Content-Type: application/json", "-d", json.dumps(body)] if body is not None else []
        done = self.host.exec("curl", "-s", "-m", timeout, "--unix-socket", socket, "-X", method, "-w", "\n%{http_code}",
                              *data, "http://x" + path, check=False)
        text, _, status = done.out.rpartition("\n")
        return int(status), text

    def activate(self):
        return self.api("POST", "/Plugin.Activate", {}, timeout=3, socket=PLUGIN_SOCKET)[0]

    @contextlib.contextmanager
    def started(self, name, *command):
        """A program of the host's that is ended afterwards."""
        program = self.host.start(*command, name=name)
        try:
            yield program
        finally:
            program.kill()

    def script(self, name, text):
        self.host.write(f"/run/host/{name}.py", text)
        return "/usr/bin/python3", f"/run/host/{name}.py"


class SlowWork(Callers):
    """Programs that never end stand for a check of a huge image, a server that is gone, and the like."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.write("/run/host/stuck", "#!/bin/sh\necho $$ >>/run/host/stuck.pids\nexec sleep 60\n", 0o755)
        for number in range(10):
            cls.host.fairlead("volume", "create", "-o", "size=16m", "-o", "backend=image", f"v{number}")
        cls.host.fairlead("volume", "create", "plain")
        cls.host.exec("mount", "--bind", "/run/host/stuck", cls.host.exec("which", "e2fsck").out.strip())

    def checks(self):
        """More checks than there are workers for them; none of them ends."""
        for number in range(10):
            self.host.start("curl", "-s", "-m", 60, "--unix-socket", API_SOCKET, "-X", "POST", "-H",
                            "Content-Type: application/json", "-d", "{}", f"http://x/v1/volumes/v{number}/check",
                            name=f"check{number}", may_end=True)
        eventually(lambda: len(self.stuck()) >= 6, "the checks to hang")

    def stuck(self):
        with contextlib.suppress(FileNotFoundError):
            return self.host.path("/run/host/stuck.pids").read_text().split()
        return []

    def test_long_work_delays_neither_networks_nor_volumes_and_sigterm_ends_it(self):
        self.checks()
        self.assertEqual(200, self.activate())
        self.assertEqual(201, self.api("POST", "/v1/networks", {"name": "net"}, timeout=3)[0])
        self.assertEqual(200, self.api("GET", "/v1/volumes/plain", timeout=3)[0])
        self.assertEqual(200, self.api("POST", "/v1/volumes/plain/mount", {"id": "c1"}, timeout=3)[0])
        self.assertEqual(0, self.api("POST", "/v1/volumes/plain/snapshots", {}, timeout=0.5)[0],
                         "the control: all workers for long work are taken")
        self.assertEqual(0, self.host.exec("kill", "-0", *self.stuck()[:6]).code)
        start = time.monotonic()
        self.fairleadd.stop()
        self.assertLess(time.monotonic() - start, 5)
        for pid in self.stuck():
            self.assertNotEqual(0, self.host.exec("kill", "-0", pid, check=False).code, "what was started was killed")
        self.restart_fairleadd()
        self.assertEqual(200, self.activate())


class Stopping(Callers):
    def test_sigterm_ends_it_while_it_starts(self):
        """It waits for a program that hangs, and nothing answers yet."""
        self.host.fairlead("network", "create", "net")
        self.host.exec("iptables-legacy", "-P", "FORWARD", "DROP")  # its rules are read by its own program
        self.fairleadd.stop()
        self.host.write("/run/host/stuck", "#!/bin/sh\necho $$ >>/run/host/stuck.pids\nexec sleep 60\n", 0o755)
        tool = self.host.exec("readlink", "-f", "/usr/sbin/iptables-legacy").out.strip()
        self.host.exec("mount", "--bind", "/run/host/stuck", tool)
        try:
            starting = self.host.launch_fairleadd()
            eventually(self.host.path("/run/host/stuck.pids").exists, "it to hang")
            os.kill(starting.pid, signal.SIGTERM)
            start = time.monotonic()
            starting.wait(10)
            self.assertLess(time.monotonic() - start, 5)
            self.assertGreater(time.monotonic() - start, 1, "the control: it did hang")
        finally:
            self.host.exec("umount", tool)
            self.host.exec("iptables-legacy", "-P", "FORWARD", "ACCEPT")
            self.host.fairlead("network", "rm", "net")
            self.restart_fairleadd()

    def test_sigterm_ends_it_with_requests_that_hang(self):
        """A peer that sends half a request, one that reads no answer, and one that follows events."""
        for name, said in {"half": "POST /v1/networks HTTP/1.1\\r\\nX: ", "events": "GET /v1/events HTTP/1.1\\r\\n\\r\\n"}.items():
            flood = self.host.start(*self.script("flood", FLOOD), API_SOCKET, 20, 0,
                                    said.encode().decode("unicode_escape"), name=name)
            self.addCleanup(flood.kill)
            eventually(lambda flood=flood: "flooded" in flood.log(), name)
        self.fairleadd.signal(signal.SIGUSR1)  # which it uses itself
        start = time.monotonic()
        self.assertEqual(0, self.fairleadd.stop())
        self.assertLess(time.monotonic() - start, 5)
        self.restart_fairleadd()

    def test_sigterm_ends_it_while_etcd_is_away(self):
        """The members of etcd are where nobody answers, and the agent of the cluster waits for them."""
        self.fairleadd.stop()
        self.host.write("/etc/fairlead/fairlead.json", json.dumps({"cluster": {"etcd": ["http://203.0.113.77:2379"],
                                                                               "address": HOST_V4}}))
        try:
            waiting = self.host.start_fairleadd()
            self.host.start("curl", "-s", "-m", 30, "--unix-socket", API_SOCKET, "http://x/v1/hosts", name="hosts", may_end=True)
            self.assertEqual(200, self.activate())
            start = time.monotonic()
            waiting.stop()
            self.assertLess(time.monotonic() - start, 5)
        finally:
            self.host.path("/etc/fairlead/fairlead.json").unlink()
            self.restart_fairleadd()


class Floods(Callers):
    def open_connections(self, flood):
        return int(flood.log().rpartition("open ")[2].split()[0])

    def test_idle_connections_of_one_shut_nobody_out(self):
        self.host.exec("chmod", "666", API_SOCKET)
        self.addCleanup(self.host.exec, "chmod", "660", API_SOCKET)
        for uid in (0, NOBODY):
            with self.subTest(uid=uid), self.started(f"flood{uid}", *self.script("flood", FLOOD), API_SOCKET, 3000, uid, "") as flood:
                eventually(lambda flood=flood: "open " in flood.log(), "the flood", 20)
                self.assertEqual(200, self.api("GET", "/v1/version", timeout=3)[0])
                self.assertEqual(200, self.activate())
                eventually(lambda flood=flood: self.open_connections(flood) <= 512, "the flood to be cut to its share")
                self.assertGreater(self.open_connections(flood), 300, "the control: it does hold connections")
                self.assertLess(self.fairleadd.open_files(), 2000)

    def test_requests_that_never_end_shut_nobody_out(self):
        with self.started("slow", *self.script("flood", FLOOD), API_SOCKET, 2000, 0, "POST /v1/networks HTTP/1.1") as flood:
            eventually(lambda: "open " in flood.log(), "the flood", 20)
            self.assertEqual(200, self.api("GET", "/v1/version", timeout=3)[0])
            self.assertEqual(200, self.activate())

    def test_bodies_of_one_take_neither_the_memory_nor_the_room_of_others(self):
        before = self.fairleadd.resident_kib()
        with self.started("bodies", *self.script("bodies", BODIES), API_SOCKET, 100, 2_000_000) as bodies:
            eventually(lambda: "refused" in bodies.log(), "the bodies", 30)
            kept, refused = (int(word) for word in bodies.log().split()[1::2])
            self.assertGreater(kept, 4, "the control: bodies are kept")
            self.assertGreater(refused, 80)
            self.assertLess(self.fairleadd.resident_kib() - before, 40 << 10)
            status, text = self.api("POST", "/v1/networks", {"name": "net", "labels": {"a": "x" * 100_000}})
            self.assertNotEqual(503, status, text)


class Paths(Callers):
    """What a caller names may be anything; opening it never blocks."""

    def test_a_fifo_as_a_namespace_is_refused_at_once_and_the_daemon_can_end(self):
        self.host.fairlead("network", "create", "net")
        self.host.exec("mkfifo", "/run/host/fifo")
        for number in range(13):  # more than there are workers
            status, text = self.api("POST", "/v1/endpoints", {"network": "net", "container": f"c{number}", "ifname": "eth0",
                                                              "netns": "/run/host/fifo"})
            self.assertIn("no network namespace", text, status)
        self.assertEqual([], self.host.endpoints())
        self.host.fairlead("network", "rm", "net")
        self.assertEqual(0, self.fairleadd.stop())
        self.restart_fairleadd()

    def refused(self, *arguments):
        done = self.host.fairlead(*arguments, check=False)  # a hang fails by the time that exec() allows
        self.assertNotEqual(0, done.code, arguments)
        return done.err

    def test_fifos_in_place_of_files_are_refused_by_the_command_line(self):
        self.host.exec("mkfifo", "/run/host/pipe")
        self.host.fairlead("volume", "create", "data")
        self.host.write("/run/host/key", "0" * 32, 0o600)
        self.assertIn("named pipe", self.refused("network", "create", "-f", "/run/host/pipe"))
        self.assertIn("named pipe", self.refused("volume", "import", "other", "/run/host/pipe"))
        self.assertIn("named pipe", self.refused("volume", "export", "-o", "/run/host/pipe", "data"))
        self.refused("volume", "backup", "data", "--to", "/run/host/pipe")
        self.refused("volume", "restore", "data", "--from", "/run/host/pipe", "--as", "other")

    def test_fifos_in_a_backup_folder_are_refused(self):
        self.host.exec("sh", "-c", "echo data >/run/host/file && tar -C /run/host -cf /run/host/file.tar file")
        self.host.fairlead("volume", "import", "kept", "/run/host/file.tar")
        for name in ("lock", "packs", "backups", "marker"):
            folder = f"/run/host/backup-{name}"
            self.host.fairlead("volume", "backup", "kept", "--to", folder)
            found = {"lock": "lock", "marker": "."}.get(name)
            top = self.host.path(folder)
            if name in ("packs", "backups"):
                found = f"{name}/{next((top / name).iterdir()).name}"
            if name == "marker":
                found = next(path.name for path in top.iterdir() if path.is_file() and path.name != "lock")
            (top / found).unlink()
            os.mkfifo(top / found)
            with self.subTest(found):
                if name != "lock":  # a copy on a read-only medium may have none
                    self.refused("volume", "restore", "kept", "--from", folder, "--as", "other")
                if name in ("lock", "marker"):
                    self.refused("volume", "backup", "kept", "--to", folder)
