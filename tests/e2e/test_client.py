"""The client library for programs in C++: installed, found by CMake, and used by the example against a real daemon."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support.e2e.case import CniCalls, FairleadCase
from support.e2e.host import HOST_V4, bin_folder
from support.e2e.waiting import eventually

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "client-cpp"
PROGRAM = "/run/host/client-example"


def build_example(folder):
    """Installs the library into a prefix of its own, and builds the example with nothing but that."""
    prefix, build = folder / "prefix", folder / "build"
    for command in (("cmake", "--install", bin_folder().parent, "--component", "client", "--prefix", prefix),
                    ("cmake", "-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}"),
                    ("cmake", "--build", build)):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return build / "client-example"


class ClientLibrary(CniCalls, FairleadCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not (bin_folder().parent / "CMakeCache.txt").is_file():
            raise unittest.SkipTest("the folder of --bin is not that of a build")
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        shutil.copy(build_example(folder), cls.host.path(PROGRAM))

    def setUp(self):
        super().setUp()
        self.containers.make("web")

    def test_the_example_makes_uses_and_removes_a_network(self):
        with self.leaving_nothing():
            go_on = self.host.path("/run/host/go-on")
            example = self.host.start("sh", "-c", f"while [ ! -e /run/host/go-on ]; do sleep 0.05; done"
                                      f" | {PROGRAM} /run/netns/web", name="client-example")
            eventually(lambda: "ready" in example.log(), "the example to be ready")
            self.assertEqual(["address 10.77.0.2/24", "port 8080 of web"], example.log().splitlines()[:2])
            self.assertEqual(["example"], [network["name"] for network in self.host.networks()])
            self.assertEqual([("web", "example")], [(endpoint["container"], endpoint["runtime"])
                                                    for endpoint in self.host.endpoints()])
            with self.containers.net("web") as namespace, namespace.listen("0.0.0.0", 80):
                self.host.outside.connect(HOST_V4, 8080).close()
            go_on.touch()
            self.assertEqual(0, example.wait(30), example.log())
            go_on.unlink()

    def test_what_the_daemon_refuses_is_said_in_its_words(self):
        self.host.fairlead("network", "create", "--subnet", "10.77.0.0/25", "other")
        refused = self.host.exec(PROGRAM, "/run/netns/web", check=False)
        self.host.fairlead("network", "rm", "other")
        self.assertEqual(1, refused.code)
        self.assertIn("client-example: create network example: ", refused.err)
        self.assertIn("other", refused.err)

    def test_a_daemon_that_does_not_run_is_no_riddle(self):
        refused = self.host.exec(PROGRAM, "/run/netns/web", "/run/elsewhere/api.sock", check=False)
        self.assertEqual(1, refused.code)
        self.assertEqual("client-example: fairleadd does not run (nobody listens at /run/elsewhere/api.sock); start it\n",
                         refused.err)
