"""docker-compose with a two-service file whose only change is `driver: fairlead`."""

from support.e2e.case import DockerCase
from support.e2e.docker import NETWORK_DRIVER, VOLUME_DRIVER
from support.e2e.host import HOST_V4
from support.e2e.waiting import eventually

FILE = f"""version: "3.8"
services:
  web:
    image: fairlead-e2e:1
    command: answer web tcp/80
    ports: ["8080:80"]
    networks: {{shop: {{aliases: [frontend]}}}}
    volumes: ["pages:/data"]
  worker:
    image: fairlead-e2e:1
    command: answer worker tcp/80
    networks: [shop]
    volumes: ["pages:/data"]
    depends_on: [web]
networks:
  shop:
    driver: {NETWORK_DRIVER}
volumes:
  pages:
    driver: {VOLUME_DRIVER}
"""


class Compose(DockerCase):
    def setUp(self):
        super().setUp()
        self.host.write("/run/host/project/docker-compose.yml", FILE)

    def compose(self, *arguments):
        return self.host.exec("docker-compose", "--project-directory", "/run/host/project", "--file",
                              "/run/host/project/docker-compose.yml", *arguments,
                              env={"DOCKER_HOST": "unix:///run/docker.sock"})

    def test_up_and_down(self):
        with self.leaving_nothing():
            self.compose("up", "--detach")
            eventually(lambda: self.host.outside.ask(HOST_V4, 8080).name == "web", "the web service")
            web = self.docker.address("project_web_1", "project_shop")
            for name in ("web", "frontend", "project_web_1"):
                self.assertEqual({web}, self.docker.resolves("project_worker_1", name))
            self.assertEqual("web", self.docker.ask("project_worker_1", web, 80).name)
            self.docker.exec("project_web_1", "sh", "-c", "echo shared > /data/page")
            self.assertEqual("shared\n", self.docker.exec("project_worker_1", "cat", "/data/page").out)
            self.compose("down", "--volumes", "--timeout", "1")

    def test_up_again_keeps_the_volume_and_scales(self):
        self.compose("up", "--detach")
        self.docker.exec("project_web_1", "sh", "-c", "echo kept > /data/page")
        self.compose("down", "--timeout", "1")
        self.compose("up", "--detach", "--scale", "worker=3")
        self.assertEqual("kept\n", self.docker.exec("project_worker_3", "cat", "/data/page").out)
        eventually(lambda: self.host.outside.ask(HOST_V4, 8080).name == "web", "the web service")
        self.compose("down", "--volumes", "--timeout", "1")
