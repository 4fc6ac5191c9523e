"""examples/webapp as a reader types it, with either Compose."""

import unittest

from support.e2e import debian_images, newer_docker
from support.e2e.case import DockerCase
from support.e2e.docker import stand_in
from support.e2e.host import bin_folder

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


if __name__ == "__main__":
    unittest.main()
