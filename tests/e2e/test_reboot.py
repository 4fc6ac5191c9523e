"""After a reboot, or after dockerd and fairleadd were killed: everything is back, whoever starts first, and no command is typed."""

import json
import threading
import time
import unittest
import uuid

from support.e2e.case import HostCase
from support.e2e.docker import Docker, stand_in
from support.e2e.host import HOST_V4
from support.e2e.systemd import Systemd
from support.e2e.waiting import eventually

BOOT_ID = "/proc/sys/kernel/random/boot_id"
CONFIGURATION = "/etc/fairlead/fairlead.json"


@unittest.skipIf(stand_in(), "Docker's own drivers have no sockets")
class Reboot(HostCase):
    """Three containers: with a port, a static address and a volume; with another restart policy; and one that its user has stopped."""

    waits = True
    live_restore = False
    policies = {"web": "always", "db": "unless-stopped"}
    PATIENCE = 15.0  # dockerd's, for a plugin that does not answer

    def setUp(self):
        super().setUp()
        self.docker = Docker(self.host, live_restore=self.live_restore)
        self.fairlead = None
        self.addCleanup(self._end)

    def _end(self):
        self.docker.stop()
        if self.fairlead:
            self.fairlead.close()

    def start_fairlead(self, sockets_only=False):
        self.fairlead = Systemd(self.host)
        if not sockets_only:
            self.fairlead.enable()
            self.fairlead.await_ready()

    def first_boot(self):
        self.start_fairlead()
        self.docker.start().load_image()
        self.docker.network("net", "--subnet", "10.44.0.0/24")
        self.docker.volume("data")
        more = {"web": ("--publish", "8080:80", "--ip", "10.44.0.77", "--volume", "data:/data"), "db": ()}
        for name, policy in self.policies.items():
            self.docker.run(name, "--restart", policy, *more[name], network="net")
        self.docker.run("off", "--restart", "unless-stopped", network="net")
        self.docker("stop", "--time", "0", "off")

    def reboot(self):
        """Everything that a boot does not keep goes; the disks stay."""
        self.docker.stop()
        self.fairlead.close()
        for link in self.host.exec("ip", "-brief", "link", "show").out.split("\n"):
            if link.startswith("fl"):
                self.host.exec("ip", "link", "delete", link.split()[0].split("@")[0], check=False)
        self.host.exec("nft", "flush", "ruleset")
        self.host.path("/run/host/boot_id").write_text(str(uuid.uuid4()) + "\n")
        self.host.exec("mount", "--bind", "/run/host/boot_id", BOOT_ID)
        self.addCleanup(self.host.exec, "umount", BOOT_ID)

    def kill_both(self):
        """With SIGKILL; what runs the containers stays, as its own unit does. Without live-restore dockerd ends them when it is back."""
        self.docker.kill()
        self.fairlead.kill()

    def configure(self, **keys):
        self.host.write(CONFIGURATION, json.dumps(keys))
        self.addCleanup(self.host.path(CONFIGURATION).unlink)

    def state(self, name):
        return self.docker.inspect("container", name)["State"]["Status"]

    def assert_all_is_back(self, within=60):
        for name in self.policies:
            eventually(lambda name=name: self.state(name) == "running", f"{name} to run", within, 0.2)
            self.docker.wait_serving(name)
        self.assertEqual("exited", self.state("off"))
        eventually(lambda: self.host.outside.answers(HOST_V4, 8080), "the published port")
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
        self.assertEqual("10.44.0.77", self.docker.address("web", "net"))
        self.assertEqual("web", self.docker.ask(list(self.policies)[-1], "10.44.0.77", 80).name)
        self.assertEqual({self.docker.address(name, "net") for name in self.policies},
                         {address.split("/")[0] for each in self.host.endpoints() for address in each["addresses"]})
        self.assertEqual(1, len(self.host.ports()))
        self.assertEqual([], self.host.fairlead_json("status")["problems"])
        # Nobody has the network for himself, and nothing is left of it.
        self.docker.remove_everything()
        self.assertEqual(([], [], []), (self.host.endpoints(), self.host.ports(), self.host.networks()))
        self.assertEqual("", self.host.exec("sh", "-c", "ip -o link | grep ' fl' || true").out)

    def test_fairleadd_first(self):
        self.first_boot()
        self.reboot()
        self.start_fairlead()
        self.docker.start()
        self.assert_all_is_back()

    def test_dockerd_first_with_sockets_and_fairleadd_after_its_patience(self):
        self.first_boot()
        self.reboot()
        self.start_fairlead(sockets_only=True)
        late = threading.Timer(self.PATIENCE + 3, self.fairlead.enable)
        late.start()
        self.addCleanup(late.cancel)
        start = time.monotonic()
        self.docker.start(deadline=120)
        self.assertGreater(time.monotonic() - start, self.PATIENCE)
        self.assert_all_is_back()

    def test_dockerd_first_without_sockets_and_fairleadd_when_docker_has_given_up(self):
        self.policies = {"web": "always"}  # each costs Docker's patience again
        self.configure(restart_docker_containers=True)
        self.first_boot()
        self.reboot()
        self.docker.start(deadline=180)
        eventually(lambda: "fairlead" in self.docker.inspect("container", "web")["State"]["Error"], "Docker to give up", 60, 0.2)
        self.start_fairlead()
        eventually(lambda: self.fairlead.log().count("started a container that Docker gave up on"), "it to be started", 60)
        self.assertIn("container=web", self.fairlead.log())
        self.assertNotIn("container=off", self.fairlead.log())
        self.assert_all_is_back()


class Killed(Reboot):
    """dockerd and fairleadd are killed, and containers with them.

    Those that are to run "unless-stopped" Docker takes for stopped by their user then (20.10, on its own bridge too).
    """

    policies = {"web": "always", "db": "always"}

    def test_fairleadd_first(self):
        self.first_boot()
        self.kill_both()
        self.fairlead.enable()
        self.docker.start()
        self.assert_all_is_back()

    def test_dockerd_first_with_sockets_and_fairleadd_after_its_patience(self):
        self.first_boot()
        self.kill_both()
        late = threading.Timer(5, self.fairlead.enable)
        late.start()
        self.addCleanup(late.cancel)
        self.docker.start(deadline=120)
        self.assert_all_is_back()

    test_dockerd_first_without_sockets_and_fairleadd_when_docker_has_given_up = None


class KilledWithLiveRestore(Killed):
    """The containers run on, with their connections."""

    live_restore = True
    policies = Reboot.policies

    def kill_both(self):
        super().kill_both()
        self.assertEqual("web", self.host.outside.ask(HOST_V4, 8080).name)
