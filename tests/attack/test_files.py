"""Folders, secrets and devices of the host are for those for whom they are meant."""

import json
import os
import stat

from support.e2e import cni
from support.e2e.case import FairleadCase, HostCase
from support.e2e.host import API_SOCKET, PLUGIN_SOCKET, bin_folder
from support.e2e.waiting import eventually

SECRET = "s3cr3t"


def send(host, method, path, body, socket=API_SOCKET):
    done = host.exec("curl", "-s", "-m", "60", "--unix-socket", socket, "-X", method, "-w", "\n%{http_code}",
                     "-H", "Content-Type: application/json", "-d", json.dumps(body), "http://x" + path)
    text, _, status = done.out.rpartition("\n")
    return int(status), text


class Modes(HostCase):
    """Whatever umask a program is started with: what it makes is nobody else's to write, and all can reach the sockets."""

    def open_to_others(self, top):
        """Everything below `top` that others may write."""
        found = []
        for folder, folders, files in os.walk(self.host.path(top)):
            for name in [".", *folders, *files]:
                info = os.lstat(os.path.join(folder, name))
                if info.st_mode & 0o002 and not stat.S_ISLNK(info.st_mode):
                    found.append(f"{folder}/{name} {info.st_mode:o}")
        return found

    def use(self, umask):
        top = f"/run/host/{umask}"
        env = {"FAIRLEAD_RUN_DIR": top + "/run/a", "FAIRLEAD_STATE_DIR": top + "/state/a", "FAIRLEAD_VOLUME_DIR": top + "/volumes/a"}
        start = ("sh", "-c", f'umask {umask} && exec "$@"', "sh")
        fairlead = (*start, bin_folder() / "fairlead")
        self.host.write("/run/host/empty.json", "{}")
        self.host.exec(*fairlead, "volume", "create", "data", env=env)
        self.host.exec(*fairlead, "volume", "create", "-o", "size=16m", "-o", "backend=image", "image", env=env)
        self.host.exec(*fairlead, "volume", "backup", "data", "--to", top + "/backups/a", env=env)
        self.host.exec(*fairlead, "network", "create", "net", env=env)
        daemon = self.host.start(*start, bin_folder() / "fairleadd", "--config", "/run/host/empty.json", "--plugin-dir",
                                 top + "/plugins/a", name="fairleadd" + umask, env=env)
        try:
            eventually(self.host.path(top + "/plugins/a/fairlead.sock").exists, "the daemon")
            eventually(self.host.path(top + "/run/a/api.sock").exists, "the daemon")
            self.host.exec(*fairlead, "network", "rm", "net", env=env)
            self.assertEqual(0o755, self.host.path(top + "/run/a").stat().st_mode & 0o777, "the group reaches the API's socket")
        finally:
            self.assertEqual(0, daemon.stop())
        return top

    def test_of_all_that_is_made(self):
        self.host.exec("sh", "-c", "umask 0; mkdir -p /run/host/control/folder")
        self.assertTrue(self.open_to_others("/run/host/control"), "the control")
        for umask in ("000", "077"):
            with self.subTest(umask):
                self.assertEqual([], self.open_to_others(self.use(umask)))

    def test_of_what_cni_makes_without_a_daemon(self):
        cni.install_fairlead(self.host)
        containers = cni.Containers(self.host)
        containers.make("c1")
        config = json.dumps({"cniVersion": "1.0.0", "name": "net", "type": "fairlead", "subnet": "10.123.0.0/24"})
        env = {"CNI_CONTAINERID": "c1", "CNI_NETNS": "/run/netns/c1", "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin"}
        for command in ("ADD", "DEL"):
            self.host.exec("sh", "-c", 'umask 0 && exec "$@"', "sh", bin_folder() / "fairlead-cni", data=config,
                           env={**env, "CNI_COMMAND": command})
        for top in ("/run/fairlead", "/var/lib/fairlead"):
            self.assertTrue(self.host.path(top).exists())
            self.assertEqual([], self.open_to_others(top))


class Secrets(FairleadCase):
    """A password in the options of a volume is refused, and nobody finds it anywhere afterwards."""

    WORDS = ("password", "pass", "passwd", "password2", "pass2", "PASSWORD", "Pass", "secret", "Secret", "user=me%{}", "auth_token")

    def everywhere(self):
        """What is kept and told."""
        volumes = self.host.fairlead("volume", "ls", "--json").out
        state = b"".join(path.read_bytes() for path in self.host.path("/var/lib/fairlead").glob("state.db*"))
        return volumes + self.fairleadd.log() + state.decode(errors="replace")

    def refused(self, options):
        answers = [send(self.host, "POST", "/v1/volumes", {"name": "share", "options": options}),
                   send(self.host, "POST", "/VolumeDriver.Create", {"Name": "share", "Opts": options}, PLUGIN_SOCKET)]
        for status, text in answers:
            self.assertIn(status, (400, 500, 501), text)
            self.assertNotIn(SECRET, text)
            self.assertIn("holds a password", text)
        done = self.host.fairlead("volume", "create", *(word for key, value in options.items() for word in ("-o", f"{key}={value}")), "share", check=False)
        self.assertNotEqual(0, done.code)
        self.assertNotIn(SECRET, done.out + done.err)

    def test_under_every_name(self):
        for word in self.WORDS:
            word = word.format(SECRET) if "{}" in word else f"{word}={SECRET}"
            with self.subTest(word):
                for kind, device in (("cifs", "//192.0.2.9/share"), ("ceph", "192.0.2.9:/")):
                    self.refused({"type": kind, "device": device, "o": f"vers=3.0,{word},ro"})
        for device in (f"//me:{SECRET}@192.0.2.9/share", f"smb://me:{SECRET}@192.0.2.9/share", f"//me%{SECRET}@192.0.2.9/share"):
            with self.subTest(device):
                self.refused({"type": "cifs", "device": device})
        self.host.exec("mkdir", "/run/host/backups")
        for verb in (("restore", "share", "--from", "/run/host/backups"), ("import", "share", "/run/host/nothing.tar")):
            done = self.host.fairlead("volume", *verb, "-o", "type=cifs", "-o", "device=//192.0.2.9/s", "-o", f"o=password={SECRET}", check=False)
            self.assertNotEqual(0, done.code)
            self.assertNotIn(SECRET, done.out + done.err)
        self.assertNotIn(SECRET, self.everywhere())
        self.host.fairlead("volume", "create", "--label", f"note={SECRET}", "control")
        self.assertIn(SECRET, self.everywhere(), "the control: it would be found")


class Links(FairleadCase):
    """Who writes into a volume leads nobody out of it who looks into it from the host, not even by a race."""

    SWAP = "cd {} && while :; do mv -T d x; mv -T l d; mv -T d l; mv -T x d; done"

    def setUp(self):
        self.host.fairlead("volume", "create", "data")
        self.data = self.host.fairlead_json("volume", "inspect", "data")[0]["state"]["mountpoint"]
        self.addCleanup(self.host.fairlead, "volume", "rm", "data")
        self.host.write("/run/host/secret/file", SECRET)
        self.host.exec("sh", "-ec", f"cd {self.data}; mkdir d; echo inside > d/file; ln -s /run/host/secret l")

    def look(self, *words):
        done = self.host.fairlead("volume", *words, check=False)
        self.assertNotIn(SECRET, done.out + done.err, words)
        return done

    def test_a_link_is_named_and_not_followed(self):
        self.host.exec("ln", "-s", "../../../../../../../../run/host/secret", self.data + "/up")
        self.assertEqual(SECRET, self.host.exec("cat", self.data + "/l/file").out, "the control: it leads there")
        for path in ("l/file", "up/file", "l", "d/../l/file", "../l", "l/."):
            for words in (("cat", "data:" + path), ("cp", f"data:{path}/x", "/run/host/stolen"), ("ls-files", f"data:{path}/")):
                self.look(*words)
        self.assertIn("not followed", self.look("cat", "data:/l/file").err)
        self.look("cp", "data:/", "/run/host/copy")
        self.assertEqual("/run/host/secret", self.host.exec("readlink", "/run/host/copy/l").out.strip())
        self.assertEqual("", self.host.exec("grep", "-rl", SECRET, "/run/host/copy", check=False).out)

    def test_a_folder_that_becomes_a_link_meanwhile(self):
        attacker = self.host.start("sh", "-c", self.SWAP.format(self.data), name="attacker")
        try:
            eventually(lambda: SECRET in self.host.exec("cat", self.data + "/d/file", check=False).out, "the control: the race leads there")
            seen = ""
            for number in range(25):
                seen += self.look("cat", "data:/d/file").out
                self.look("cp", "data:/d", f"/run/host/taken-{number}")
                self.look("ls-files", "-R", "data:/d")
            self.assertIn("inside", seen)
        finally:
            attacker.stop()
        self.assertEqual("", self.host.exec("grep", "-rl", "--exclude-dir=secret", SECRET, "/run/host", check=False).out)


class Devices(FairleadCase):
    """A caller of the API makes no pool on a disk of the host's, unless the configuration says so."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.exec("truncate", "-s", "400M", "/run/host/disk")
        cls.device = cls.host.exec("losetup", "--show", "-f", "/run/host/disk").out.strip()
        cls.addClassCleanup(cls.host.exec, "losetup", "-d", cls.device)

    def pool(self, device):
        return send(self.host, "POST", "/v1/volume-pools", {"name": "pool", "device": device, "fstype": "btrfs", "overwrite": True})

    def configure(self, *roots):
        self.fairleadd.stop()
        self.host.write("/etc/fairlead/fairlead.json", json.dumps({"device_roots": roots}))
        self.restart_fairleadd()

    def first_bytes(self):
        return self.host.exec("head", "-c", "1048576", self.device, check=True).out.strip("\0")

    def test_is_refused_unless_it_is_listed(self):
        self.configure()
        status, text = self.pool(self.device)
        self.assertEqual(400, status, text)
        self.assertIn("device_roots", text)
        self.assertIn("fairlead pool create", text)
        self.configure("/dev/disk-of-nobody", "/run/host/links")
        self.host.exec("mkdir", "-p", "/run/host/links")
        self.host.exec("ln", "-sf", self.device, "/run/host/links/disk")
        self.host.exec("chmod", "777", "/run/host/links")
        for device in (self.device, "/run/host/links/disk", f"/run/host/links/../../..{self.device}"):
            status, text = self.pool(device)
            self.assertEqual(400, status, text)
        self.assertEqual("", self.first_bytes())
        self.host.exec("chmod", "755", "/run/host/links")
        for roots, device in (((self.device,), self.device), (("/run/host/links",), "/run/host/links/disk")):  # the controls
            self.configure(*roots)
            status, text = self.pool(device)
            self.assertEqual(201, status, text)
            self.host.fairlead("pool", "rm", "pool")
        self.configure()
        self.host.fairlead("pool", "create", "--device", self.device, "--overwrite", "pool")  # as root, on the command line
        self.host.fairlead("pool", "rm", "pool")


class Trees(HostCase):
    """What a container nests in its volume costs a backup no more than what it holds."""

    def nested(self, name, levels):
        """A volume with folders in folders, and a file and a second folder at each level."""
        self.host.fairlead("volume", "create", name)
        listed = json.loads(self.host.fairlead("volume", "inspect", name).out)[0]
        at = os.open(self.host.path(listed["state"]["mountpoint"]), os.O_RDONLY)
        for word in levels:
            os.mkdir(word, dir_fd=at)
            os.mkdir("z", dir_fd=at)
            below = os.open(word, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(at)

    def test_deep_folders_cost_what_their_names_do(self):
        self.nested("deep", ["d"] * 1900)
        done = self.host.exec("sh", "-c", f'ulimit -v 400000; exec {bin_folder() / "fairlead"} volume export deep -o /run/host/deep.tar', timeout=20)
        self.assertEqual(0, done.code)
        self.nested("long", ["d" * 250] * 100)
        done = self.host.fairlead("volume", "export", "long", "-o", "/run/host/long.tar", check=False)
        self.assertEqual(3, done.code, done.err)
        self.assertIn("its path is longer than 16000 bytes", done.err)
        # Whole paths of 3,000 levels would take more than a gigabyte; threads have room of their own.
        self.nested("longer", ["d" * 250] * 3000)
        for words in ("volume backup longer --to /run/host/deep-backup", "volume restore longer --from /run/host/deep-backup --as again",
                      "volume clone longer twin"):
            done = self.host.exec("sh", "-c", f'ulimit -v 900000; exec {bin_folder() / "fairlead"} {words}', timeout=600)
            self.assertEqual(0, done.code, f"{words}: {done.err}")
