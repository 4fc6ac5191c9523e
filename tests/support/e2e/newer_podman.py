"""Podman 5 with netavark of a newer Debian suite, in a root folder of its own (suites.py)."""

import json

from support.e2e import images, suites
from support.e2e.host import bin_folder
from support.e2e.waiting import eventually

SUITE = suites.Suite("trixie-podman", "trixie", "podman,netavark,aardvark-dns,runc,conmon,iproute2,nftables,libnftables1",
                     (("podman", "--version"), ("/usr/lib/podman/netavark", "--version")))
PLUGINS = "/usr/local/libexec/netavark"
FURTHER_PLUGINS = "/run/host/plugins"
HELPERS = "/usr/local/libexec/fairlead/podman"
NETWORKS = "/etc/containers/networks"  # the host's, as fairleadd sees it
_ROOT = "/mnt/podman"  # where a host has the folder
_OWN = ("/dev", "/sys", "/run", "/proc", "/etc/containers", "/var/lib/containers", "/var/lib/fairlead")
_CONFIG = """[containers]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
firewall_driver = "nftables"
netavark_plugin_dirs = ["/usr/local/libexec/netavark", "/run/host/plugins"]
"""
# As `fairlead podman install --drop-in` writes it.
_VOLUMES = """[engine.volume_plugins]
fairlead = "/run/docker/plugins/fairlead.sock"
"""
_FRAGMENT = f"""[engine]
helper_binaries_dir = ["{HELPERS}", "/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman"]

{_VOLUMES}"""


class NewerPodman:
    """All commands share one mount namespace, in which the suite is the root; network, processes and /run are the host's."""

    def __init__(self, host, drop_in=False):
        self.host = host
        suites.mount(host, suites.folder_of(SUITE), _ROOT, _OWN)
        host.exec("mount", "-t", "tmpfs", "locks", f"{_ROOT}/dev/shm")  # Podman's locks of this host alone
        host.write("/etc/containers/containers.conf", _CONFIG)
        host.write("/etc/containers/policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
        host.write("/etc/containers/storage.conf", '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\n'
                                                   'graphroot = "/var/lib/containers/storage"\n')
        self.install_plugin()
        self.use_drop_in(drop_in)
        self._room = host.start("unshare", "--mount", "--propagation", "unchanged", "sh", "-e", "-c", suites.into_root(_ROOT), "sh",
                                "sh", "-c", "echo $$ > /run/host/podman.pid; exec sleep infinity", name="podman-room")
        eventually(lambda: host.path("/run/host/podman.pid").exists() and host.path("/run/host/podman.pid").read_text(), "the room")
        self._prefix = ("nsenter", f"--target={host.path('/run/host/podman.pid').read_text().strip()}", "--mount")

    def install_plugin(self):
        self._install("fairlead-netavark", f"{PLUGINS}/fairlead")
        self._install("fairlead-netavark-local", f"{PLUGINS}/fairlead-netavark-local")

    def use_drop_in(self, drop_in=True):
        """Fairlead in netavark's place, or netavark again."""
        self._install("fairlead-netavark", f"{HELPERS}/netavark")
        self._install("fairlead-netavark-local", f"{HELPERS}/fairlead-netavark-local")
        self.host.write("/etc/containers/containers.conf.d/fairlead.conf", _FRAGMENT if drop_in else _VOLUMES)

    def _install(self, program, path):
        """The program without the daemon runs where the host's libraries are: what one libnftables has written, an older one
        may not be able to read."""
        target = self.host.path(_ROOT + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        if program.endswith("-local"):
            target.write_text(f'#!/bin/sh\nexec nsenter --target=1 --mount -- {bin_folder() / program} "$@"\n')
        else:
            target.write_bytes((bin_folder() / program).read_bytes())
        target.chmod(0o755)

    def load_image(self):
        self.host.path("/run/host/image.tar").write_bytes(images.image_archive().read_bytes())
        self("load", "--quiet", "--input", "/run/host/image.tar")
        return self

    def exec(self, *command, check=True, data=None, env=None):
        """A command where Podman is."""
        return self.host.exec(*self._prefix, *command, check=check, data=data, env=env)

    def __call__(self, *arguments, check=True, env=None):
        return self.exec("podman", *arguments, check=check, env={"PODMAN_IGNORE_CGROUPSV1_WARNING": "1", **(env or {})})

    def json(self, *arguments):
        return json.loads(self(*arguments).out)

    def run(self, name, *options, network=None, serve=("tcp/80",)):
        where = ("--network", network) if network else ()
        self("run", "--detach", "--name", name, *where, "--cgroup-parent", self.host.cgroup, *options, images.IMAGE, "answer", name,
             *serve)
        self.wait_serving(name, serve)

    def wait_serving(self, name, serve=("tcp/80",)):
        proto, port = serve[0].split("/")
        with self.net(name) as namespace:
            eventually(lambda: namespace.answers("127.0.0.1", int(port), proto), f"{name} to serve")

    def inspect(self, name):
        return self.json("container", "inspect", name)[0]

    def net(self, name):
        return self.host.net_of(self.inspect(name)["State"]["Pid"], name)

    def address(self, name, network):
        return self.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"]

    def remove(self, *names):
        self("rm", "--force", "--time", "0", *names)

    def remove_everything(self):
        self("rm", "--all", "--force", "--time", "0")
        self("pod", "rm", "--all", "--force", check=False)
        for network in self.json("network", "ls", "--format", "json"):
            if network["name"] != "podman":
                self("network", "rm", "--force", network["name"])


def require():
    """Skips the test when the suite cannot be had."""
    suites.require(SUITE)
