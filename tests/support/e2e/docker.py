"""A real dockerd on a host, and the docker command line as verbs."""

import json
import os

from support.e2e import images
from support.e2e.host import CommandFailed
from support.e2e.waiting import eventually

DOCKER = "/usr/bin/docker"  # of the same version as dockerd; one elsewhere on the PATH may be too new for it
SOCKET = "/run/docker.sock"


def stand_in():
    """run.py --stand-in: Docker's own drivers in Fairlead's place, to prove the tests themselves."""
    return bool(os.environ.get("FAIRLEAD_E2E_STAND_IN"))


NETWORK_DRIVER, IPAM_DRIVER, VOLUME_DRIVER = (
    ("bridge", "default", "local") if stand_in() else ("fairlead", "fairlead", "fairlead"))


class Docker:
    """dockerd with its default folders, which are this host's alone."""

    command_prefix = daemon_prefix = ()  # what leads to docker and dockerd: see newer_docker.py

    def __init__(self, host, live_restore=False):
        self.host = host
        self._live_restore = live_restore
        self.daemon = None

    # ---- the daemon -----------------------------------------------------------------------------------------------

    def start(self, deadline=60):
        options = ["--live-restore"] if self._live_restore else []
        self.daemon = self.host.start(
            *self.daemon_prefix, "dockerd", "--host", "unix://" + SOCKET, "--exec-opt",
            "native.cgroupdriver=cgroupfs", "--cgroup-parent", self.host.cgroup, *options, name="dockerd")
        eventually(self._ready, "dockerd to answer", deadline, pause=0.1)
        return self

    def _ready(self):
        if not self.daemon.running():
            raise CommandFailed("dockerd ended:\n" + self.daemon.log()[-3000:])
        return self("version", check=False).code == 0

    def load_image(self):
        self.host.path("/run/host/image.tar").write_bytes(images.image_archive().read_bytes())
        self("load", "--input", "/run/host/image.tar")
        return self

    def kill(self):
        """SIGKILL, to dockerd alone: containerd and the containers stay."""
        self.daemon.kill()

    def stop(self):
        self.daemon.stop(60)

    def __call__(self, *arguments, check=True, data=None):
        return self.host.exec(*self.command_prefix, DOCKER, *arguments, check=check, data=data,
                              env={"DOCKER_HOST": "unix://" + SOCKET})

    def fails(self, *arguments):
        """Runs a command that must fail, and returns what it said."""
        output = self(*arguments, check=False)
        if output.code == 0:
            raise AssertionError(f"docker {' '.join(arguments)} succeeded")
        return output.err + output.out

    def compose(self, project, *arguments, check=True):
        """docker-compose (1) with the file docker-compose.yml of the folder `project`, by whose name the project is called."""
        return self.host.exec("docker-compose", "--project-directory", project, "--file", f"{project}/docker-compose.yml", *arguments,
                              check=check, env={"DOCKER_HOST": "unix://" + SOCKET})

    # ---- networks -------------------------------------------------------------------------------------------------

    def network(self, name, *options, driver=NETWORK_DRIVER, ipam=IPAM_DRIVER):
        """docker network create; `ipam` is "fairlead", or "default" for Docker's own."""
        self("network", "create", "--driver", driver, "--ipam-driver", ipam, *options, name)
        return name

    def volume(self, name, *options):
        self("volume", "create", "--driver", VOLUME_DRIVER, *options, name)
        return name

    def remove_network(self, *names):
        self("network", "rm", *names)

    def inspect(self, kind, name):
        return json.loads(self(kind, "inspect", name).out)[0]

    def connect(self, network, container, *options):
        self("network", "connect", *options, network, container)

    def disconnect(self, network, container):
        self("network", "disconnect", network, container)

    # ---- containers -----------------------------------------------------------------------------------------------

    def run(self, name, *options, network=None, serve=("tcp/80",), command=None, wait=True):
        """docker run -d of the answer server on `serve`, or of `command`; returns when the server listens."""
        network_option = ["--network", network] if network else []
        self("run", "--detach", "--name", name, "--hostname", name, *network_option, *options, images.IMAGE,
             *(command or ("answer", name, *serve)))
        if wait and command is None:
            self.wait_serving(name, serve)
        return name

    def wait_serving(self, name, serve=("tcp/80",)):
        proto, port = serve[0].split("/")
        with self.net(name) as namespace:
            eventually(lambda: namespace.answers("127.0.0.1", int(port.split("-")[0]), proto), f"{name} to serve")

    def remove(self, *names):
        if names:
            self("rm", "--force", "--volumes", *names)

    def remove_everything(self):
        """All containers, networks and volumes that a test left."""
        self.remove(*self("ps", "--all", "--quiet").out.split())
        for kind, listing in (("network", ("ls", "--quiet", "--filter", "type=custom")), ("volume", ("ls", "--quiet"))):
            names = self(kind, *listing).out.split()
            if names:
                self(kind, "rm", *names)

    def pid(self, name):
        pid = self.inspect("container", name)["State"]["Pid"]
        if not pid:
            raise AssertionError(f"{name} does not run")
        return pid

    def net(self, name):
        """The container's network namespace."""
        return self.host.net_of(self.pid(name), name)

    def ask(self, name, address, port, proto="tcp", timeout=3.0):
        """What the server at (address, port) answers to container `name`."""
        with self.net(name) as namespace:
            return namespace.ask(address, port, proto, timeout)

    def answers(self, name, address, port, proto="tcp", timeout=1.0):
        with self.net(name) as namespace:
            return namespace.answers(address, port, proto, timeout)

    def ping(self, name, address, timeout=2.0):
        with self.net(name) as namespace:
            return namespace.ping(address, timeout) is not None

    def exec(self, name, *command, check=True):
        return self("exec", name, *command, check=check)

    def resolves(self, name, other):
        """The addresses that container `name` gets for the name `other`."""
        out = self.exec(name, "nslookup", other, "127.0.0.11", check=False).out
        found = [line.split(":", 1)[1].split()[-1] for line in out.splitlines() if line.startswith("Address")]
        return {address for address in found if "127.0.0.11" not in address}

    def attachment(self, name, network):
        return self.inspect("container", name)["NetworkSettings"]["Networks"][network]

    def address(self, name, network):
        return self.attachment(name, network)["IPAddress"]

    def address6(self, name, network):
        return self.attachment(name, network)["GlobalIPv6Address"]

    def links(self, name):
        """The container's links as `ip -json address` shows them, by name, without lo."""
        pid = self.pid(name)
        shown = self.host.exec("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-json", "address").out
        return {link["ifname"]: link for link in json.loads(shown) if link["ifname"] != "lo"}

    def default_route(self, name, family="-4"):
        """The gateway of the container's default route, or None."""
        pid = self.pid(name)
        shown = self.host.exec("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-json", family, "route", "show",
                               "default").out
        routes = json.loads(shown or "[]")
        return routes[0].get("gateway") if routes else None
