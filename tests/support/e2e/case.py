"""The test case that every end-to-end test builds on: a host for the class, and sentences about it."""

import contextlib
import unittest

from support.e2e import cni
from support.e2e.docker import Docker, stand_in
from support.e2e.host import Host, have_fairlead
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
            difference = before.difference(Snapshot(self.host))
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
