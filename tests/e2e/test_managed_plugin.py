"""Fairlead as a managed plugin of Docker: no daemon of its own on the host, and its image in a registry that runs on it."""

import json
import unittest
from pathlib import Path

from support.e2e import debian_images
from support.e2e.case import HostCase
from support.e2e.docker import Docker, stand_in
from support.e2e.host import API_SOCKET, HOST_V4, bin_folder, is_answering
from support.e2e.waiting import eventually

_SCRIPTS = debian_images.REPOSITORY / "packaging/docker-plugin"
PLUGIN = "fairlead:latest"  # Docker finds the driver of a managed plugin by its name with the tag only
_CAP_SYS_RESOURCE = 24
REGISTRY = "127.0.0.1:5000"
NEXT = f"{REGISTRY}/fairlead:next"


def build_plugin(docker, *names):
    """As the documentation has it."""
    docker.host.write("/run/host/config.json", json.dumps(config_for_here()))
    docker.host.exec(_SCRIPTS / "build.sh", *names, timeout=600,
                     env={**debian_images.ENVIRONMENT, "BIN": bin_folder(), "CONFIG": "/run/host/config.json"})


def config_for_here():
    """The plugin's, without a capability that the machine of the tests cannot give."""
    config = json.loads((_SCRIPTS / "config.json").read_text())
    bounding = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
    if not int(bounding.split()[1], 16) & 1 << _CAP_SYS_RESOURCE:
        config["Linux"]["Capabilities"].remove("CAP_SYS_RESOURCE")
    return config


def make_registry_image(docker):
    """Debian's registry in an image called "registry"."""
    debian_images.require(debian_images.OF_WEBAPP)
    docker.host.exec(debian_images.OF_WEBAPP, env=debian_images.ENVIRONMENT)
    docker("build", "--quiet", "--tag", "registry", debian_images.REPOSITORY / "examples/webapp/registry")


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
        debian_images.require(debian_images.OF_PLUGIN)
        super().setUpClass()
        cls.docker = Docker(cls.host).start().load_image()
        build_plugin(cls.docker, "fairlead", NEXT)
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

    def test_a_restart_of_dockerd_keeps_networks_and_volumes(self):
        self.network("shop")
        self.docker("volume", "create", "--driver", "fairlead", "data")
        self.docker.run("web", "--restart", "always", "--publish", "8080:80", "--volume", "data:/data", network="shop")
        self.docker.exec("web", "sh", "-c", "echo kept >/data/note")
        self.docker.stop()
        self.docker.start()
        self.assertTrue(self.plugin_is_enabled())
        self.docker.wait_serving("web")
        self.assertEqual(self.docker.exec("web", "cat", "/data/note").out, "kept\n")
        eventually(lambda: self.host.outside.answers(HOST_V4, 8080), "the published port")

    def test_an_update_comes_from_a_registry_that_runs_on_the_plugin_itself(self):
        self.start_registry()
        self.network("shop")
        self.docker("volume", "create", "--driver", "fairlead", "data")
        self.docker("volume", "create", "--driver", "fairlead", "--opt", "backend=image", "--opt", "size=64M", "disk")
        self.docker.run("web", "--publish", "8080:80", "--volume", "data:/data", "--volume", "disk:/disk", network="shop")
        self.docker.run("other", network="shop")
        web = self.docker.address("web", "shop")
        self.docker.exec("web", "sh", "-c", "echo kept | tee /data/note >/disk/note")
        self.docker("plugin", "push", NEXT)
        self.docker("plugin", "rm", NEXT)

        self.docker("plugin", "disable", "--force", PLUGIN)
        self.assertFalse(answers_api(self.host))
        self.assertTrue(self.docker.ping("other", web), "no plugin runs, containers go on")
        self.docker("plugin", "upgrade", "--skip-remote-check", "--grant-all-permissions", PLUGIN, NEXT)
        self.assertTrue(self.host.outside.answers(HOST_V4, 8080), "the published port during the update")
        self.docker.exec("web", "sh", "-c", "echo meanwhile >>/disk/note")
        enable(self.docker)
        self.assertIn(NEXT, self.docker("plugin", "inspect", PLUGIN).out)
        self.assert_all_there(web)

        # Removed and installed anew, with the networks and volumes of the one before.
        self.docker("plugin", "disable", "--force", PLUGIN)
        self.docker("plugin", "rm", "--force", PLUGIN)
        self.assertTrue(self.docker.ping("other", web), "no plugin is there, containers go on")
        self.docker("plugin", "install", "--alias", "fairlead", "--grant-all-permissions", NEXT)
        eventually(lambda: answers_api(self.host), "the plugin's API to answer")
        self.assert_all_there(web)

    def assert_all_there(self, web):
        self.assertEqual(self.docker.exec("web", "cat", "/data/note", "/disk/note").out, "kept\nkept\nmeanwhile\n")
        self.docker.run("new", "--volume", "data:/data", "--volume", "disk:/disk", network="shop")
        self.assertTrue(self.docker.ping("new", web))
        self.assertEqual(self.docker.exec("new", "cat", "/data/note", "/disk/note").out, "kept\nkept\nmeanwhile\n")
        self.docker.remove("new")

    def start_registry(self):
        """Debian's, of its own image, on a network and with a volume of the plugin's."""
        self.network("registry")
        self.docker("volume", "create", "--driver", "fairlead", "images")
        make_registry_image(self.docker)
        self.docker("run", "--detach", "--name", "registry", "--network", "registry", "--publish", f"{REGISTRY}:5000", "--volume", "images:/images", "registry")
        eventually(lambda: self.host.exec("curl", "--silent", "--fail", f"http://{REGISTRY}/v2/", check=False).code == 0, "the registry to answer", 30)


if __name__ == "__main__":
    unittest.main()
