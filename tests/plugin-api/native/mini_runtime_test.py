"""examples/mini-runtime over an API that is played by this test, and over the real daemon when its path is the argument.

Needs root and busybox. Everything happens in namespaces of this test.
"""
import http.server
import importlib.machinery
import importlib.util
import json
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
MINI = os.path.join(ROOT, "examples/mini-runtime/mini")
DAEMON = None


class FakeApi(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Networks, endpoints and volumes in memory; refuses what the real one refuses."""

    daemon_threads = True

    def __init__(self, folder):
        self.folder = folder
        self.networks, self.endpoints, self.volumes, self.requests = {}, {}, {}, []
        self.refuse = None
        super().__init__(os.path.join(folder, "api.sock"), Handler)

    def answer(self, method, path, body):
        self.requests.append((method, path, body))
        kind, *rest = path.split("/")[2:]
        if self.refuse == (method, kind):
            return 409, {"detail": f"{kind}: refused by the test"}
        return getattr(self, kind + "_answer")(method, rest, body)

    def networks_answer(self, method, rest, body):
        if method == "POST":
            self.networks[body["name"]] = body
            return 201, body
        return (200, self.networks[rest[0]]) if rest[0] in self.networks else (404, {"detail": "no such network"})

    def endpoints_answer(self, method, rest, body):
        if method == "GET":
            return 200, {"endpoints": list(self.endpoints.values())}
        if method == "DELETE":
            self.endpoints.pop(tuple(rest), None)
            return 204, None
        netns = f"/proc/{body['pid']}/ns/net"
        assert os.readlink(netns) != os.readlink("/proc/self/ns/net"), "the container must have its own namespace by now"
        endpoint = {**body, "netns": netns, "addresses": ["10.89.0.2/24"]}
        del endpoint["pid"]
        self.endpoints[body["network"], body["id"]] = endpoint
        return 201, endpoint

    def volumes_answer(self, method, rest, body):
        if method == "POST" and not rest:
            data = os.path.join(self.folder, "volumes", body["name"])
            os.makedirs(data)
            self.volumes[body["name"]] = {"name": body["name"], "state": {"mountpoint": data, "mounts": []}}
            return 201, self.volumes[body["name"]]
        if not rest:
            return 200, {"volumes": list(self.volumes.values())}
        if rest[0] not in self.volumes:
            return 404, {"detail": "no such volume"}
        volume = self.volumes[rest[0]]
        if rest[1:] == ["mount"]:
            volume["state"]["mounts"].append({**body, "count": 1})
        elif rest[1:] == ["unmount"]:
            volume["state"]["mounts"].remove({**body, "count": 1})
            return 204, None
        return 200, volume

    def held(self):
        """What containers hold at present."""
        return list(self.endpoints), [hint for volume in self.volumes.values() for hint in volume["state"]["mounts"]]


class Handler(http.server.BaseHTTPRequestHandler):
    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = self.server.answer(self.command, self.path, json.loads(body or "null"))
        text = json.dumps(answer).encode() if answer is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if text:
            self.wfile.write(text)

    do_GET = do_POST = do_DELETE = handle_one

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass


class MiniTest(unittest.TestCase):
    """Verbs for the tests: start(), run(), rm()."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fairlead-mini-")
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, *arguments, **options):
        environment = {**os.environ, "FAIRLEAD_RUN_DIR": self.folder}
        process = subprocess.Popen([sys.executable, MINI, *arguments], env=environment, text=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(self.finish, process)
        return process

    @staticmethod
    def finish(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def run_mini(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def eventually(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it did not happen")
            time.sleep(0.02)


class OverThePlayedApi(MiniTest):
    def setUp(self):
        super().setUp()
        self.api = FakeApi(self.folder)
        threading.Thread(target=self.api.serve_forever, daemon=True).start()
        self.addCleanup(self.api.server_close)
        self.addCleanup(self.api.shutdown)

    def nothing_is_left(self):
        self.assertEqual(self.api.held(), ([], []))
        self.assertEqual([name for name in os.listdir("/run") if name.startswith("mini-")], [])

    def start_sleeper(self):
        process = self.start("run", "--name", "web", "-v", "data:/data", "--", "sh", "-c", "touch /data/up; sleep 600")
        self.eventually(lambda: os.path.exists(os.path.join(self.folder, "volumes/data/up")))
        return process

    def test_the_command_runs_as_process_1_with_its_own_name_and_root(self):
        code, out, err = self.run_mini("run", "--hostname", "shop", "--", "sh", "-c", "hostname; echo $$; ls /; cat /proc/1/comm; true")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out.split(), ["shop", "1", "bin", "dev", "etc", "proc", "root", "tmp", "sh"])

    def test_the_exit_code_is_that_of_the_command(self):
        self.assertEqual(self.run_mini("run", "--", "sh", "-c", "exit 7")[0], 7)
        self.nothing_is_left()

    def test_the_network_is_there_before_the_command_runs(self):
        code, out, _ = self.run_mini("run", "--name", "web", "--network", "shop", "-p", "127.0.0.1:8080:80/udp", "-p", "[::1]:81:81", "--",
                                     "cat", "/etc/hosts")
        self.assertEqual(code, 0)
        self.assertIn("10.89.0.2 web web", out)
        attach = [body for method, path, body in self.api.requests if (method, path) == ("POST", "/v1/endpoints")]
        self.assertEqual(len(attach), 1)
        self.assertEqual({key: attach[0][key] for key in ("network", "container", "runtime")},
                         {"network": "shop", "container": "web", "runtime": "mini"})
        self.assertEqual(attach[0]["ports"],
                         [{"protocol": "udp", "host_port": 8080, "container_port": 80, "host_ip": "127.0.0.1"},
                          {"protocol": "tcp", "host_port": 81, "container_port": 81, "host_ip": "::1"}])
        self.nothing_is_left()

    def test_the_network_interface_lo_is_up(self):
        self.assertIn("127.0.0.1", self.run_mini("run", "--", "ip", "-4", "addr", "show", "lo", "up")[1])

    def test_data_in_a_volume_outlives_the_container(self):
        self.assertEqual(self.run_mini("run", "-v", "data:/a/b", "--", "sh", "-c", "echo kept > /a/b/file")[0], 0)
        self.assertEqual(self.run_mini("run", "-v", "data:/c", "--", "cat", "/c/file")[1], "kept\n")
        self.nothing_is_left()

    def test_a_network_that_exists_is_used_as_it_is(self):
        self.api.networks["shop"] = {"name": "shop", "internal": True}
        self.assertEqual(self.run_mini("run", "--network", "shop", "--", "true")[0], 0)
        self.assertEqual(self.api.networks["shop"], {"name": "shop", "internal": True})

    def test_ctrl_c_gives_everything_back(self):
        process = self.start_sleeper()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.nothing_is_left()

    def test_a_terminated_runtime_gives_everything_back(self):
        process = self.start_sleeper()
        process.terminate()
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 143)
        self.nothing_is_left()

    def test_a_killed_runtime_takes_its_container_with_it_and_rm_gives_the_rest_back(self):
        process = self.start_sleeper()
        netns = self.api.endpoints["mini", "web"]["netns"]
        code, _, err = self.run_mini("rm", "web")
        self.assertEqual((code, err), (125, "mini: container web is running; stop it first\n"))
        process.kill()
        process.communicate(timeout=30)
        self.eventually(lambda: not os.path.exists(netns))
        self.assertNotEqual(self.api.held(), ([], []))
        self.assertEqual(self.run_mini("rm", "web"), (0, "web\n", ""))
        self.nothing_is_left()

    def test_a_refusal_is_told_and_nothing_is_left(self):
        self.api.refuse = ("POST", "endpoints")
        code, out, err = self.run_mini("run", "-v", "data:/data", "--", "echo", "ran")
        self.assertEqual((code, out, err), (125, "", "mini: endpoints: refused by the test\n"))
        self.nothing_is_left()

    def test_a_command_that_does_not_exist_is_told(self):
        code, _, err = self.run_mini("run", "--", "no-such-command")
        self.assertEqual(code, 127)
        self.assertTrue(err.startswith("mini: run no-such-command: "), err)
        self.nothing_is_left()


class WithoutAnApi(MiniTest):
    def test_a_name_cannot_be_a_path(self):
        for verb in (["run", "--name", "../etc", "--", "true"], ["rm", "../etc"]):
            code, _, err = self.run_mini(*verb)
            self.assertEqual(code, 2)
            self.assertIn("only letters, digits", err)

    def test_the_missing_daemon_is_named(self):
        code, _, err = self.run_mini("run", "--", "true")
        self.assertEqual(code, 125)
        self.assertIn("is fairleadd running?", err)


class OverTheDaemon(MiniTest):
    def setUp(self):
        super().setUp()
        if not DAEMON:
            self.skipTest("no daemon was given")
        paths = [f"--{kind}-dir={self.folder}/{kind}" for kind in ("state", "volume", "plugin")]
        self.log = open(os.path.join(self.folder, "log"), "w+")
        self.addCleanup(self.log.close)
        self.daemon = subprocess.Popen([DAEMON, f"--run-dir={self.folder}", *paths], stderr=self.log)
        self.addCleanup(self.stop_daemon)
        self.eventually(lambda: os.path.exists(os.path.join(self.folder, "api.sock")))
        spec = importlib.util.spec_from_loader("mini", importlib.machinery.SourceFileLoader("mini", MINI))
        self.mini = importlib.util.module_from_spec(spec)
        sys.dont_write_bytecode = True
        spec.loader.exec_module(self.mini)
        self.mini.SOCKET = os.path.join(self.folder, "api.sock")

    def stop_daemon(self):
        for endpoint in self.mini.api("GET", "/v1/endpoints")["endpoints"]:
            self.mini.api("DELETE", f"/v1/endpoints/{endpoint['network']}/{endpoint['id']}")
        for network in self.mini.api("GET", "/v1/networks")["networks"]:
            self.mini.api("DELETE", f"/v1/networks/{network['name']}")
        self.daemon.terminate()
        self.daemon.wait(30)

    def held(self):
        volumes = self.mini.api("GET", "/v1/volumes")["volumes"]
        return (self.mini.api("GET", "/v1/endpoints")["endpoints"], [hint for volume in volumes for hint in volume["state"]["mounts"]])

    @staticmethod
    def fetch(url):
        try:
            return urllib.request.urlopen(url, timeout=5).read().decode()
        except OSError as error:
            return str(error)

    def test_a_published_port_is_reached_and_data_is_served_from_a_volume(self):
        self.assertEqual(self.run_mini("run", "-v", "www:/www", "--", "sh", "-c", "echo hello > /www/index.html"), (0, "", ""))
        self.start("run", "--name", "web", "-p", "8080:80", "-v", "www:/www", "--", "httpd", "-f", "-h", "/www")
        self.eventually(lambda: self.fetch("http://127.0.0.1:8080/") == "hello\n")
        address = self.held()[0][0]["addresses"][0].split("/")[0]
        request = r"printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 " + address + " 80"
        code, out, err = self.run_mini("run", "--", "sh", "-c", request)
        self.assertEqual(code, 0, err)
        self.assertTrue(out.endswith("\n\nhello\n"), out)

    def test_everything_is_given_back(self):
        code, out, err = self.run_mini("run", "-v", "data:/data", "-p", "8081:80", "--", "ip", "-4", "addr", "show", "eth0")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("inet ", out)
        self.assertEqual(self.held(), ([], []))
        self.assertEqual(self.mini.api("GET", "/v1/ports"), {"ports": []})

    def test_what_a_killed_runtime_left_is_given_back_by_rm(self):
        process = self.start("run", "--name", "web", "-v", "data:/data", "-p", "8082:80", "--", "sleep", "600")
        self.eventually(lambda: self.held()[0] and self.held()[0][0]["state"]["joined"])
        process.kill()
        process.communicate(timeout=30)
        self.eventually(lambda: self.run_mini("rm", "web")[0] == 0)
        self.assertEqual(self.held(), ([], []))

    def test_what_the_api_shows_can_be_sent_again(self):
        made = self.mini.api("POST", "/v1/networks", {"name": "shop", "ipv6": True, "labels": {"team": "a"}})
        self.assertEqual(self.mini.api("POST", "/v1/networks", made), made)
        self.mini.api("DELETE", "/v1/networks/shop")
        again = self.mini.api("POST", "/v1/networks", made)
        self.assertEqual((again["id"], again["subnets"]), (made["id"], made["subnets"]))
        volume = self.mini.api("POST", "/v1/volumes", {"name": "data", "options": {"uid": "7"}})
        self.assertEqual(self.mini.api("POST", "/v1/volumes", volume)["state"]["id"], volume["state"]["id"])

    def test_an_attach_sent_twice_is_answered_the_same(self):
        sleeper = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        self.addCleanup(sleeper.communicate)
        self.addCleanup(sleeper.kill)
        self.eventually(lambda: os.readlink(f"/proc/{sleeper.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
        self.mini.api("POST", "/v1/networks", {"name": "shop"})
        request = {"network": "shop", "container": "web", "pid": sleeper.pid, "ports": [{"host_port": 8083, "container_port": 80}]}
        made = self.mini.api("POST", "/v1/endpoints", request)
        self.assertEqual(self.mini.api("POST", "/v1/endpoints", request), made)
        self.assertEqual(self.mini.api("POST", "/v1/endpoints", made), made)
        with self.assertRaises(self.mini.Problem) as refused:
            self.mini.api("POST", "/v1/endpoints", {**request, "ports": []})
        self.assertEqual(refused.exception.status, 409)


if __name__ == "__main__":
    if os.geteuid() != 0 or shutil.which("busybox") is None:
        print("SKIPPED: it needs root and busybox-static")
        sys.exit(77)
    if os.environ.get("FAIRLEAD_MINI_TEST") != "inside":
        os.environ["FAIRLEAD_MINI_TEST"] = "inside"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--ipc", "--uts", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
                              sys.executable, os.path.abspath(__file__), *sys.argv[1:]])
    if len(sys.argv) > 1:
        DAEMON = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
