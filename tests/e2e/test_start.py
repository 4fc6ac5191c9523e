"""How fairleadd is started: by sockets that are there before it, after dockerd, from an installed tree."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest
import uuid
from pathlib import Path

from support.e2e import cni
from support.e2e.case import HostCase
from support.e2e.docker import Docker, stand_in
from support.e2e.host import API_SOCKET, HOST_V4, PLUGIN_SOCKET, bin_folder
from support.e2e.systemd import Systemd
from support.e2e.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
BOOT_ID = "/proc/sys/kernel/random/boot_id"
CALL = (b"POST /VolumeDriver.Capabilities HTTP/1.1\r\nHost: docker\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")


def call(host, path=PLUGIN_SOCKET, request=CALL):
    """The status line of an answer; waits for it as dockerd does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(host.path(path)))
        connection.sendall(request)
        return connection.makefile("rb").readline().decode().strip()


class SocketsThatAreThereBefore(HostCase):
    def start(self, *sockets):
        systemd = Systemd(self.host, *([sockets] if sockets else []))
        self.addCleanup(systemd.close)
        return systemd

    def test_calls_wait_until_it_runs(self):
        systemd = self.start()
        answers = []
        callers = [threading.Thread(target=lambda: answers.append(call(self.host))) for _ in range(5)]
        for caller in callers:
            caller.start()
        systemd.enable()
        for caller in callers:
            caller.join()
        self.assertEqual(["HTTP/1.1 200 OK"] * 5, answers)
        self.assertIn("HTTP/1.1 200", call(self.host, API_SOCKET, b"GET /v1/networks HTTP/1.0\r\n\r\n"))
        systemd.await_ready()

    def test_no_call_is_refused_while_it_is_started_anew(self):
        systemd = self.start()
        systemd.enable()
        systemd.await_ready()
        over, answers, failures = threading.Event(), [], []

        def keep_calling():
            while not over.is_set():
                try:
                    answers.append(call(self.host))
                except OSError as error:
                    failures.append(repr(error))

        caller = threading.Thread(target=keep_calling)
        caller.start()
        try:
            for times in range(2, 6):
                systemd.signal("TERM")
                systemd.await_ready(times)
        finally:
            over.set()
            caller.join()
        self.assertEqual(([], {"HTTP/1.1 200 OK"}), (failures, set(answers)))
        # Killed, it takes only the calls with it that it had begun with.
        systemd.signal("KILL")
        self.assertEqual("HTTP/1.1 200 OK", call(self.host))

    def test_it_tells_what_it_does(self):
        systemd = self.start()
        systemd.enable()
        systemd.await_ready()
        systemd.signal("HUP")
        systemd.await_ready(2)
        systemd.stop()
        told = [line for line in systemd.told() if line]
        self.assertEqual(["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"],
                         [line for line in told if not line.startswith("MONOTONIC_USEC=")])
        self.assertEqual(1, len([line for line in told if line.startswith("MONOTONIC_USEC=")]))

    def test_sockets_are_opened_for_the_group_and_stay(self):
        self.host.exec("groupadd", "--system", "fairlead")
        self.addCleanup(self.host.exec, "groupdel", "fairlead")
        systemd = self.start()
        numbers = [self.host.path(path).stat().st_ino for path in (PLUGIN_SOCKET, API_SOCKET)]
        systemd.enable()
        systemd.await_ready()
        modes = self.host.exec("stat", "--format", "%a %U %G", PLUGIN_SOCKET, API_SOCKET).out.split("\n")
        self.assertEqual(["600 root root", "660 root fairlead"], modes[:2])
        systemd.stop()
        self.assertEqual(numbers, [self.host.path(path).stat().st_ino for path in (PLUGIN_SOCKET, API_SOCKET)])

    def test_what_was_not_passed_it_makes_itself_and_takes_away(self):
        for passed, own in ((PLUGIN_SOCKET, API_SOCKET), (API_SOCKET, PLUGIN_SOCKET)):
            with self.subTest(passed=passed):
                systemd = Systemd(self.host, (passed,))
                systemd.enable()
                systemd.await_ready()
                for path in (passed, own):
                    self.assertTrue(self.host.path(path).is_socket())
                self.assertEqual("HTTP/1.1 200 OK", call(self.host))
                systemd.stop()
                self.assertTrue(self.host.path(passed).is_socket())
                self.assertFalse(self.host.path(own).exists())
                systemd.close()

    def test_sockets_elsewhere_are_known_by_their_names(self):
        systemd = self.start("/run/elsewhere/fairlead.sock", "/run/elsewhere/other.sock")
        systemd.enable()
        self.assertEqual("HTTP/1.1 200 OK", call(self.host, "/run/elsewhere/fairlead.sock"))
        systemd.await_ready()
        self.assertEqual("HTTP/1.1 200 OK", call(self.host))  # where the configuration has it, too
        self.assertIn("/run/elsewhere/other.sock", systemd.log())

    def test_the_units_are_understood(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")
        with Installed.tree() as tree:
            units = tree / "usr/lib/systemd/system"
            service = units / "fairleadd.service"
            self.assertIn("ExecStart=/usr/sbin/fairleadd\n", service.read_text())
            # The program is looked for where this machine would have it.
            service.write_text(service.read_text().replace("/usr/sbin/", str(tree / "usr/sbin") + "/"))
            checked = subprocess.run(["systemd-analyze", "verify", "--man=no", service, units / "fairleadd.socket"],
                                     capture_output=True, text=True, check=False,
                                     env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"})
            self.assertNotIn("fairleadd", checked.stderr)
            self.assertEqual(0, checked.returncode, checked.stderr)


@unittest.skipIf(stand_in(), "Docker's own drivers have no sockets")
class AfterDocker(HostCase):
    """dockerd is started first, and fairleadd long after Docker's retries of 15 s."""

    waits = True
    LATE = 25.0

    def setUp(self):
        super().setUp()
        self.docker = Docker(self.host)

    def tearDown(self):
        self.docker.remove_everything()
        self.docker.stop()
        self.systemd.close()
        super().tearDown()

    def start_first_boot(self):
        self.systemd = Systemd(self.host)
        self.systemd.enable()
        self.systemd.await_ready()
        self.docker.start().load_image()
        self.docker.network("net", "--subnet", "10.44.0.0/24")
        self.docker.volume("data")

    def run_always(self, name, *options, **more):
        self.docker.run(name, "--restart", "always", *options, **more)

    def reboot(self):
        """Everything that a boot does not keep goes; the disks stay."""
        self.docker.stop()
        self.systemd.close()
        for link in self.host.exec("ip", "-brief", "link", "show").out.split("\n"):
            if link.startswith("fl"):
                self.host.exec("ip", "link", "delete", link.split()[0].split("@")[0])
        self.host.exec("nft", "flush", "ruleset")
        self.host.path("/run/host/boot_id").write_text(str(uuid.uuid4()) + "\n")
        self.host.exec("mount", "--bind", "/run/host/boot_id", BOOT_ID)
        self.addCleanup(self.host.exec, "umount", BOOT_ID)

    def state(self, name):
        return self.docker.inspect("container", name)["State"]["Status"]

    def test_with_sockets_containers_come_back(self):
        self.start_first_boot()
        self.run_always("web", "--publish", "8080:80", network="net")
        self.run_always("db", "--volume", "data:/data", network="net")
        self.run_always("plain", "--volume", "data:/data")
        self.docker("exec", "db", "touch", "/data/kept", check=False)
        self.reboot()
        self.systemd = Systemd(self.host)
        late = threading.Timer(self.LATE, self.systemd.enable)
        late.start()
        self.addCleanup(late.cancel)
        self.docker.start(deadline=150)
        for name in ("web", "db", "plain"):
            eventually(lambda name=name: self.state(name) == "running", f"{name} to run", 60, 0.2)
        self.docker.wait_serving("web")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.docker("network", "rm", self.docker.network("after"))

    def test_without_them_docker_gives_up_and_a_start_by_hand_helps(self):
        self.start_first_boot()
        self.run_always("web", "--publish", "8080:80", network="net")
        self.reboot()
        self.docker.start(deadline=240)
        self.systemd = Systemd(self.host)
        self.systemd.enable()
        self.systemd.await_ready()
        self.assertEqual("exited", self.state("web"))  # what Docker does not allow: docs/starting.md
        self.docker("start", "web")
        self.docker.wait_serving("web")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)


class Installed(HostCase):
    """The tree that cmake --install makes, put over the folders of the host."""

    @staticmethod
    def tree():
        build = bin_folder().parent
        if not (build / "cmake_install.cmake").is_file():
            raise unittest.SkipTest("--bin is not in a build folder")
        folder = tempfile.TemporaryDirectory(prefix="fairlead-e2e-")
        try:
            subprocess.run(["cmake", "--install", build, "--prefix", "/usr"], check=True, capture_output=True,
                           env={**os.environ, "DESTDIR": folder.name})
        except BaseException:
            folder.cleanup()
            raise
        return _Tree(folder)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = cls.enterClassContext(cls.tree())
        for folder in ("/usr", "/opt"):
            cls.host.exec("mount", "-t", "overlay", "-o", f"lowerdir={cls.root}{folder}:{folder}", "installed", folder)
        cls.addClassCleanup(cls._unmount)

    @classmethod
    def _unmount(cls):
        for folder in ("/usr", "/opt"):
            cls.host.exec("umount", "--lazy", folder)

    def test_everything_is_where_it_belongs(self):
        files = sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())
        for wanted in ("usr/sbin/fairleadd", "usr/bin/fairlead", "opt/cni/bin/fairlead",
                       "usr/libexec/fairlead/fairlead-cni-local", "usr/lib/systemd/system/fairleadd.service",
                       "usr/lib/systemd/system/fairleadd.socket", "usr/share/doc/fairlead/LICENSE",
                       "usr/lib/systemd/network/10-fairlead.network", "usr/lib/systemd/network/10-fairlead.link",
                       "usr/lib/NetworkManager/conf.d/10-fairlead.conf",
                       "usr/share/bash-completion/completions/fairlead", "usr/share/zsh/vendor-completions/_fairlead",
                       "usr/share/fish/vendor_completions.d/fairlead.fish",
                       "usr/share/doc/fairlead/starting.md", "usr/share/doc/fairlead/README.md"):
            self.assertIn(wanted, files)
        for program in ("usr/sbin/fairleadd", "usr/bin/fairlead", "opt/cni/bin/fairlead"):
            self.assertTrue(os.access(self.root / program, os.X_OK))

    def test_the_manual_tells_of_every_program_and_command(self):
        manual = self.root / "usr/share/man"
        for wanted in ("man1/fairlead.1", "man1/fairlead-network.1", "man5/fairlead.json.5", "man8/fairleadd.8"):
            self.assertTrue((manual / wanted).is_file(), wanted)
        for page in manual.rglob("*.[158]"):
            said = subprocess.run(["groff", "-man", "-ww", "-Tutf8", page], check=True, capture_output=True, text=True)
            self.assertEqual("", said.stderr, page)
        self.assertIn("--plugin-dir", (manual / "man8/fairleadd.8").read_text().replace("\\-", "-"))
        overview = subprocess.run(["man", "-M", manual, "fairlead-network"], check=True, capture_output=True, text=True)
        self.assertIn("fairlead network create", overview.stdout)

    def test_the_programs_find_each_other(self):
        containers = cni.Containers(self.host)
        network = cni.Network(self.host, cni.fairlead_conflist("shop", "10.70.0.0/24"))
        for name in ("one", "two"):
            containers.make(name)
        network.add("one")  # without the daemon: by fairlead-cni-local
        daemon = self.host.start("/usr/sbin/fairleadd", name="installed")
        daemon.await_start(lambda: call(self.host) == "HTTP/1.1 200 OK", "fairleadd")
        network.add("two")
        self.assertIn('"shop"', self.host.exec("/usr/bin/fairlead", "network", "ls", "--json").out)
        for name in ("one", "two"):
            network.delete(name)
        self.assertEqual(0, daemon.stop())
        self.host.exec("/usr/bin/fairlead", "network", "rm", "shop")
        containers.remove_all()


class LeftAlone(HostCase):
    """What is installed keeps those who manage the host's interfaces from Fairlead's, as their own programs say."""

    NETWORKD = "/lib/systemd/systemd-networkd"
    VETHS = ("vethfl-0a1b2c3z", "vethfr-0a1b2c3z")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tree = cls.enterClassContext(Installed.tree())
        for name in ("10-fairlead.network", "10-fairlead.link"):
            cls.host.write("/etc/systemd/network/" + name, (tree / "usr/lib/systemd/network" / name).read_text())
        cls.host.write("/etc/nm/10-fairlead.conf", (tree / "usr/lib/NetworkManager/conf.d/10-fairlead.conf").read_text())
        cls.host.fairlead("network", "create", "--subnet", "10.71.0.0/24", "shop")
        cls.bridge = cls._bridge()
        cls.host.exec("ip", "link", "add", "flannel.1", "type", "bridge")
        # As host_interface_prefix=veth names them, and as another runtime does.
        for name in cls.VETHS:
            cls.host.exec("ip", "link", "add", name, "type", "bridge")
        cls.host.exec("ip", "link", "add", "vethfl0a1b2c3", "type", "bridge")

    @classmethod
    def _bridge(cls):
        links = json.loads(cls.host.exec("ip", "-json", "link", "show", "type", "bridge").out)
        return next(link["ifname"] for link in links if link["ifname"].startswith("fl-"))

    @classmethod
    def tearDownClass(cls):
        cls.host.fairlead("network", "rm", "shop")
        super().tearDownClass()

    def index(self, name):
        return self.host.link(name)["ifindex"]

    def test_by_networkd(self):
        if not Path(self.NETWORKD).exists():
            self.skipTest("no systemd-networkd")
        self.host.write("/etc/systemd/network/99-all.network", "[Match]\nName=*\n[Network]\nLLDP=no\n")
        self.host.exec("mkdir", "-p", *(f"/run/systemd/netif/{name}" for name in ("links", "leases", "lldp")))
        self.host.exec("chown", "-R", "systemd-network", "/run/systemd/netif", check=False)
        # With a /sys that cannot be written to, it does not wait for udev.
        networkd = self.host.start("unshare", "--mount", "sh", "-c", f"mount -o remount,ro,bind /sys && exec {self.NETWORKD}",
                                   name="networkd", env={"SYSTEMD_LOG_TARGET": "console"})
        self.addCleanup(networkd.kill)

        def state(name):
            file = self.host.path(f"/run/systemd/netif/links/{self.index(name)}")
            return file.exists() and dict(line.split("=", 1) for line in file.read_text().split("\n") if "=" in line)
        eventually(lambda: (state("flannel.1") or {}).get("NETWORK_FILE"), "networkd to manage another bridge", 20)
        for name in (self.bridge, *self.VETHS):
            self.assertEqual("unmanaged", state(name)["ADMIN_STATE"], networkd.log())
        eventually(lambda: (state("vethfl0a1b2c3") or {}).get("NETWORK_FILE"), "networkd to manage another's veth", 20)
        self.assertNotIn("10-fairlead", networkd.log())

    def test_by_udev(self):
        if not shutil.which("udevadm"):
            self.skipTest("no udevadm")
        said = {}
        for name in (self.bridge, "flannel.1", *self.VETHS, "vethfl0a1b2c3"):
            done = self.host.exec("udevadm", "test-builtin", "net_setup_link", f"/sys/class/net/{name}", check=False,
                                  env={"SYSTEMD_LOG_LEVEL": "debug"})
            said[name] = done.out + done.err
        self.assertIn("10-fairlead.link is applied", said[self.bridge])
        for name in self.VETHS:
            self.assertIn("10-fairlead.link is applied", said[name])
        for name in ("flannel.1", "vethfl0a1b2c3"):
            self.assertNotIn("10-fairlead.link is applied", said[name])
        self.assertNotIn("10-fairlead.link:", said[self.bridge])  # where it complains of a line

    def test_by_network_manager(self):
        if not shutil.which("NetworkManager"):
            self.skipTest("no NetworkManager")
        self.host.write("/etc/nm/NetworkManager.conf", "[main]\n")
        self.host.exec("mkdir", "-p", "/etc/nm/none")
        shown = self.host.exec("NetworkManager", "--config=/etc/nm/NetworkManager.conf", "--config-dir=/etc/nm/none",
                               "--system-config-dir=/etc/nm", "--print-config")
        self.assertIn("[device-fairlead]", shown.out)
        self.assertIn("managed=0", shown.out)
        for name in ("fl-", "vethfl-", "vethfr-"):
            self.assertIn(f"interface-name:{name}*", shown.out)
        self.assertNotIn("10-fairlead", shown.err)


class _Tree:
    """A folder that goes with the end of the with statement."""

    def __init__(self, folder):
        self._folder = folder

    def __enter__(self):
        return Path(self._folder.name)

    def __exit__(self, *_):
        self._folder.cleanup()
