"""Hostile and broken clients on every socket: a clear error each, the daemon alive, and no growth."""

import contextlib
import json
import socket

from support.e2e.case import FairleadCase
from support.e2e.host import API_SOCKET, PLUGIN_SOCKET
from support.e2e.waiting import eventually

LONG = "n" * 65536
BAD_NAMES = ("../x", "..", "a/b", "", LONG, "nul\u0000byte", "new\nline", "\udcff", " ", "-dash", "%2e%2e%2f")
DEEP = "[" * 200000
BROKEN_BODIES = {
    "empty": "", "white": "  ", "not JSON": "{]", "half": '{"Name": "x', "a number": "7", "null": "null",
    "a list": "[1, 2]", "deep list": DEEP, "deep object": '{"a":' * 100000, "two": "{}{}", "not UTF-8": b'{"Name":"\xff\xfe"}',
    "wrong types": '{"Name": 7, "NetworkID": [], "Options": "x", "IPv4Data": {}, "ID": {}, "Opts": []}',
    "huge number": '{"NetworkID": 1e400}', "NUL": '{"Name": "a\\u0000b", "NetworkID": "a\\u0000b", "Pool": "a\\u0000b", "PoolID": "a\\u0000b"}',
}
NETWORK_VERBS = ("CreateNetwork", "DeleteNetwork", "CreateEndpoint", "EndpointOperInfo", "DeleteEndpoint", "Join", "Leave",
                 "ProgramExternalConnectivity", "RevokeExternalConnectivity")
IPAM_VERBS = ("RequestPool", "ReleasePool", "RequestAddress", "ReleaseAddress")
VOLUME_VERBS = ("Create", "Remove", "Mount", "Unmount", "Path", "Get")
DOCKER_PATHS = ([f"/NetworkDriver.{verb}" for verb in NETWORK_VERBS] + [f"/IpamDriver.{verb}" for verb in IPAM_VERBS]
                + [f"/VolumeDriver.{verb}" for verb in VOLUME_VERBS])
API_POSTS = ("/v1/networks", "/v1/endpoints", "/v1/volumes", "/v1/cni", "/v1/endpoints/net/id/ports",
             "/v1/volumes/data/mount")


class BadInput(FairleadCase):
    def tearDown(self):
        self.assertTrue(self.fairleadd.running(), self.fairleadd.log()[-2000:])
        self.assertEqual(200, self.post(PLUGIN_SOCKET, "/Plugin.Activate", "")[0])
        self.assertEqual([], self.host.networks() + self.host.volumes() + self.host.endpoints())
        super().tearDown()

    # ---- verbs ----------------------------------------------------------------------------------------------------

    def connect(self, path):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(str(self.host.path(path)))
        return connection

    def raw(self, path, data):
        """Sends bytes as they are, and returns the first answer's status and body; (0, b"") when it is hung up."""
        with self.connect(path) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(data)
            return read_answer(connection)

    def post(self, path, target, body, method="POST"):
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        return self.raw(path, head.encode("utf-8", "surrogatepass") + body)

    def assert_refused(self, answer, *statuses):
        status, body = answer
        self.assertIn(status, statuses or (400, 404, 405, 409, 413, 422, 500, 501))
        said = json.loads(body)
        text = said.get("Err") or said.get("Error") or said.get("detail") or said.get("title") or said.get("msg")
        self.assertTrue(text, said)
        self.assertLess(len(body), 16384)
        self.assertNotIn("\n", text)

    # ---- Docker's protocols ---------------------------------------------------------------------------------------

    def test_every_verb_of_docker_refuses_every_broken_body(self):
        for path in DOCKER_PATHS:
            for what, body in BROKEN_BODIES.items():
                with self.subTest(f"{path} {what}"):
                    self.assert_refused(self.post(PLUGIN_SOCKET, path, body))

    def test_an_empty_body_is_400(self):
        for path in DOCKER_PATHS:
            with self.subTest(path):
                self.assert_refused(self.post(PLUGIN_SOCKET, path, ""), 400)

    def test_bad_names_of_volumes_are_refused(self):
        for name in BAD_NAMES:
            with self.subTest(ascii(name[:20])):
                self.assert_refused(self.post(PLUGIN_SOCKET, "/VolumeDriver.Create", json.dumps({"Name": name})))

    def test_bad_names_of_networks_are_refused(self):
        for name in BAD_NAMES:
            with self.subTest(ascii(name[:20])):
                self.assert_refused(self.post(PLUGIN_SOCKET, "/NetworkDriver.CreateNetwork", json.dumps(
                    {"NetworkID": name, "Options": {}, "IPv4Data": [], "IPv6Data": []})))

    def test_unknown_verbs_are_refused(self):
        for path in ("/NetworkDriver.Explode", "/Nothing", "/", "/VolumeDriver.", "/IpamDriver.RequestPool/x",
                     "/" + LONG[:4000]):
            with self.subTest(path[:30]):
                self.assert_refused(self.post(PLUGIN_SOCKET, path, "{}"), 404, 414, 431)

    def test_other_methods_are_refused(self):
        for method in ("GET", "PUT", "DELETE", "PATCH", "BREW"):
            with self.subTest(method):
                status, _ = self.post(PLUGIN_SOCKET, "/VolumeDriver.List", "{}", method)
                self.assertIn(status, (400, 404, 405, 501))

    # ---- Fairlead's own API -----------------------------------------------------------------------------------------

    def test_every_post_of_the_api_refuses_every_broken_body(self):
        for path in API_POSTS:
            for what, body in BROKEN_BODIES.items():
                with self.subTest(f"{path} {what}"):
                    status, answer = self.post(API_SOCKET, path, body)
                    if path == "/v1/cni":  # the status of CNI is in its error object
                        self.assertTrue(json.loads(answer)["code"])
                    else:
                        self.assert_refused((status, answer))

    def test_bad_names_are_refused_by_the_api(self):
        for kind in ("networks", "volumes"):
            for name in BAD_NAMES:
                with self.subTest(f"{kind} {ascii(name[:20])}"):
                    self.assert_refused(self.post(API_SOCKET, f"/v1/{kind}", json.dumps({"name": name})), 400)

    def test_bad_names_in_paths_are_refused_by_the_api(self):
        for name in ("..", "..%2fx", "%00", "a%0ab", "%", "%zz", "x" * 8000):
            for path in (f"/v1/networks/{name}", f"/v1/volumes/{name}", f"/v1/endpoints/{name}/{name}"):
                with self.subTest(path[:40]):
                    status, _ = self.post(API_SOCKET, path, "", "GET")
                    self.assertIn(status, (400, 404, 414, 431))

    def test_unknown_fields_are_refused_with_a_suggestion(self):
        status, body = self.post(API_SOCKET, "/v1/networks", '{"name": "net", "subnet": "10.0.0.0/24"}')
        self.assertEqual(400, status)
        self.assertIn("subnets", json.loads(body)["detail"])

    # ---- HTTP -------------------------------------------------------------------------------------------------------

    def test_what_is_not_http_is_refused_or_hung_up(self):
        for path in (PLUGIN_SOCKET, API_SOCKET):
            for what in (b"\0\0\0\0\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n",
                         b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                         b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                         b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                         b"A" * 100000, b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n"):
                with self.subTest(f"{path} {what[:30]}"):
                    with self.connect(path) as connection:
                        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                            connection.sendall(what)
                            connection.shutdown(socket.SHUT_WR)
                        status, _ = read_answer(connection)
                        self.assertTrue(status == 0 or status >= 400)

    def test_an_oversized_body_is_refused_before_it_is_read(self):
        for path, target in ((PLUGIN_SOCKET, "/VolumeDriver.Create"), (API_SOCKET, "/v1/networks")):
            with self.subTest(path), self.connect(path) as connection:
                connection.sendall(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n".encode())
                status, _ = read_answer(connection)
                self.assertEqual(413, status)

    def test_half_open_connections_do_not_keep_others_out(self):
        with contextlib.ExitStack() as stack:
            for path in (PLUGIN_SOCKET, API_SOCKET):
                for data in (b"", b"POST /Vol", b"POST /VolumeDriver.List HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"):
                    for _ in range(20):
                        stack.enter_context(self.connect(path)).sendall(data)
            self.assertEqual(200, self.post(PLUGIN_SOCKET, "/VolumeDriver.List", "{}")[0])
            self.assertEqual(200, self.post(API_SOCKET, "/v1/status", "", "GET")[0])

    def test_clients_that_go_away_in_the_middle_leave_no_descriptor_open(self):
        before = self.fairleadd.open_files()
        for _ in range(200):
            for path in (PLUGIN_SOCKET, API_SOCKET):
                with self.connect(path) as connection:
                    connection.sendall(b"POST /VolumeDriver.List HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
        eventually(lambda: self.fairleadd.open_files() <= before + 2, "the descriptors to be closed")

    def test_memory_does_not_grow(self):
        bodies = [body for body in BROKEN_BODIES.values()] + [json.dumps({"Name": name}) for name in BAD_NAMES]

        def one_round():
            for body in bodies:
                self.post(PLUGIN_SOCKET, "/VolumeDriver.Create", body)
                self.post(PLUGIN_SOCKET, "/NetworkDriver.CreateNetwork", body)
                self.post(API_SOCKET, "/v1/networks", body)
                self.post(API_SOCKET, "/v1/cni", body)

        for _ in range(5):
            one_round()
        before = self.fairleadd.resident_kib()
        for _ in range(20):
            one_round()
        self.assertLess(self.fairleadd.resident_kib() - before, 4096)


def read_answer(connection):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return 0, b""
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        while lengths and len(body) < int(lengths[0]):
            part = connection.recv(65536)
            if not part:
                break
            body += part
        return int(head.split()[1]), body
    return 0, b""
