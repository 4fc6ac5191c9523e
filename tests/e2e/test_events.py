"""What `fairlead events` and GET /v1/events tell, whichever program did it."""

import json

from support.e2e import cni
from support.e2e.case import CniCalls, DockerCase, FairleadCase
from support.e2e.waiting import eventually

API_SOCKET = "/run/fairlead/api.sock"


class Follower:
    """Follows the API's lines in the background."""

    count = 0

    def __init__(self, host, query=""):
        Follower.count += 1
        self.process = host.start("curl", "--silent", "--no-buffer", "--unix-socket", API_SOCKET,
                                  f"http://localhost/v1/events{query}", name=f"follower-{Follower.count}", may_end=True)

    def lines(self):
        return [json.loads(line) for line in self.process.log().splitlines(keepends=True) if line.endswith("\n")]

    def words(self):
        return [f"{line['kind']} {line['action']}" for line in self.lines() if "action" in line]

    def await_words(self, *words):
        eventually(lambda: self.words() == list(words), f"{words}, not {self.words()}")

    def await_line(self, **members):
        def found():
            return [line for line in self.lines() if members.items() <= line.items()]
        eventually(found, f"a line with {members}", 15)
        return found()[0]


def follow(case, query=""):
    follower = Follower(case.host, query)
    case.addCleanup(follower.process.stop)
    follower.await_line(kind="heartbeat")
    return follower


class Events(CniCalls, FairleadCase):
    def setUp(self):
        super().setUp()
        self.containers.make("web")

    def test_an_add_and_a_del_without_the_daemon_are_seen_by_its_feed(self):
        followed = follow(self, "?kind=network,endpoint,port")
        conflist = cni.fairlead_conflist("shop")
        conflist["plugins"][0]["type"] = "fairlead-cni-local"
        plugin = cni.Network(self.host, conflist)
        plugin.add("web", ports=[(8080, 80)])
        followed.await_words("network create", "endpoint create", "endpoint join", "port publish")
        joined = followed.await_line(kind="endpoint", action="join")
        self.assertEqual(("web", "shop", "cni"), tuple(joined["attributes"][key] for key in ("container", "network_name", "runtime")))
        plugin.delete("web")
        eventually(lambda: followed.words()[4:7] == ["port unpublish", "endpoint leave", "endpoint remove"], "the DEL")

    def test_the_verbs_of_volumes_are_told(self):
        followed = follow(self, "?kind=volume,snapshot")
        for words in (("create", "data"), ("label", "data", "team=a"), ("rename", "data", "other"), ("rm", "other")):
            self.host.fairlead("volume", *words)
        followed.await_words("volume create", "volume label", "volume rename", "volume remove")
        self.assertEqual("data", followed.await_line(action="rename")["attributes"]["former"])

    def test_goes_on_after_a_restart_of_the_daemon(self):
        followed = follow(self)
        self.host.fairlead("network", "create", "again")
        seen = followed.await_line(kind="network", action="create", name="again")["revision"]
        self.fairleadd.stop()
        self.restart_fairleadd()
        self.assertEqual("stop", followed.lines()[-1]["reason"])
        self.host.fairlead("network", "rm", "again")
        shown = self.host.fairlead("events", "--since", str(seen), "--until", "now").out.splitlines()
        self.assertEqual(1, len(shown), shown)
        self.assertRegex(shown[0], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z network remove again \(id=[0-9a-f]{12}, mode=bridge")

    def test_what_happened_since_a_time_is_told(self):
        followed = follow(self)
        for name in ("early", "late"):
            self.host.fairlead("network", "create", name)
        since = followed.await_line(kind="network", action="create", name="late")["time"]
        self.host.fairlead("network", "rm", "early", "late")
        lines = self.host.fairlead("events", "--since", since, "--until", "now", "--kind", "network").out.splitlines()
        self.assertEqual(["create late", "remove early", "remove late"], [" ".join(line.split()[2:4]) for line in lines])
        self.assertIn("network create early", self.host.fairlead("events", "--since", "10m", "--until", "now").out)
        refused = self.host.fairlead("events", "--since", "yesterday", check=False)
        self.assertIn("--since takes a revision, a time like 2026-01-31T12:00:00Z, or how long ago, like 10m", refused.err)

    def test_eight_watchers_hold_up_nobody_and_all_are_told(self):
        followers = [follow(self) for _ in range(8)]
        self.host.fairlead("network", "create", "told")
        for _ in range(20):
            self.host.exec("curl", "--silent", "--fail", "--max-time", "2", "--unix-socket", API_SOCKET, "http://localhost/v1/networks")
        for follower in followers:
            follower.await_line(kind="network", action="create", name="told")
            last = follower.lines()[-1]["revision"]
            eventually(lambda lines=follower.lines, last=last: any(
                line["kind"] == "heartbeat" and line["revision"] >= last for line in lines()), "a heartbeat", 15)
        self.host.fairlead("network", "rm", "told")

    def test_a_revision_that_was_never_reached_is_refused_in_words(self):
        refused = self.host.fairlead("events", "--since", "999999999", check=False)
        self.assertEqual(1, refused.code)
        self.assertIn("list again", refused.err)

    def test_without_the_daemon_it_says_so(self):
        refused = self.host.fairlead("events", "--run-dir", "/run/elsewhere", check=False)
        self.assertEqual(1, refused.code)
        self.assertIn("fairleadd does not run", refused.err)


class DockerEvents(DockerCase):
    def test_a_container_comes_and_goes(self):
        def words():  # names come when dockerd tells them
            return [word for word in followed.words() if not word.endswith(" update")]

        followed = follow(self, "?kind=network,endpoint,port")
        self.docker.network("net")
        self.docker.run("web", "--publish", "8080:80", network="net")
        begun = ["network create", "endpoint create", "endpoint join", "port publish"]
        eventually(lambda: words() == begun, "the container to be told of")
        eventually(lambda: {"network update", "endpoint update"} <= set(followed.words()), "their names")
        self.docker.remove("web")
        eventually(lambda: words()[-1] == "endpoint remove", "the end of the container")
        self.assertEqual([*begun, "port unpublish", "endpoint leave", "endpoint remove"], words())
