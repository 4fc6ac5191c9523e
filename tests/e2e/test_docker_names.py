"""Networks and containers by the names that Docker gives them: in lists, messages, events and the log."""

import json
import re

from support.e2e.case import DockerCase
from support.e2e.host import CommandFailed, bin_folder
from support.e2e.images import IMAGE
from support.e2e.waiting import eventually

LABELS = ("--label", "com.docker.compose.project=blog", "--label", "com.docker.compose.service=front")


class DockerNames(DockerCase):
    def setUp(self):
        super().setUp()
        self.docker.network("shop")
        self.docker.run("web", "--publish", "8080:80", *LABELS, network="shop")
        self.await_name("web")

    def named(self):
        return {endpoint.get("names", {}).get("name") for endpoint in self.host.endpoints()}

    def await_name(self, name):
        eventually(lambda: name in self.named(), f"Docker's name {name}")

    def said(self, *arguments):
        """What a command that fails says."""
        output = self.host.fairlead(*arguments, check=False)
        self.assertEqual(1, output.code, output.out)
        return output.err

    def test_lists_and_inspect_show_them(self):
        network = self.host.fairlead("network", "ls").out
        self.assertRegex(network, r"(?m)^[0-9a-f]{12} +shop ")
        row = self.host.fairlead("endpoint", "ls").out.splitlines()[1]
        self.assertRegex(row, r"^[0-9a-f]{12} +shop +web +blog +eth0 ")
        self.assertRegex(self.host.fairlead("port", "ls").out.splitlines()[1],
                         r"^0\.0\.0\.0:8080->80/tcp +\S+ +shop +web +blog$")
        shown = json.loads(self.host.fairlead("network", "inspect", "shop").out)[0]["state"]
        self.assertEqual(["shop"], [runtime["name"] for runtime in shown["runtimes"]])
        names = shown["attached"][0]["names"]
        self.assertEqual(("web", "blog", "front", "web"), tuple(names[key] for key in ("name", "project", "service", "hostname")))
        self.assertIn("web", names["aliases"])
        self.assertEqual("eth0", shown["attached"][0]["ifname"])

    def test_dockers_name_finds_the_network(self):
        self.docker.network("other")
        self.docker.run("alone", network="other")
        self.await_name("alone")
        for listing in ("endpoint", "port"):
            self.assertIn("web", self.host.fairlead(listing, "ls", "--network", "shop").out)
            self.assertNotIn("alone", self.host.fairlead(listing, "ls", "--network", "shop").out)
        for listing in ("endpoint", "port"):
            self.assertIn('network "nosuch" does not exist', self.said(listing, "ls", "--network", "nosuch"))

    def test_messages_say_them(self):
        self.docker.network("other")
        refused = self.docker.fails("run", "--rm", "--network", "other", "--publish", "8080:80", IMAGE, "true")
        self.assertIn("container web of network shop", refused)
        self.assertIn("compose project blog", refused)
        self.assertIn("docker network rm shop", self.said("network", "rm", "shop"))
        self.assertIn("docker network disconnect -f shop web", self.said("endpoint", "rm", "web"))
        self.assertIn("remove network docker-", self.said("network", "rm", "-f", "shop"))
        self.assertIn("(web)", self.said("network", "rm", "-f", "shop"))

    def test_a_new_name_is_heard_of(self):
        self.docker("rename", "web", "front")
        self.await_name("front")
        self.docker.network("second")
        self.docker.connect("second", "front")
        eventually(lambda: "front" in self.host.fairlead("endpoint", "ls", "--network", "second").out,
                   "the name on the second network")
        self.docker("restart", "--time", "0", "front")
        eventually(lambda: len(self.host.endpoints()) == 2 and self.named() == {"front"}, "both endpoints again")
        self.assertEqual({"eth0", "eth1"}, {endpoint["ifname"] for endpoint in self.host.endpoints()})

    def test_the_last_known_names_are_shown_without_anybody(self):
        self.docker.kill()
        try:
            self.assertIn("web", self.host.fairlead("endpoint", "ls", "--network", "shop").out)
            self.fairleadd.kill()
            self.assertIn("web", self.host.fairlead("endpoint", "ls", "--network", "shop").out)
            self.assertIn("shop", self.host.fairlead("network", "ls").out)
        finally:
            self.restart_fairleadd()
            self.docker.start()

    def test_what_is_named_while_fairleadd_is_away_is_caught_up_with(self):
        self.fairleadd.stop()
        self.docker("rename", "web", "front")
        self.restart_fairleadd()
        self.await_name("front")

    def test_names_go_with_what_they_name(self):
        self.docker.remove("web")
        self.docker.remove_network("shop")
        self.assertEqual([], self.host.endpoints())
        self.assertIn('"shop" does not exist', self.said("network", "inspect", "shop"))

    def test_the_log_tells_one_line_for_each_change(self):
        def lines(words):
            return [line for line in self.fairleadd.log()[start:].splitlines() if words in line]

        start = len(self.fairleadd.log())
        self.docker.remove("web")
        self.docker.run("web", "--publish", "8080:80", *LABELS, network="shop")
        address = self.docker.address("web", "shop")
        attached = f"attached container web (compose project blog) to network shop: {address}, 0.0.0.0:8080->80/tcp"
        eventually(lambda: lines(attached) or lines(attached.replace("0.0.0.0:", "")), "the line of the attachment")
        self.assertEqual([], lines("RequestPool"))
        self.assertEqual([], lines("verb=NetworkDriver.Join"))
        self.assertEqual(1, len(lines("attached container web")))
        self.assertEqual(1, len(lines("detached container web (compose project blog) from network shop")))

    def test_events_tell_them(self):
        events = self.host.start(bin_folder() / "fairlead", "events", "--since", "1m", name="events")
        try:
            self.docker("rename", "web", "front")
            eventually(lambda: re.search(r"endpoint update .*container_name=front.*network_name=shop", events.log()),
                       "the new name")
        finally:
            events.kill()


class TwoOfOneName(DockerCase):
    def test_are_told_apart_by_their_ids(self):
        # docker network create refuses a second one of that name, the API does not unless it is asked to.
        for _ in range(2):
            self.host.exec("curl", "--silent", "--fail", "--unix-socket", "/run/docker.sock", "-H",
                           "Content-Type: application/json", "-d",
                           json.dumps({"Name": "twin", "Driver": "fairlead", "IPAM": {"Driver": "fairlead"}}),
                           "http://localhost/networks/create")
        eventually(lambda: self.host.fairlead("network", "ls").out.count(" twin ") == 2, "both names")
        with self.assertRaises(CommandFailed) as refused:
            self.host.fairlead("network", "inspect", "twin")
        for network in self.host.networks():
            self.assertIn(network["id"][:12], str(refused.exception))
            self.assertEqual(0, self.host.fairlead("network", "inspect", network["id"][:12]).code)
