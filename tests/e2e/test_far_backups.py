"""Backups on other hosts: over a real sshd, and in a bucket over rclone."""

import hashlib
import json
import os
import re
import signal
import unittest
from pathlib import Path

from support.e2e.case import HostCase
from support.e2e.waiting import eventually

SSHD_CONFIG = """
Port 2222
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PasswordAuthentication no
UsePAM no
StrictModes no
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server
"""
S3_SERVER = Path(__file__).resolve().parent.parent / "support" / "s3_server.py"
MIB = 1 << 20


def sums(folder):
    """What is in a folder, by path."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(Path(folder).rglob("*")) if path.is_file()}


class FarCase(HostCase):
    """A host without a daemon, whose command line backs up to `target`."""

    target, environment = "", {}
    here = "/run/host/far"  # where the target keeps its files on this host

    def fairlead(self, *words, **options):
        return self.host.fairlead(*words, env=self.environment, **options)

    def content(self, volume):
        """The folder that containers see, as this process can open it."""
        found = json.loads(self.host.fairlead("volume", "inspect", volume).out)[0]
        return self.host.path(found["state"]["mountpoint"])

    def fill(self, name, mib):
        self.host.fairlead("volume", "create", "-o", "backend=dir", name)
        self.addCleanup(self.host.fairlead, "volume", "rm", name)
        data = self.content(name)
        (data / "folder").mkdir()
        (data / "folder" / "small").write_text("small")
        for number in range(mib // 8):
            (data / f"large{number}").write_bytes(os.urandom(8 * MIB))
        return data

    def restored(self, name, target=None, *words):
        self.fairlead("volume", "restore", name, "--from", target or self.target, "--as", "again", *words)
        self.addCleanup(self.host.fairlead, "volume", "rm", "again", check=False)
        return sums(self.content("again"))

    def locks(self, target):
        folder = self.host.path(target.split(":")[-1])
        return [path.name for path in folder.glob("lock.*")]


class OverSsh(FarCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = "/run/host/sshd"
        cls.host.exec("mkdir", "-p", folder, "/run/sshd")
        for key in ("host", "user", "stranger"):
            cls.host.exec("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}")
        cls.host.exec("cp", f"{folder}/user.pub", f"{folder}/authorized")
        cls.host.write(f"{folder}/config", SSHD_CONFIG.format(folder=folder))
        public = " ".join(cls.host.path(f"{folder}/host.pub").read_text().split()[:2])
        cls.host.write(f"{folder}/known", f"[127.0.0.1]:2222 {public}\n")
        cls.host.write(f"{folder}/nobody", "")
        cls.start_sshd()
        cls.environment = cls.ssh("user", "known")

    @classmethod
    def start_sshd(cls):
        cls.sshd = cls.host.start("/usr/sbin/sshd", "-D", "-e", "-f", "/run/host/sshd/config", name="sshd")
        eventually(lambda: "Server listening" in cls.sshd.log(), "sshd to listen")

    @staticmethod
    def ssh(key, known):
        folder = "/run/host/sshd"
        return {"FAIRLEAD_SSH": f"ssh -F none -i {folder}/{key} -o UserKnownHostsFile={folder}/{known}"}

    def setUp(self):
        super().setUp()
        name = re.sub(r"\W+", "-", self.id().rpartition(".")[2])
        self.target = f"sftp:root@127.0.0.1:2222:{self.here}/{name}"

    def to_servers(self, number):
        self.host.exec("sh", "-c", f"kill -{number} $(pgrep -x sftp-server)", check=False)

    def start_backup(self, volume):
        """Runs a backup and returns when the target has the first of its content. Its server stands still from then on."""
        running = self.host.start(*self.command("volume", "backup", volume, "--to", self.target), name="backup",
                                  env=self.environment)
        tmp = self.host.path(self.target.split(":")[-1]) / "tmp"
        eventually(lambda: not running.running() or any(file.stat().st_size for file in tmp.iterdir()), "the first content", 60)
        self.to_servers("STOP")
        self.addCleanup(self.to_servers, "KILL")
        self.assertTrue(running.running(), running.log())
        return running

    def command(self, *words):
        return (Path(os.environ["FAIRLEAD_E2E_BIN"]) / "fairlead", *words)

    def test_a_first_backup_the_next_and_any_of_them_again(self):
        data = self.fill("data", 24)
        before = sums(data)
        first = json.loads(self.fairlead("volume", "backup", "data", "--to", self.target, "--json").out)
        (data / "large0").write_bytes(b"new")
        after = sums(data)
        second = json.loads(self.fairlead("volume", "backup", "data", "--to", self.target, "--json").out)
        self.assertLess(second["stored"], first["stored"] / 4)
        self.assertEqual([first["id"], second["id"]], self.fairlead("backup", "ls", "-q", self.target).out.split())
        self.assertIn("every digest is right", self.fairlead("backup", "verify", self.target).out)
        self.assertEqual(after, self.restored("data"))
        self.host.fairlead("volume", "rm", "again")
        self.assertEqual(before, self.restored("data", None, "--backup", first["id"]))
        self.assertEqual([], self.locks(self.target))
        # The folder is the same as one that was made here, and both spellings name it.
        folder = self.target.split(":")[-1]
        self.assertIn("every digest is right", self.host.fairlead("backup", "verify", folder).out)
        url = f"sftp://root@127.0.0.1:2222{folder}"
        self.assertEqual(2, len(self.fairlead("backup", "ls", "-q", url).out.split()))

    def test_damage_is_found(self):
        self.fill("data", 8)
        self.fairlead("volume", "backup", "data", "--to", self.target)
        pack = next((self.host.path(self.target.split(":")[-1]) / "packs").glob("*.pack"))
        content = bytearray(pack.read_bytes())
        content[len(content) // 3] ^= 1
        pack.write_bytes(content)
        self.assertIn("damaged", self.fairlead("backup", "verify", self.target, check=False).out)
        self.assertNotEqual(0, self.fairlead("volume", "restore", "data", "--from", self.target, "--as", "again",
                                             check=False).code)
        self.assertEqual(["data"], [volume["name"] for volume in self.host.volumes()])

    def test_a_connection_that_is_cut_is_told_and_the_next_backup_goes_on(self):
        data = self.fill("data", 128)
        running = self.start_backup("data")
        self.to_servers("KILL")
        self.assertNotEqual(0, running.wait(60))
        self.assertIn("connection to 127.0.0.1 is lost", running.log())
        self.fairlead("volume", "backup", "data", "--to", self.target)
        self.fairlead("backup", "verify", self.target)
        self.assertEqual(sums(data), self.restored("data"))

    def test_a_backup_that_is_killed_leaves_no_lock_behind(self):
        self.fill("data", 128)
        running = self.start_backup("data")
        running.kill()
        self.to_servers("CONT")
        self.fairlead("volume", "backup", "data", "--to", self.target)  # at once
        self.fairlead("backup", "verify", self.target)
        self.assertEqual([], self.locks(self.target))
        self.assertEqual([], list((self.host.path(self.target.split(":")[-1]) / "tmp").iterdir()))

    def test_a_server_that_hangs_does_not_keep_who_stops_it(self):
        self.fill("data", 128)
        running = self.start_backup("data")
        running.signal(signal.SIGINT)
        self.assertNotEqual(0, running.wait(60))
        self.assertIn("stopped", running.log())
        self.assertEqual([], self.locks(self.target))
        self.to_servers("KILL")
        self.fairlead("volume", "backup", "data", "--to", self.target)

    def test_two_at_once_are_told_of_each_other(self):
        self.fill("data", 128)
        running = self.start_backup("data")
        refused = self.fairlead("backup", "verify", self.target, check=False)
        self.assertNotEqual(0, refused.code)
        self.assertIn("in use by backup on", refused.err)
        self.to_servers("CONT")
        self.assertEqual(0, running.wait(60))

    def test_what_ssh_says_is_the_cause(self):
        self.fill("data", 8)
        for environment, words in ((self.ssh("stranger", "known"), "Permission denied"),
                                   (self.ssh("user", "nobody"), "Host key verification failed"),
                                   ({"FAIRLEAD_SSH": "no-such-ssh"}, "no-such-ssh")):
            failed = self.host.fairlead("volume", "backup", "data", "--to", self.target, env=environment, check=False)
            self.assertNotEqual(0, failed.code)
            self.assertIn(words, failed.err)
        refused = self.fairlead("volume", "backup", "data", "--to", "sftp:root@127.0.0.1:2223:/x", check=False)
        self.assertIn("Connection refused", refused.err)


class InABucket(FarCase):
    target = "s3:http://127.0.0.1:4568/bucket/backups"
    environment = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "RCLONE_CONFIG": "/dev/null"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host.exec("mkdir", "-p", "/run/host/s3/bucket")
        cls.host.start("python3", S3_SERVER, "/run/host/s3", 4568, name="s3")

        def answers():
            return cls.host.exec("curl", "-sf", "http://127.0.0.1:4568/bucket", check=False).code == 0
        eventually(answers, "the server of S3 to answer", 30)

    def test_a_backup_the_next_and_the_way_back(self):
        data = self.fill("data", 16)
        self.fairlead("volume", "backup", "data", "--to", self.target)
        (data / "more").write_bytes(os.urandom(MIB))
        second = json.loads(self.fairlead("volume", "backup", "data", "--to", self.target, "--json").out)
        self.assertLess(second["stored"], 2 * MIB)
        self.fairlead("backup", "verify", self.target)
        self.assertEqual(sums(data), self.restored("data"))
        self.assertEqual([], [key for key in os.listdir(self.host.path("/run/host/s3/bucket")) if "lock" in key or "tmp" in key])


if __name__ == "__main__":
    unittest.main()
