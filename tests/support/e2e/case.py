"""The test case that every end-to-end test builds on: a host for the class, and sentences about it."""

import contextlib
import json
import socket
import unittest

from support.e2e import cni, images
from support.e2e.docker import Docker, stand_in
from support.e2e.host import PLUGIN_SOCKET, Host, have_fairlead
from support.e2e.podman import Podman
from support.e2e.snapshot import Snapshot
from support.e2e.waiting import DeadlineExceeded, eventually


class HostCase(unittest.TestCase):
    """One host for all tests of the class."""

    needs_fairlead = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.needs_fairlead and not have_fairlead():
            raise unittest.SkipTest("no fairleadd in the folder of --bin")
        cls.host = cls.enterClassContext(Host())

    def assert_as_before(self, before, within=10.0):
        """The host is as the snapshot says; some removals of the kernel and the runtimes take a moment."""
        difference = ""

        def is_as_before():
            nonlocal difference
            difference = before.difference(Snapshot(self.host, earlier=before))
            return not difference
        try:
            eventually(is_as_before, "the host to be as before", within, 0.2)
        except DeadlineExceeded:
            self.fail("not as before:\n" + difference)

    @contextlib.contextmanager
    def leaving_nothing(self):
        """What runs inside must leave the host as it found it."""
        before = Snapshot(self.host)
        yield
        self.assert_as_before(before)


class FairleadCase(HostCase):
    """A host on which fairleadd runs."""

    fairleadd_options = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fairleadd = cls.host.start_fairleadd(*cls.fairleadd_options) if have_fairlead() else None

    def restart_fairleadd(self):
        """Starts it again after its end."""
        type(self).fairleadd = self.host.start_fairleadd(*self.fairleadd_options)


class PluginCalls:
    """Beside a FairleadCase: what Docker asks its plugin, without a Docker."""

    def call(self, verb, **body):
        """The answer, a refusal too."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.host.path(PLUGIN_SOCKET)))
            data = json.dumps(body).encode()
            connection.sendall(b"POST /%s HTTP/1.0\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (verb.encode(), len(data)) + data)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while part := connection.recv(65536):
                    answer += part
        return json.loads(answer.partition(b"\r\n\r\n")[2] or b"{}")

    def done(self, verb, **body):
        answer = self.call(verb, **body)
        self.assertFalse(answer.get("Err") or answer.get("Error"), f"{verb}: {answer}")
        return answer

    def mounted(self, volume, user):
        """The folder of a volume that `user` has mounted now, as this process can open it."""
        return self.host.path(self.done("VolumeDriver.Mount", Name=volume, ID=user)["Mountpoint"])


class PodmanBeside:
    """Beside a HostCase: a Podman without networks; every test removes what it made with it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.podman = Podman(cls.host).load_image()

    def tearDown(self):
        self.podman("rm", "--all", "--force", "--time", "0")
        self.podman("volume", "rm", "--all", "--force")
        super().tearDown()

    def use_by_podman(self, container, volume):
        """A container that does nothing with the volume at /data."""
        self.podman("run", "--detach", "--name", container, "--network", "none", "--cgroup-parent", self.host.cgroup,
                    "--volume", f"{volume}:/data", images.IMAGE, "sleep", "3600")


class CniCalls:
    """Beside a HostCase: Fairlead's CNI plugin on the host, and network namespaces that stand for containers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cni.install_fairlead(cls.host)

    def setUp(self):
        super().setUp()
        self.containers = cni.Containers(self.host)

    def tearDown(self):
        self.containers.remove_all()
        super().tearDown()

    def remove_networks(self):
        """With the endpoints that are still on them."""
        for endpoint in self.host.endpoints():
            self.host.fairlead("endpoint", "rm", "-f", f"{endpoint['network']}/{endpoint['id']}")
        for network in self.host.networks():
            self.host.fairlead("network", "rm", network["name"])


class DockerCase(FairleadCase):
    """A host on which fairleadd and dockerd run; every test removes what it made."""

    live_restore = False
    needs_fairlead = not stand_in()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.docker = cls.make_docker().start().load_image()

    @classmethod
    def make_docker(cls):
        return Docker(cls.host, cls.live_restore)

    def tearDown(self):
        self.docker.remove_everything()
        super().tearDown()
