"""Clients that OpenAPI Generator makes of openapi.json, in Python and Go: used by the examples against a real daemon."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support.e2e.case import FairleadCase
from support.e2e.suites import FOLDER
from support.e2e.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES, DOCUMENT = REPOSITORY / "examples" / "openapi", REPOSITORY / "plugin-api" / "native" / "openapi.json"
PLACE, GO_ON = "/run/host/client", "/run/host/go-on"
CANNOT_BE_HAD = 75  # the exit code of generate.py
LIBRARIES = Path("/usr/share/gocode")  # where Debian has Go's
SHOWN = """\
networks: example
network: example 10.77.0.0/24 10.77.0.1 example
volume: notes image 4294967296
snapshots: notes@first
refused: 404 not_found network "nowhere" does not exist"""


def run(*command, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **more)
    if done.returncode == CANNOT_BE_HAD:
        raise unittest.SkipTest(done.stderr.strip())
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def generate(language, out):
    run(sys.executable, EXAMPLES / "generate.py", "--cache", FOLDER, language, out)


def integers_in(part):
    """Every part of the document that describes an integer."""
    if isinstance(part, dict):
        if part.get("type") == "integer":
            yield part
        part = list(part.values())
    for element in part if isinstance(part, list) else ():
        yield from integers_in(element)


class Document(unittest.TestCase):
    """What generators need, and no other reader of openapi.json misses."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.document = json.loads(DOCUMENT.read_text(encoding="utf-8"))

    def test_every_operation_belongs_to_one_class_of_a_client(self):
        known = {tag["name"] for tag in self.document["tags"]}
        for path, operations in self.document["paths"].items():
            for method, operation in operations.items():
                self.assertEqual(1, len(known.intersection(operation.get("tags", []))), f"{method} {path}: its tags are not one of {known}")

    def test_every_integer_that_may_be_large_has_64_bits(self):
        found = list(integers_in(self.document))
        self.assertGreater(len(found), 50)
        for schema in found:
            if schema.get("maximum", 2 ** 63) >= 2 ** 31:
                self.assertEqual("int64", schema.get("format"), f"clients in Go would have 32 bits for {schema}")


class ExampleInALanguage:
    """Mixed in below, with what makes the example into PLACE of the host, and the command that starts it there."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make(cls.host.path(PLACE), Path(cls.enterClassContext(tempfile.TemporaryDirectory())))

    def tearDown(self):
        self.host.path(GO_ON).unlink(missing_ok=True)
        for network in self.host.networks():
            self.host.fairlead("network", "rm", network["name"])
        for volume in self.host.volumes():
            self.host.fairlead("volume", "rm", volume["name"])
        super().tearDown()

    def say(self, *arguments):
        """What the example says when its stdin has ended already."""
        return self.host.exec(*self.example, *arguments, check=False)

    def test_makes_shows_and_removes_a_network_and_a_volume_with_a_snapshot(self):
        with self.leaving_nothing():
            go_on = self.host.path(GO_ON)
            example = self.host.start("sh", "-c", f"while [ ! -e {GO_ON} ]; do sleep 0.05; done | {' '.join(self.example)}", name="example")
            eventually(lambda: "ready" in example.log() or "example:" in example.log(), "the example to be ready", 30)
            self.assertTrue(example.log().startswith(SHOWN), example.log())
            self.assertEqual(["example"], [network["name"] for network in self.host.networks()])
            self.assertEqual({"by": "example"}, self.host.networks()[0]["labels"])
            self.assertEqual([("notes", ["first"])], [(volume["name"], [snapshot["name"] for snapshot in volume["state"]["snapshots"]])
                                                      for volume in self.host.volumes()])
            go_on.touch()
            self.assertEqual(0, example.wait(60), example.log())
            go_on.unlink()
            self.assertEqual([], self.host.networks() + self.host.volumes())

    def test_what_the_daemon_refuses_is_said_in_its_words(self):
        self.host.fairlead("network", "create", "--subnet", "10.77.0.0/25", "other")
        refused = self.say()
        self.host.fairlead("network", "rm", "other")
        self.assertEqual(1, refused.code, refused.out)
        self.assertIn("example: create network example: ", refused.err)
        self.assertIn("other", refused.err)

    def test_a_daemon_that_does_not_run_is_no_riddle(self):
        refused = self.say("/run/elsewhere/api.sock")
        self.assertEqual(1, refused.code, refused.out)
        self.assertIn("example: fairleadd does not answer at /run/elsewhere/api.sock: ", refused.err)


class InPython(ExampleInALanguage, FairleadCase):
    example = ("env", f"PYTHONPATH={PLACE}", "python3", f"{PLACE}/example.py")

    @classmethod
    def make(cls, place, folder):
        generate("python", folder)
        shutil.copytree(folder, place)  # Java writes to no path through /proc
        shutil.copy(EXAMPLES / "example.py", place)


class InGo(ExampleInALanguage, FairleadCase):
    example = (f"{PLACE}/example",)

    @classmethod
    def make(cls, place, folder):
        if not shutil.which("go"):
            raise unittest.SkipTest("no go to build the example with")
        sources = folder / "src"
        generate("go", sources / "fairlead")
        (sources / "example").mkdir()
        shutil.copy(EXAMPLES / "example.go", sources / "example")
        place.mkdir()
        settings = {"GO111MODULE": "off", "GOPATH": f"{folder}:{LIBRARIES}", "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
        run("go", "build", "-o", place / "example", "example", env={**os.environ, **settings})
