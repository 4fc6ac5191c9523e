"""Fairlead as a managed plugin of Docker: no daemon of its own on the host, and its image in a registry that runs on it."""

import json
import shutil
import unittest
from pathlib import Path

from support.e2e import suites
from support.e2e.case import HostCase
from support.e2e.docker import DOCKER, SOCKET, Docker, stand_in
from support.e2e.host import API_SOCKET, HOST_V4, bin_folder, is_answering
from support.e2e.waiting import eventually

_REPOSITORY = Path(__file__).resolve().parents[2]
_PACKAGING = _REPOSITORY / "packaging"
PLUGIN = "fairlead:latest"  # Docker finds the driver of a managed plugin by its name with the tag only
_CAP_SYS_RESOURCE = 24
REGISTRY = "127.0.0.1:5000"


def build_plugin(docker, name):
    """As the documentation has it."""
    docker.host.write("/run/host/config.json", json.dumps(config_for_here()))
    docker.host.exec(_PACKAGING / "docker-plugin/build.sh", name, timeout=600,
                     env={"BIN": bin_folder(), "CONFIG": "/run/host/config.json", "DOCKER": DOCKER, "FAIRLEAD_IMAGE_CACHE": suites.FOLDER, "DOCKER_HOST": "unix://" + SOCKET})


def config_for_here():
    """The plugin's, without a capability that the machine of the tests cannot give."""
    config = json.loads((_PACKAGING / "docker-plugin/config.json").read_text())
    bounding = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
    if not int(bounding.split()[1], 16) & 1 << _CAP_SYS_RESOURCE:
        config["Linux"]["Capabilities"].remove("CAP_SYS_RESOURCE")
    return config


def answers_api(host):
    return is_answering(host.path(API_SOCKET))


def enable(docker, name=PLUGIN):
    docker("plugin", "enable", name)
    eventually(lambda: answers_api(docker.host), "the plugin's API to answer")


class ManagedPluginCase(HostCase):
    """A host with Docker and the plugin, made by the script and enabled."""

    needs_fairlead = True

    @classmethod
    def setUpClass(cls):
        if stand_in():
            raise unittest.SkipTest("it is about Fairlead's own plugin")
        if shutil.which("debootstrap") is None:
            raise unittest.SkipTest("debootstrap is not installed")
        super().setUpClass()
        cls.docker = Docker(cls.host).start().load_image()
        build_plugin(cls.docker, "fairlead")
        cls.host.path("/var/lib/fairlead").mkdir(exist_ok=True)
        enable(cls.docker)

    def tearDown(self):
        self.docker.remove_everything()
        super().tearDown()

    def network(self, name, *options):
        return self.docker.network(name, *options, driver=PLUGIN, ipam=PLUGIN)

    def plugin_is_enabled(self):
        return self.docker("plugin", "inspect", "--format", "{{.Enabled}}", PLUGIN).out.strip() == "true"


class ManagedPlugin(ManagedPluginCase):
    def test_containers_have_its_networks_and_volumes(self):
        self.network("shop", "--subnet", "10.77.0.0/24")
        self.docker("volume", "create", "--driver", "fairlead", "data")
        self.docker("volume", "create", "--driver", "fairlead", "--opt", "backend=image", "--opt", "size=64M", "disk")
        self.docker.run("web", "--publish", "8080:80", "--volume", "data:/data", "--volume", "disk:/disk", network="shop")
        self.docker.run("other", "--volume", "data:/data", network="shop")
        self.assertTrue(self.docker.ping("other", self.docker.address("web", "shop")))
        self.assertEqual(self.docker.resolves("other", "web"), {self.docker.address("web", "shop")})
        self.assertTrue(self.host.outside.answers(HOST_V4, 8080), "the published port")
        self.docker.exec("web", "sh", "-c", "echo by-web >/data/note; echo by-web >/disk/note")
        self.assertEqual(self.docker.exec("other", "cat", "/data/note").out, "by-web\n")
        self.assertIn(" ext4 ", self.docker.exec("web", "grep", " /disk ", "/proc/mounts").out)
        self.assertEqual({volume["name"] for volume in self.host.volumes()}, {"data", "disk"}, "the host's command line asks the plugin")
        self.assertEqual([port["host_port"] for port in self.host.ports()], [8080])


if __name__ == "__main__":
    unittest.main()
