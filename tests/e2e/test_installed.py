"""From Debian's package, on a machine that boots systemd: what it installs works, updates lose nothing, purge leaves nothing."""

import json
import socket
import threading
import time
import unittest

from support.e2e import cni, debs
from support.e2e.case import PluginCalls
from support.e2e.docker import Docker, stand_in
from support.e2e.host import API_SOCKET, FAIRLEAD_SOCKETS, HOST_V4, PLUGIN_SOCKET, have_fairlead
from support.e2e.machine import Disk, Machine
from support.e2e.waiting import eventually

SERVICE, SOCKETS = "fairleadd.service", "fairleadd.socket"


class DockerOfSystemd(Docker):
    """dockerd as its own package starts it."""

    def start(self, deadline=60):
        self.host.systemctl("enable", "--now", "docker.service")
        return self.await_ready(deadline)

    def await_ready(self, deadline=60):
        eventually(lambda: self("version", check=False).code == 0, "dockerd to answer", deadline, pause=0.1)
        return self

    def running(self, name):
        return self.inspect("container", name)["State"]["Status"] == "running"


class MachineCase(unittest.TestCase):
    """A machine for each test, with a disk of its own."""

    needs_docker = True

    def setUp(self):
        super().setUp()
        if stand_in() or not have_fairlead():
            self.skipTest("Fairlead's own packages are tested")
        self.package = debs.package()
        self.disk = Disk()
        self.addCleanup(self.disk.remove)
        self.machine = Machine(self.disk)
        self.addCleanup(lambda: self.machine.close())

    def fairlead(self, *arguments, check=True):
        return self.machine.exec("/usr/bin/fairlead", *arguments, check=check)

    def await_active(self, unit=SERVICE):
        eventually(lambda: self.machine.is_active(unit), f"{unit} to be active", 30)


class Installed(PluginCalls, MachineCase):
    @property
    def host(self):
        return self.machine

    def test_it_runs_after_the_installation_and_nothing_of_it_is_left_after_purge(self):
        before = self.everything()
        self.machine.install(self.package)
        for unit in (SERVICE, SOCKETS):
            self.assertTrue(self.machine.is_active(unit), self.machine.journal(unit))
            self.assertEqual("enabled", self.machine.systemctl("is-enabled", unit).out.strip())
        modes = self.machine.exec("stat", "--format", "%a %U %G", *FAIRLEAD_SOCKETS).out.split("\n")
        self.assertEqual(["600 root root", "660 root fairlead"], modes[:2])
        self.check_verbs()
        # remove: what is there stays, and the next installation goes on with it.
        self.machine.exec("dpkg", "--remove", "fairlead")
        for path in FAIRLEAD_SOCKETS:
            self.assertFalse(self.machine.path(path).exists())
        self.assertFalse(self.machine.path("/opt/cni/bin/fairlead").is_symlink())
        self.machine.install(self.package)
        self.assertEqual(["shop"], [each["name"] for each in json.loads(self.fairlead("network", "ls", "--json").out)])
        self.assertEqual("kept", self.mounted("data", "again").joinpath("note").read_text())
        # purge, with all of it in use: networks, rules, links, volumes.
        image = next(self.machine.path("/var/lib/fairlead/volumes/vol").glob("*/disk.img")).stat().st_ino
        self.assertIn(str(image), self.loop_files())
        self.machine.exec("dpkg", "--purge", "fairlead")
        self.assertNotIn(str(image), self.loop_files())
        after = self.everything()
        for name, lines in before.items():
            self.assertEqual((set(), set()), (lines - after[name], after[name] - lines), name)

    def test_the_example_comes_and_goes_without_a_trace(self):
        self.machine.write("/root/examples/install.sh", (debs.REPOSITORY / "examples/install.sh").read_text(), mode=0o755)
        self.machine.path("/root/fairlead.deb").write_bytes(self.package.read_bytes())
        said = self.machine.exec("/root/examples/install.sh", "--deb", "/root/fairlead.deb", timeout=300).out
        self.assertIn("ok    without a trace", said)
        self.assertIn("10.79.0.2", said)

    def check_verbs(self):
        """As the daemon may do it under its unit: bridges, rules, loop devices, file systems, mounts, namespaces of others."""
        self.fairlead("network", "create", "--subnet", "10.70.0.0/24", "shop")
        containers = cni.Containers(self.machine)
        for program in ("/opt/cni/bin", "/usr/lib/cni"):
            name = program.strip("/").replace("/", "-")
            containers.make(name)
            network = cni.Network(self.machine, cni.fairlead_conflist("shop", "10.70.0.0/24"))
            network.add(name, env={"CNI_PATH": program}, ports=[(8080, 80)] if program.startswith("/opt") else [])
        self.assertEqual(2, len(json.loads(self.fairlead("endpoint", "ls", "--json").out)))
        self.assertIn("8080", self.fairlead("port", "ls").out)
        self.fairlead("volume", "create", "data")
        self.mounted("data", "first").joinpath("note").write_text("kept")
        self.done("VolumeDriver.Create", Name="image", Opts={"size": "64m"})
        self.assertTrue(self.mounted("image", "first").parent.is_mount())
        self.fairlead("snapshot", "create", "data", "monday")

    def everything(self):
        """Names and numbers of all that a package, a service and their user could leave."""
        said = {name: self.machine.exec(*command).out for name, command in {
            "files": ("find", "/usr", "/etc", "/opt", "/lib/systemd", "/var/lib", "/run", "-xdev", "-not", "-path", "/var/lib/dpkg*",
                      "-not", "-path", "/run/host*", "-not", "-path", "/var/lib/docker*", "-not", "-path", "*/journal/*", "-not", "-path",
                      "/run/systemd/*", "-not", "-path", "/var/lib/systemd/*", "-not", "-name", "*.cache*"),
            "groups": ("getent", "group"), "users": ("getent", "passwd"), "links": ("ip", "-oneline", "-brief", "link"),
            "rules": ("ip", "rule"), "rules of IPv6": ("ip", "-6", "rule"), "routes": ("ip", "route", "show", "table", "all"),
            "tables": ("nft", "list", "tables"), "units": ("systemctl", "list-unit-files", "--no-legend", "--no-pager"),
            "mounts": ("findmnt", "--noheadings", "--raw", "--output", "TARGET"),
        }.items()}
        return {name: {line for line in text.split("\n") if not self.is_elsewhere(line)} for name, text in said.items()}

    @staticmethod
    def is_elsewhere(line):
        """Of the test itself, or of others' packages."""
        return "/run/netns/" in line or line in ("/run/netns", "/run/adduser", "/run/docker", "/run/docker/plugins", "/var/lib/cni")

    def loop_files(self):
        return self.machine.exec("losetup", "--noheadings", "--list", "--output", "BACK-INO").out.split()


class Traffic:
    """Keeps asking on a thread of its own, one question after the other; counts the answers and keeps the failures, with their times."""

    def __init__(self, ask, pause=0.002):
        self.answered, self.failures, self.longest = 0, [], 0.0
        self._ask, self._pause, self._over = ask, pause, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._over.is_set():
            start = time.monotonic()
            try:
                self._ask()
                self.answered += 1
            except Exception as error:  # pylint: disable=broad-except
                self.failures.append(repr(error))
            self.longest = max(self.longest, time.monotonic() - start)
            time.sleep(self._pause)

    def end(self):
        self._over.set()
        self._thread.join()


class UnderTraffic(MachineCase):
    """From one version to another and back, while containers talk and runtimes call."""

    def setUp(self):
        super().setUp()
        self.older = debs.package(debs.OLDER)
        self.machine.install(self.older)
        self.docker = DockerOfSystemd(self.machine).start().load_image()
        self.docker.network("net", "--subnet", "10.44.0.0/24")
        self.docker.run("web", "--publish", "8080:80", "--publish", "5353:53/udp", network="net", serve=("tcp/80", "udp/53"))
        self.docker.run("client", network="net")

    def call(self, path, request):
        """One call on a connection of its own, as long as dockerd would wait for it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.machine.path(path)))
            connection.sendall(request)
            answer = connection.makefile("rb").read()
        if not answer.startswith(b"HTTP/1.1 200 ") or b'"Err":"' in answer.replace(b'"Err":""', b""):
            raise AssertionError(answer.decode())

    def create_and_remove(self):
        for verb in ("Create", "Remove"):
            self.call(PLUGIN_SOCKET, b"POST /VolumeDriver.%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 14\r\n\r\n"
                      b'{"Name":"tmp"}' % verb.encode())

    def traffic(self):
        outside, client = self.machine.outside, self.docker.net("client")
        self.addCleanup(client.close)
        kept = outside.connect(HOST_V4, 8080, timeout=10)
        self.addCleanup(kept.close)
        stream = kept.makefile("rwb", buffering=0)
        stream.readline()
        flow = outside.connect(HOST_V4, 5353, "udp", timeout=10)
        self.addCleanup(flow.close)

        def echo():
            stream.write(b"still there\n")
            self.assertEqual(b"still there\n", stream.readline())

        def datagram():
            flow.send(b"?")
            self.assertIn(b"web", flow.recv(200))
        address = self.docker.address("web", "net")
        return {name: Traffic(ask) for name, ask in {
            "a connection that is kept": echo,
            "a flow of UDP": datagram,
            "new connections from outside": lambda: outside.ask(HOST_V4, 8080, timeout=10),
            "new flows of UDP from outside": lambda: outside.ask(HOST_V4, 5353, "udp", timeout=10),
            "from container to container": lambda: client.ask(address, 80, timeout=10),
            "calls of the API": lambda: self.call(API_SOCKET, b"GET /v1/networks HTTP/1.0\r\n\r\n"),
            "calls of the plugin": self.create_and_remove,
        }.items()}

    def test_upgrade_and_downgrade_lose_no_packet_and_no_call(self):
        newer = self.package
        traffic = self.traffic()
        try:
            for package in (newer, self.older, newer):
                before = self.machine.property(SERVICE, "MainPID")
                self.machine.install(package)
                self.await_active()
                self.assertNotEqual(before, self.machine.property(SERVICE, "MainPID"))
        finally:
            for each in traffic.values():
                each.end()
        print("\n".join(f"       {each.answered:6} {name}, {len(each.failures)} failed; the longest took {each.longest:.3f} s" for name, each in traffic.items()))
        for name, each in traffic.items():
            self.assertEqual([], each.failures[:3], name)
            self.assertGreater(each.answered, 20, name)
        self.assertNotIn("error", self.machine.journal(SERVICE).split("ready")[-1])


class Booting(MachineCase):
    """restart=always, and who is first."""

    CALL = b"POST /VolumeDriver.Capabilities HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"

    def setUp(self):
        super().setUp()
        self.docker = DockerOfSystemd(self.machine)

    def reboot(self):
        self.machine = self.machine.reboot()
        self.docker = DockerOfSystemd(self.machine).await_ready()

    def run_always(self):
        self.docker.load_image()
        self.docker.network("net", "--subnet", "10.44.0.0/24")
        self.docker.volume("data")
        self.docker.run("web", "--restart", "always", "--publish", "8080:80", "--volume", "data:/data", network="net")

    def assert_back(self):
        eventually(lambda: self.docker.running("web"), "web to run", 60, 0.2)
        self.docker.wait_serving("web")
        self.assertEqual("web", self.machine.outside.ask(HOST_V4, 8080).name)

    def test_containers_are_back_after_reboots_whoever_was_enabled_first(self):
        self.docker.start()
        self.machine.install(self.package)
        self.run_always()
        self.reboot()
        self.assert_back()
        self.machine.systemctl("disable", "docker.service", SERVICE, SOCKETS)
        for units in ((SERVICE, SOCKETS), ("docker.service",)):
            self.machine.systemctl("enable", *units)
        self.reboot()
        self.assert_back()
        self.assertLess(self.began(SERVICE, "Active"), self.began("docker.service", "Inactive"))  # ready before dockerd is started
        # Without the service, and with a dockerd that does not wait for it: the first call waits in the socket, which starts it.
        self.machine.write("/etc/systemd/system/fairleadd.service.d/late.conf", "[Unit]\nBefore=\n[Service]\nExecStartPre=/bin/sleep 20\n")
        self.machine.write("/etc/systemd/system/docker.service.d/early.conf", "[Unit]\nDefaultDependencies=yes\n")
        self.machine.systemctl("disable", SERVICE)
        self.machine.systemctl("enable", SOCKETS)
        self.reboot()
        self.assert_back()

    def began(self, unit, state):
        return int(self.machine.property(unit, f"{state}EnterTimestampMonotonic" if state == "Active" else f"{state}ExitTimestampMonotonic"))

    def test_a_daemon_that_does_not_answer_is_started_anew(self):
        self.machine.install(self.package)
        self.machine.write("/etc/systemd/system/fairleadd.service.d/soon.conf", "[Service]\nWatchdogSec=3\n")
        self.machine.systemctl("daemon-reload")
        self.machine.systemctl("restart", SERVICE)
        first = self.machine.property(SERVICE, "MainPID")
        told = eventually(lambda: self.machine.property(SERVICE, "WatchdogTimestampMonotonic"), "the watchdog to be told")
        eventually(lambda: self.machine.property(SERVICE, "WatchdogTimestampMonotonic") > told, "the watchdog to be told again")
        self.assertEqual("0", self.machine.property(SERVICE, "NRestarts"))
        self.machine.exec("kill", "-STOP", first)
        eventually(lambda: self.machine.property(SERVICE, "NRestarts") == "1", "systemd to start it anew", 30)
        self.await_active()
        self.assertNotEqual(first, self.machine.property(SERVICE, "MainPID"))
        self.assertIn("watchdog", self.machine.journal(SERVICE).lower())


if __name__ == "__main__":
    unittest.main()
