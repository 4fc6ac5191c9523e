"""Whoever reaches the port of the page, or makes a browser on the host speak to it, gets nothing and changes nothing."""

import http.client
import json
import socket

from support.e2e.case import FairleadCase
from support.e2e.host import HOST_V4, bin_folder

PORT = 7780
PLACE = f"127.0.0.1:{PORT}"
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
CHANGES = (("POST", "/v1/reconcile"), ("POST", "/v1/volumes"), ("PUT", "/v1/volumes/data"), ("PATCH", "/v1/volumes/data"),
           ("DELETE", "/v1/volumes/data"), ("POST", "/v1/cni"))


class ThePage(FairleadCase):
    fairleadd_options = ("--ui", PLACE)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.token = cls.host.fairlead("ui").out.strip().partition("#token=")[2]
        cls.host.fairlead("volume", "create", "data")

    def ask(self, method, path, headers=None, body=None, signed_in=True):
        """The status and the answer. A browser that has signed in says `Cookie` and the page `X-Fairlead-Key`."""
        said = {"Host": PLACE, **(self.signs() if signed_in else {}), **(headers or {})}
        if method != "GET":
            said.setdefault("Origin", f"http://{PLACE}")
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
        connection.sock = self.host.net.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.sock.settimeout(20)
        connection.sock.connect(("127.0.0.1", PORT))
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            data = json.dumps(body or {}).encode()
            for name, value in {**said, "Content-Length": len(data)}.items():
                connection.putheader(name, value)
            connection.endheaders(data)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def signs(self):
        return {"Cookie": f"fairlead-{PORT}={self.token[:32]}", "X-Fairlead-Key": self.token[32:]}

    def assert_nothing_changed(self):
        self.assertEqual(["data"], [volume["name"] for volume in self.host.volumes()])

    def test_the_way_in_is_there_for_who_has_the_token(self):
        status, answer = self.ask("GET", "/v1/volumes")
        self.assertEqual(200, status, answer)
        self.assertIn('"data"', answer)

    def test_without_the_token_the_api_says_nothing(self):
        for path in ("/v1/volumes", "/v1/networks", "/v1/events", "/v1/nowhere"):
            status, answer = self.ask("GET", path, signed_in=False)
            self.assertEqual(401, status, path)
            self.assertNotIn("data", answer)
        self.assertEqual((200, '{"signed_in":false}'), self.ask("GET", "/session", signed_in=False))
        for guess in ("", "0" * 64, self.token[:-1], self.token[:32], self.token + "0", self.token.upper() + " "):
            self.assertIn(self.ask("POST", "/session", body={"token": guess}, signed_in=False)[0], (400, 401), guess)

    def test_a_server_at_another_port_gets_the_cookie_and_nothing_for_it(self):
        for stolen in ({"Cookie": self.signs()["Cookie"]}, {"X-Fairlead-Key": self.signs()["X-Fairlead-Key"]},
                       {"Cookie": self.signs()["Cookie"], "X-Fairlead-Key": self.token[:32]}):
            self.assertEqual(401, self.ask("GET", "/v1/volumes", stolen, signed_in=False)[0])

    def test_a_name_that_is_led_here_is_refused(self):
        for name in ("evil.example", f"evil.example:{PORT}", f"127.0.0.1.evil.example:{PORT}", HOST_V4, f"{PLACE}, evil.example", ""):
            for path in ("/", "/session", "/v1/volumes"):
                self.assertEqual(403, self.ask("GET", path, {"Host": name})[0], name)
        self.assertEqual(200, self.ask("GET", "/v1/volumes", {"Host": f"localhost:{PORT}", "Cookie": self.signs()["Cookie"]})[0])

    def test_another_page_is_refused_even_where_the_browser_signs_in_for_it(self):
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:8080"},
                        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
            self.assertEqual(403, self.ask("GET", "/v1/volumes", headers)[0], headers)
            self.assertEqual(403, self.ask("POST", "/session", headers, {"token": self.token})[0], headers)
        self.assertEqual(200, self.ask("POST", "/session", None, {"token": self.token})[0])

    def test_nothing_is_changed_by_a_page_that_only_shows(self):
        for method, path in CHANGES:
            status, answer = self.ask(method, path)
            self.assertEqual(403, status, f"{method} {path}")
            self.assertIn("read-only", answer)
        self.assert_nothing_changed()

    def test_other_users_of_the_host_do_not_get_the_token(self):
        for path in ("/var/lib/fairlead/ui-token", "/run/fairlead/ui-link"):
            self.assertIn(self.token, self.host.exec("cat", path).out)
            self.assertNotEqual(0, self.host.exec(*NOBODY, "cat", path, check=False).code, path)
        refused = self.host.exec(*NOBODY, bin_folder() / "fairlead", "ui", check=False)
        self.assertEqual((1, ""), (refused.code, refused.out))
        self.assertIn("sudo", refused.err)

    def test_other_machines_do_not_reach_it(self):
        with self.assertRaises(OSError):
            with self.host.outside.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.settimeout(5)
                probe.connect((HOST_V4, PORT))

    def test_an_address_that_others_reach_has_to_be_meant(self):
        refused = self.host.exec(bin_folder() / "fairleadd", "--ui", f"{HOST_V4}:{PORT}", check=False)
        self.assertEqual(1, refused.code)
        self.assertIn('"ui_anywhere": true', refused.err)

    def test_who_takes_all_connections_of_the_page_takes_nothing_of_the_containers(self):
        with self.host.net.entered():
            kept = [socket.create_connection(("127.0.0.1", PORT), 20) for _ in range(700)]
        try:
            self.host.fairlead("network", "create", "meanwhile")
            self.host.fairlead("network", "rm", "meanwhile")
            self.assertEqual(200, self.ask("GET", "/v1/volumes")[0])
        finally:
            for one in kept:
                one.close()

    def test_what_is_no_request_ends_nothing(self):
        for said in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET " + b"/" * 70_000, b"POST /session HTTP/1.1\r\nHost: " + PLACE.encode() +
                     b"\r\nContent-Length: 999999999\r\n\r\n", b"\0" * 4096):
            with self.host.net.entered():
                probe = socket.create_connection(("127.0.0.1", PORT), 20)
            with probe:
                probe.sendall(said)
                self.assertIn(b"HTTP/1.1 4", probe.recv(4096))
        self.assertEqual(200, self.ask("GET", "/v1/volumes")[0])


class Writing(ThePage):
    """With --ui-write: the few actions of the page, and no others."""

    fairleadd_options = ("--ui", PLACE, "--ui-write")

    def test_nothing_is_changed_by_a_page_that_only_shows(self):
        for method, path in CHANGES:
            if (method, path) not in (("POST", "/v1/reconcile"), ("DELETE", "/v1/volumes/data")):
                status, answer = self.ask(method, path)
                self.assertEqual(403, status, f"{method} {path}")
                self.assertIn("no such action", answer)
        self.assertEqual(403, self.ask("DELETE", "/v1/volumes/data", {"Origin": "http://evil.example"})[0])
        self.assertEqual(401, self.ask("DELETE", "/v1/volumes/data", signed_in=False)[0])
        self.assert_nothing_changed()
        self.assertEqual(200, self.ask("POST", "/v1/reconcile", body=None)[0])
