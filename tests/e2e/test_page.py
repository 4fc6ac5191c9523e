"""The page of `fairleadd --ui`, as a person uses it: in a browser, with a keyboard, with a screen reader, in the dark.

With FAIRLEAD_E2E_PICTURES=FOLDER the tests leave pictures of what they saw there.
"""

import contextlib
import http.client
import json
import os
import socket
import time
import unittest
from pathlib import Path

from support.e2e import axe, browser
from support.e2e.case import FairleadCase
from support.e2e.host import API_SOCKET
from support.e2e.suites import Unavailable
from support.e2e.waiting import eventually

PLACE = "127.0.0.1:7780"
VIEWS = ("overview", "networks", "endpoints", "ports", "volumes", "jobs", "problems", "activity")
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
MANY = 1000
# Seconds that the page computes with so many endpoints: until it is seen, and for one endpoint more.
FIRST_LOOK, AFTER_AN_EVENT = 1.5, 0.6


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class PageCase(FairleadCase):
    """A host with a daemon that has a page, and a browser on that host. All endpoints are interfaces of one namespace."""

    fairleadd_options = ("--ui", PLACE)

    @classmethod
    def setUpClass(cls):
        if browser.why_not():
            raise unittest.SkipTest(browser.why_not())
        super().setUpClass()
        cls.browser = cls.enterClassContext(browser.Browser(cls.host))
        cls.host.exec("ip", "netns", "add", "containers")
        cls.attached = 0

    def setUp(self):
        super().setUp()
        self.browser.errors.clear()

    def tearDown(self):
        for network in self.host.networks():
            self.api("POST", f"/v1/networks/{network['name']}/collect", {"runtime": "api", "valid": []})
            self.host.fairlead("network", "rm", network["name"])
        for volume in self.host.volumes():
            self.host.fairlead("volume", "rm", volume["name"])
        super().tearDown()

    def api(self, method, path, body=None):
        """What the daemon answers at its socket."""
        with contextlib.closing(UnixHttp(self.host.path(API_SOCKET))) as connection:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text else None

    def attach(self, network, container, *ports, **more):
        type(self).attached += 1
        return self.api("POST", "/v1/endpoints", {
            "network": network, "container": container, "ifname": f"eth{self.attached}", "netns": "/run/netns/containers",
            "ports": [{"host_port": outside, "container_port": inside, "protocol": protocol} for outside, inside, protocol in ports], **more})

    def a_shop(self):
        """Something of everything."""
        for words in (("shop", "--subnet", "10.77.0.0/24", "--label", "team=web"), ("backend", "--internal"), ("spare",)):
            self.host.fairlead("network", "create", *words)
        self.attach("shop", "web-1", (8080, 80, "tcp"), (8443, 443, "tcp"), labels={"tier": "front"})
        self.attach("shop", "web-2", (8081, 80, "tcp"))
        self.attach("shop", "worker")
        self.attach("backend", "db")
        self.attach("backend", "web-1")
        self.host.fairlead("volume", "create", "data", "-o", "backend=image", "-o", "size=32m")
        self.host.fairlead("volume", "create", "config", "--label", "app=shop")
        self.host.fairlead("snapshot", "create", "data", "monday")

    # ---- the page

    def link(self):
        return self.host.fairlead("ui").out.strip()

    def open(self, view=None):
        """The page, signed in, with all that there is."""
        self.browser.open("about:blank")
        self.browser.open(self.link())
        self.browser.until("document.querySelector('.tile')", "the first look")
        if view:
            self.go(view)

    def go(self, view):
        self.browser.run(f"location.hash = '#/{view}'")
        self.browser.until(f"document.querySelector('[aria-current]')?.dataset.view === '{view}'", view)
        self.browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def rows(self):
        """The visible rows of the table, each a list of texts."""
        return self.browser.run("[...document.querySelectorAll('tbody tr[data-key]')].map(row => [...row.cells].map(cell => cell.innerText.trim()))")

    def await_row(self, *texts):
        def found():
            return any(all(any(text in cell for cell in row) for text in texts) for row in self.rows())
        eventually(found, f"a row with {texts}", 10, 0.05)

    def button(self, words):
        """An expression for the button with these words, or this label."""
        return (f"[...document.querySelectorAll('button')].findLast(one => one.checkVisibility() && (one.innerText.trim() === {json.dumps(words)}"
                f" || one.getAttribute('aria-label') === {json.dumps(words)}))")

    def click(self, words):
        self.browser.until(self.button(words), f"the button {words}")
        self.browser.click(self.button(words))

    def picture(self, name, whole=False):
        if folder := os.environ.get("FAIRLEAD_E2E_PICTURES"):
            self.browser.picture(Path(folder) / f"{name}.png", whole)

    def assert_no_errors(self):
        self.assertEqual([], self.browser.errors)


class Seen(PageCase):
    def test_the_link_signs_in_and_leaves_no_token_behind(self):
        token = self.link().partition("#token=")[2]
        self.open()
        self.assertEqual(f"http://{PLACE}/", self.browser.run("location.href.replace(/#.*/, '')"))
        self.assertNotIn(token, self.browser.run("location.href + JSON.stringify(history.state) + document.documentElement.outerHTML"))
        cookie, = self.browser.cookies()
        self.assertEqual((True, "Strict", token[:32]), (cookie["httpOnly"], cookie["sameSite"], cookie["value"]))
        self.assertEqual("", self.browser.run("document.cookie"))
        self.assertNotIn(token[:32], self.browser.run("JSON.stringify(localStorage)"))
        self.browser.open(f"http://{PLACE}/")  # a visit later, without the token
        self.browser.until("document.querySelector('.tile')", "the page without the link")
        self.assert_no_errors()

    def test_without_the_token_it_says_how_to_sign_in_and_signs_out(self):
        self.open()
        self.click("Sign out")
        self.browser.until("document.querySelector('.sign-in')", "the question for the token")
        self.assertIn("sudo fairlead ui", self.browser.text())
        self.assertEqual([], self.browser.cookies())
        self.picture("sign-in")
        self.assert_no_errors()
        self.browser.type("f" * 64)
        self.browser.press("Enter")
        self.browser.until("document.querySelector('[role=alert]')", "the refusal")
        self.assertIn("this is not the token of this daemon", self.browser.text())
        self.browser.run("document.querySelector('#token').value = ''; document.querySelector('#token').focus()")
        self.browser.type(self.link())  # all of it, as it was printed
        self.browser.press("Enter")
        self.browser.until("document.querySelector('.tile')", "the first look")

    def test_an_empty_host_says_what_to_do(self):
        self.open()
        self.assertIn("docker network create -d fairlead shop", self.browser.text())
        for view in VIEWS[1:-1]:  # what happened before it was empty is remembered
            self.go(view)
            if view != "problems":  # where the doctor may have notes about this machine
                self.assertTrue(self.browser.run("Boolean(document.querySelector('.empty'))"), view)
        self.go("networks")
        self.picture("empty")
        self.assert_no_errors()

    def test_shows_what_there_is(self):
        self.a_shop()
        self.open()
        self.assertEqual(["3", "5", "3", "2", "0", "0"], self.browser.run("[...document.querySelectorAll('.tile .value')].map(one => one.innerText)"))
        drawn = self.browser.run("[...document.querySelectorAll('svg.picture text')].map(one => one.textContent)")
        for words in ("shop", "backend", "spare", "web-1", "10.77.0.2", "8080 → 80/tcp  +1", "8081 → 80/tcp"):
            self.assertIn(words, drawn)
        self.assertIn("3 networks, 5 endpoints and 3 published ports", self.browser.run("document.querySelector('svg.picture').ariaLabel"))
        self.picture("overview", whole=True)
        for view, texts in (("networks", ("shop", "10.77.0.0/24", "3", "ready")), ("endpoints", ("web-1", "shop", "10.77.0.2", "joined")),
                            ("ports", ("8443/tcp", "web-1", "443", "shop")), ("volumes", ("data", "of 32.0 MiB", "image", "1", "ok"))):
            self.go(view)
            self.await_row(*texts)
            self.picture(view)
        self.assert_no_errors()

    def test_follows_what_happens(self):
        self.a_shop()
        self.open("endpoints")
        late = self.attach("spare", "late", (9000, 9, "udp"))
        self.await_row("late", "spare", "9000 → 9/udp")
        self.go("networks")
        self.await_row("spare", "1")
        self.api("DELETE", f"/v1/endpoints/spare/{late['id']}")
        self.await_row("spare", "0")
        self.host.fairlead("volume", "create", "late-volume")
        self.go("volumes")
        self.await_row("late-volume")
        self.go("activity")
        self.assertIn("late-volume", self.browser.text())
        self.assertIn("backend", self.browser.text())  # what happened before
        self.assert_no_errors()

    def test_names_of_others_are_words_and_never_markup(self):
        self.host.fairlead("network", "create", "shop", "--label", f"note={HOSTILE}")
        self.attach("shop", "web", names={"name": HOSTILE, "project": HOSTILE, "labels": {"x": HOSTILE}}, labels={"y": "javascript:alert(1)"})
        self.open()
        self.browser.until(f"document.querySelector('.p-chip').textContent.startsWith({json.dumps(HOSTILE[:12])})", "the name in the picture")
        for view in VIEWS:
            self.go(view)
        self.go("endpoints")
        self.click(HOSTILE)
        self.browser.until("document.querySelector('#sheet').open", "the sheet")
        self.assertIn(f"x={HOSTILE}", self.browser.text())
        self.assertEqual(1, self.browser.run("document.images.length"))  # the page's own
        self.assertNotEqual("owned", self.browser.run("document.title"))
        self.picture("hostile")
        with self.assertRaises(browser.PageFailed):  # nor could it be, by mistake
            self.browser.run(f"document.querySelector('#view').innerHTML = {json.dumps(HOSTILE)}")
        self.assertEqual([], [error for error in self.browser.errors if "TrustedHTML" not in error])

    def test_finds_by_name_address_port_and_label(self):
        self.a_shop()
        self.open("endpoints")
        for query, kept in (("8443", 1), ("10.77.0.", 3), ("tier=front", 1), ("WEB-1", 2), ("nothing", 0), ("", 5)):
            self.browser.run(f"document.querySelector('#search').value = '{query}'; document.querySelector('#search').dispatchEvent(new Event('input'))")
            self.browser.until(f"document.querySelectorAll('tbody tr[data-key]').length === {kept}", f"{kept} rows with {query}")
        self.assert_no_errors()

    def test_a_keyboard_is_enough(self):
        self.a_shop()
        self.open()
        self.browser.press("Tab")
        self.assertEqual("Skip to content", self.browser.run("document.activeElement.innerText"))
        self.browser.press("/")
        self.browser.type("web-2")
        self.go("endpoints")
        self.browser.until("document.querySelectorAll('tbody tr[data-key]').length === 1", "the one row")
        self.browser.run("document.querySelector('tbody button').focus()")
        self.browser.press("Enter")
        self.browser.until("document.querySelector('#sheet').open", "the sheet")
        self.assertTrue(self.browser.run("document.querySelector('#sheet').contains(document.activeElement)"))
        self.browser.press("Escape")
        self.browser.until("!document.querySelector('#sheet').open", "the sheet to go")
        self.assertEqual("web-2", self.browser.run("document.activeElement.innerText"))
        self.attach("backend", "web-20")  # the table is drawn anew, and the keyboard stays where it was
        self.await_row("web-20")
        self.assertEqual("web-2", self.browser.run("document.activeElement.innerText"))
        self.assert_no_errors()

    def test_a_daemon_that_goes_and_comes_is_said_and_followed(self):
        self.a_shop()
        self.open("networks")
        self.browser.until("document.querySelector('#live').innerText === 'Live'", "the stream")
        self.fairleadd.stop()
        self.browser.until("!document.querySelector('#banner').hidden", "the banner")
        self.assertIn("the daemon does not answer", self.browser.text())
        self.assertTrue(self.rows())  # what was known stays
        self.picture("no-answer")
        self.restart_fairleadd()
        self.host.fairlead("network", "create", "after")
        self.browser.until("document.querySelector('#banner').hidden && document.querySelector('#live').innerText === 'Live'", "the stream again", 20)
        self.await_row("after")
        self.assertEqual([], [error for error in self.browser.errors if "ERR_CONNECTION_REFUSED" not in error and "ERR_INCOMPLETE" not in error])

    def test_a_problem_comes_with_what_to_do(self):
        self.host.fairlead("volume", "create", "lost")
        folder = self.host.path(self.host.fairlead_json("volume", "inspect", "lost")[0]["state"]["mountpoint"]).parent
        hidden = folder.with_name(folder.name + "-away")
        folder.rename(hidden)
        try:
            self.open("problems")
            self.browser.until("document.querySelector('.problem')", "the problem")
            self.assertIn("lost", self.browser.text())
            self.picture("problems")
            self.assert_no_errors()
        finally:
            hidden.rename(folder)

    def test_it_only_shows(self):
        self.a_shop()
        self.open("volumes")
        self.click("data")
        self.browser.until("document.querySelector('#sheet').open", "the sheet")
        self.assertNotIn("Remove", self.browser.text())
        self.picture("volume")
        self.assert_no_errors()


class ForEverybody(PageCase):
    """Light, dark, narrow, and heard instead of seen."""

    fairleadd_options = ("--ui", PLACE, "--ui-write")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.axe = axe.source()
        except Unavailable as why:
            raise unittest.SkipTest(str(why)) from None

    def assert_accessible(self, what):
        self.assertEqual([], axe.violations(self.browser, self.axe), what)

    def assert_all_accessible(self, scheme):
        self.a_shop()
        self.browser.prefer(scheme)
        self.open()
        self.browser.call("Page.setBypassCSP", enabled=True)  # for axe alone
        for view in VIEWS:
            self.go(view)
            self.assert_accessible(f"{view}, {scheme}")
            self.picture(f"{view}-{scheme}")
        for view, name in (("endpoints", "web-1"), ("volumes", "data"), ("networks", "shop")):
            self.go(view)
            self.click(name)
            self.browser.until("document.querySelector('#sheet').open", "the sheet")
            self.assert_accessible(f"{name}, {scheme}")
            self.picture(f"sheet-{view}-{scheme}")
            self.browser.press("Escape")
        self.go("problems")
        self.click("Reconcile now…")
        self.assert_accessible(f"a question, {scheme}")
        self.picture(f"question-{scheme}")
        self.browser.press("Escape")
        self.click("Sign out")
        self.browser.until("document.querySelector('.sign-in')", "the question for the token")
        self.assert_accessible(f"signing in, {scheme}")
        self.assert_no_errors()

    def test_nothing_is_in_the_way_of_a_screen_reader_when_it_is_light(self):
        self.assert_all_accessible("light")

    def test_nothing_is_in_the_way_of_a_screen_reader_when_it_is_dark(self):
        self.assert_all_accessible("dark")

    def test_dark_and_light_are_what_the_system_says_or_the_person(self):
        self.open()
        def ground():
            return self.browser.run("getComputedStyle(document.body).backgroundColor")
        self.browser.prefer("light")
        light = ground()
        self.browser.prefer("dark")
        dark = ground()
        self.assertNotEqual(light, dark)
        self.browser.click("document.querySelector('#theme')")
        self.assertEqual(light, ground())
        self.browser.click("document.querySelector('#theme')")
        self.browser.prefer("light")
        self.assertEqual(dark, ground())
        self.browser.click("document.querySelector('#theme')")
        self.assertEqual(light, ground())

    def test_a_narrow_window_scrolls_only_downwards(self):
        self.a_shop()
        self.browser.resize(400, 800)
        try:
            self.open()
            for view in VIEWS:
                self.go(view)
                self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), 400, view)
                self.picture(f"narrow-{view}")
        finally:
            self.browser.resize(1280, 860)


class Changed(PageCase):
    """With --ui-write."""

    fairleadd_options = ("--ui", PLACE, "--ui-write")

    def setUp(self):
        super().setUp()
        self.a_shop()

    def open_sheet(self, view, name):
        self.open(view)
        self.click(name)
        self.browser.until("document.querySelector('#sheet').open", "the sheet")

    def fill(self, **fields):
        for name, value in fields.items():
            self.browser.run(f"document.querySelector('#ask-{name}').value = {json.dumps(value)}")

    def await_done(self, text):
        self.browser.until(f"!document.querySelector('#ask').open && document.querySelector('#said').innerText.includes({json.dumps(text)})", text)

    def test_publishes_and_unpublishes_a_port(self):
        self.open_sheet("endpoints", "worker")
        self.click("Publish a port…")
        self.fill(host="9001", container="90")
        self.click("Publish")
        self.await_done("published")
        self.browser.until("document.querySelector('#sheet').innerText.includes('9001 → 90/tcp')", "the port in the sheet")
        self.assertIn(9001, [port["host_port"] for port in self.host.ports()])
        self.click("Unpublish 9001 → 90/tcp")
        self.click("Unpublish")
        self.await_done("not published any more")
        self.assertNotIn(9001, [port["host_port"] for port in self.host.ports()])
        self.assert_no_errors()

    def test_a_refusal_is_told_in_the_words_of_the_daemon(self):
        self.open_sheet("endpoints", "worker")
        self.click("Publish a port…")
        self.fill(host="8080", container="90")
        self.click("Publish")
        self.browser.until("!document.querySelector('#ask [role=alert]').hidden", "the refusal")
        self.assertIn("8080", self.browser.run("document.querySelector('#ask [role=alert]').innerText"))
        self.assertTrue(self.browser.run("document.querySelector('#ask').open"))

    def test_snapshots_are_taken_rolled_back_to_and_removed(self):
        self.open_sheet("volumes", "data")
        self.click("Take a snapshot")
        self.fill(name="tuesday")
        self.click("Take it")
        self.await_done("taken")
        self.click("Roll back to monday")
        self.click("Roll back")
        self.browser.until("!document.querySelector('#ask [role=alert]').hidden", "that the name is asked for")
        self.fill(typed="data")
        self.click("Roll back")
        self.await_done("rolled back")
        self.click("Remove the snapshot tuesday")
        self.click("Remove")
        self.await_done("removed")
        names = [snapshot["name"] for snapshot in self.host.fairlead_json("snapshot", "ls", "data")]
        self.assertIn("monday", names)
        self.assertNotIn("tuesday", names)
        self.assert_no_errors()

    def test_a_volume_is_removed_only_by_who_writes_its_name(self):
        self.open_sheet("volumes", "config")
        self.click("Remove this volume…")
        self.fill(typed="data")
        self.click("Remove")
        self.browser.until("!document.querySelector('#ask [role=alert]').hidden", "the refusal")
        self.assertEqual(["config", "data"], sorted(volume["name"] for volume in self.host.volumes()))
        self.fill(typed="config")
        self.click("Remove")
        self.await_done("removed")
        self.assertEqual(["data"], [volume["name"] for volume in self.host.volumes()])
        self.browser.until("!document.querySelector('#sheet').open", "the sheet to go")
        self.assert_no_errors()

    def test_reconciles(self):
        self.open("problems")
        self.click("Reconcile now…")
        self.click("Reconcile")
        self.await_done("There was nothing to do.")
        self.assert_no_errors()


class Thousand(PageCase):
    def tearDown(self):
        """They go with the host."""

    def test_a_thousand_endpoints_are_seen_at_once_and_followed(self):
        self.host.fairlead("network", "create", "crowd", "--subnet", "10.90.0.0/20")
        self.host.fairlead("network", "create", "rest", "--subnet", "10.91.0.0/24")
        for number in range(MANY - 1):
            self.attach("crowd", f"c{number:03}", *([(20000 + number, 80, "tcp")] if number % 10 == 0 else []))
        self.attach("rest", "alone")
        with self.measured("the first look", FIRST_LOOK):
            self.open()
            self.browser.until(f"document.querySelectorAll('.p-dot').length === {MANY - 1}", "all of them in the picture", 60)
        self.picture("thousand", whole=True)
        with self.measured("one more", AFTER_AN_EVENT):
            self.attach("rest", "new")
            self.browser.until("[...document.querySelectorAll('.p-chip')].some(one => one.textContent.startsWith('new'))", "the new one", 60)
        self.go("endpoints")
        self.assertEqual(str(MANY + 2), self.browser.run("document.querySelector('table').getAttribute('aria-rowcount')"))
        self.assertLess(self.browser.run("document.querySelectorAll('tbody tr').length"), 100)
        self.browser.run("scrollTo(0, document.body.scrollHeight)")
        self.browser.until("[...document.querySelectorAll('tbody tr[data-key]')].at(-1)?.ariaRowIndex === '1002'", "the last row", 60)
        self.picture("thousand-rows")
        self.assert_no_errors()

    @contextlib.contextmanager
    def measured(self, what, most):
        begun, before = time.monotonic(), self.browser.computed()
        yield
        computed = self.browser.computed() - before
        print(f"{MANY} endpoints, {what}: the page computes {computed:.2f} s, in {time.monotonic() - begun:.2f} s")
        self.assertLess(computed, most)


if __name__ == "__main__":
    unittest.main()
