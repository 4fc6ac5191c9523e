"""A real containerd on a host, and its own command line, ctr."""

import itertools
import json

from support.e2e import cni, images
from support.e2e.host import CommandFailed
from support.e2e.waiting import eventually

SOCKET = "/run/host/containerd/containerd.sock"
CONFIG = """version = 2
root = "/var/lib/containerd"
state = "/run/host/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "/run/host/containerd/containerd.sock"
"""


class Containerd:
    def __init__(self, host):
        self.host = host
        self.daemon = None
        self._numbers = itertools.count(1)

    def start(self):
        self.host.write("/run/host/containerd.toml", CONFIG)
        self.daemon = self.host.start("containerd", "--config", "/run/host/containerd.toml", name="containerd")
        eventually(self._ready, "containerd to answer", deadline=30, pause=0.05)
        return self

    def _ready(self):
        if not self.daemon.running():
            raise CommandFailed("containerd ended:\n" + self.daemon.log()[-3000:])
        return self("version", check=False).code == 0

    def load_image(self):
        self.host.path("/run/host/image.tar").write_bytes(images.image_archive().read_bytes())
        self("images", "import", "/run/host/image.tar")
        return self

    def stop(self):
        self.daemon.stop()

    def __call__(self, *arguments, check=True):
        return self.host.exec("ctr", "--address", SOCKET, *arguments, check=check)

    def use_network(self, conflist):
        """ctr takes the first conflist there is."""
        folder = self.host.path(cni.CONFIG_FOLDER)
        for file in folder.iterdir():
            file.unlink()
        self.host.write(f"{cni.CONFIG_FOLDER}/10-{conflist['name']}.conflist", json.dumps(conflist))

    def run(self, name, *command):
        """ctr run --rm --cni: returns what the command said after ADD, command and DEL."""
        return self._said("run", "--rm", "--cni", "--cgroup", f"{self.host.cgroup}/{name}", behind=(images.IMAGE, name, *command))

    def exec(self, name, *command):
        """Returns what a command in the container says."""
        return self._said("tasks", "exec", "--exec-id", f"of-{next(self._numbers)}", behind=(name, *command))

    def _said(self, *ctr, behind):
        """ctr drops what is in its own pipes when a task ends; a file is written by the shim, which waits for all of it."""
        log = f"/run/host/said-{next(self._numbers)}.log"
        output = self(*ctr, "--log-uri", f"file://{log}", *behind, check=False)
        file = self.host.path(log)
        said = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        if output.code != 0:
            raise CommandFailed(f"{' '.join(behind)}\nexit code {output.code}\n{said}{output.err}")
        return said

    def run_background(self, name, *serve, options=()):
        """ctr run --cni of the answer server, waited for; ctr itself waits for its end and then sends DEL."""
        ctr = self.host.start("ctr", "--address", SOCKET, "run", "--rm", "--cni", "--cgroup",
                              f"{self.host.cgroup}/{name}", *options, images.IMAGE, name, "answer", name, *serve, name="ctr-" + name)
        eventually(lambda: self.pid(name), f"{name} to run")
        return ctr

    def pid(self, name):
        for line in self("tasks", "ls").out.splitlines():
            fields = line.split()
            if fields[0] == name and fields[2] == "RUNNING":
                return int(fields[1])
        return None

    def net(self, name):
        return self.host.net_of(self.pid(name), name)

    def kill(self, name):
        self("tasks", "kill", "--signal", "SIGKILL", name)
