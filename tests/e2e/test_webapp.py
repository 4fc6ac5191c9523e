"""examples/webapp as a reader types it, with either Compose; and on three hosts."""

import concurrent.futures
import json
import tempfile
import unittest

from support.e2e import debian_images, newer_docker
from support.e2e.case import DockerCase
from support.e2e.cluster import Cluster
from support.e2e.docker import stand_in
from support.e2e.host import bin_folder
from support.e2e.waiting import eventually

_RUN = debian_images.REPOSITORY / "examples/webapp/run.sh"


class WebApp:
    @classmethod
    def setUpClass(cls):
        if stand_in():
            raise unittest.SkipTest("the example is about Fairlead")
        debian_images.require(debian_images.OF_WEBAPP)
        super().setUpClass()

    def test_it_is_built_pushed_pulled_scaled_and_keeps_its_data(self):
        path = f"{bin_folder()}:/usr/sbin:/usr/bin:/sbin:/bin"
        said = self.host.exec(_RUN, timeout=600, check=False, env={**debian_images.ENVIRONMENT, "PATH": path, "COMPOSE": self.compose})
        self.assertEqual(said.code, 0, said.out + said.err)
        answering = [line for line in said.out.splitlines() if "answers by each container" in line]
        self.assertEqual(len(answering), 3, said.out)
        self.assertEqual(self.host.networks() + self.host.volumes(), [], "it cleans up")


class WebAppWithCompose1(WebApp, DockerCase):
    compose = "docker-compose"


class WebAppWithCompose26(newer_docker.OfASuite, WebApp, DockerCase):
    suite = "trixie"  # Compose 2.26, Docker 26.1
    compose = "/mnt/docker/usr/libexec/docker/cli-plugins/docker-compose"


class FailOver(unittest.TestCase):
    """Three hosts; that of the database dies, and the database goes on elsewhere with its last backup, at the same address."""

    DATABASE = "10.96.0.10"

    @classmethod
    def setUpClass(cls):
        if stand_in():
            raise unittest.SkipTest("the example is about Fairlead")
        debian_images.require(debian_images.OF_WEBAPP)
        super().setUpClass()
        cls.cluster = cls.enterClassContext(Cluster(hosts=3))
        cls.shared = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="fairlead-e2e-shared-"))  # a folder that all hosts have
        for node in cls.cluster.nodes:
            node.join("shop", "--subnet", "10.96.0.0/16")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(cls.prepare, cls.cluster.nodes))

    @staticmethod
    def prepare(node):
        node.host.exec(debian_images.OF_WEBAPP, env=debian_images.ENVIRONMENT)
        for image in ("web", "db"):
            node.docker("build", "--quiet", "--tag", image, debian_images.OF_WEBAPP.parent / image)

    def test_the_database_goes_on_elsewhere_at_its_address(self):
        first, second, third = self.cluster.nodes
        first.docker.volume("data")
        self.run_database(first)
        for node in (second, third):
            node.docker("run", "--detach", "--name", "web", "--network", "shop", "--publish", "8080:8080", "--env", f"DB_HOST={self.DATABASE}",
                        "--env", "DB_PASSWORD=secret", "web")
        self.await_notes(second, [])
        self.ask(second, "--data", "first note")
        self.await_notes(third, ["first note"])
        first.host.fairlead("volume", "backup", "data", "--to", self.shared)

        first.host.close()
        eventually(lambda: second.hosts()[first.name] == "suspect", "the silence to be noticed", 40, 0.5)
        second.host.fairlead("host", "rm", first.name)
        second.host.fairlead("volume", "restore", "data", "--from", self.shared)
        self.run_database(second)
        for node in (second, third):
            self.await_notes(node, ["first note"])

    def run_database(self, node):
        node.docker("run", "--detach", "--name", "db", "--network", "shop", "--ip", self.DATABASE, "--volume", "data:/data", "--env", "DB_PASSWORD=secret", "db")

    @staticmethod
    def ask(node, *options):
        """What the web container of the host says, or None."""
        said = node.host.exec("curl", "--silent", "--fail", "--max-time", "20", *options, "http://127.0.0.1:8080/", check=False)
        return json.loads(said.out) if said.code == 0 else None

    def await_notes(self, node, notes):
        eventually(lambda: (self.ask(node) or {}).get("notes") == notes, f"{node.name} to answer {notes}", 60, 0.5)


if __name__ == "__main__":
    unittest.main()
