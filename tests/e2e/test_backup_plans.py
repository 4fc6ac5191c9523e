"""Backups that the daemon makes by the option `backup`: when they are due, what is told of them, and where they may go."""

import json
import signal

from support.e2e.case import FairleadCase
from support.e2e.host import bin_folder
from support.e2e.waiting import eventually

FOLDER = "/run/host/backup"
API_SOCKET, PLUGIN_SOCKET = "/run/fairlead/api.sock", "/run/docker/plugins/fairlead.sock"


class BackupPlans(FairleadCase):
    def setUp(self):
        super().setUp()
        self.host.exec("rm", "-rf", FOLDER)

    def tearDown(self):
        self.host.exec("rm", "-f", "/etc/fairlead/fairlead.json")
        for volume in ("data", "more"):
            self.host.fairlead("volume", "rm", "-f", volume)
        self.host.exec("rm", "-rf", FOLDER)
        super().tearDown()

    def volume(self, *options):
        self.host.fairlead("volume", "create", *options, "data")
        folder = self.state()["mountpoint"]
        self.host.write(f"{folder}/file", "content")
        self.host.write(f"{folder}/file.tmp", "content")

    def state(self):
        return self.host.fairlead_json("volume", "inspect", "data")[0]["state"]

    def backups(self):
        listed = self.host.fairlead("backup", "ls", "--json", FOLDER, check=False)
        return json.loads(listed.out) if listed.code == 0 else []

    def start_again(self):
        """It looks at once, and then once a minute."""
        self.fairleadd.stop()
        self.restart_fairleadd()

    def ask(self, socket, path, body):
        return self.host.exec("curl", "--silent", "--unix-socket", socket, "--json", json.dumps(body), f"http://localhost{path}").out

    def jobs(self):
        return {job["id"]: (job["verb"], job["state"]) for job in self.host.fairlead_json("jobs") if job["volume"] == "data"}

    def test_one_that_is_due_is_made_and_told_of(self):
        before = self.jobs()
        self.volume("-o", f"backup=daily:7@{FOLDER}", "-o", "backup_exclude=*.tmp")
        self.start_again()
        eventually(lambda: "last_scheduled_backup" in self.state(), "a backup", 30)
        self.assertEqual(["*.tmp"], [backup["excluded"] for backup in self.backups()])
        self.assertEqual([("backup", "done")], [job for name, job in self.jobs().items() if name not in before])
        self.assertNotIn("backup_error", self.state())
        self.start_again()
        self.host.fairlead("volume", "rm", "data")
        self.host.fairlead("volume", "restore", "data", "--from", FOLDER)
        names = self.host.exec("ls", "-A", self.state()["mountpoint"]).out.split()
        self.assertEqual(["file"], names)
        self.assertEqual(1, len(self.backups()))

    def test_one_that_fails_is_told_of_until_it_succeeds(self):
        self.host.write(FOLDER, "a file in the place of the folder")
        self.volume("-o", f"backup=daily:7@{FOLDER}")
        self.start_again()
        eventually(lambda: self.state().get("backup_failures") == 1, "a failure", 30)
        self.assertIn(f"the backup to {FOLDER} has failed since", self.state()["health"])
        self.assertIn("has failed since", self.host.fairlead("status").out)
        answer = self.ask(PLUGIN_SOCKET, "/VolumeDriver.Get", {"Name": "data"})
        status = json.loads(answer)["Volume"]["Status"]
        self.assertEqual(FOLDER, status["BackupTarget"])
        self.assertIn(FOLDER, status["BackupError"])
        events = self.host.fairlead("events", "--since", "10m", "--until", "now", "--json").out
        self.assertIn('"backup-failed"', events)
        self.host.exec("rm", FOLDER)
        self.host.fairlead("volume", "set", "data", "backup-")  # and forget the failure
        self.host.fairlead("volume", "set", "data", f"backup=hourly:3@{FOLDER}")
        self.start_again()
        eventually(lambda: "last_scheduled_backup" in self.state(), "a backup", 30)
        self.assertEqual("ok", self.state()["health"])

    def test_through_a_socket_only_listed_folders_are_written_to(self):
        body = {"name": "more", "options": {"backup": f"daily:1@{FOLDER}"}}
        self.assertIn("backup_roots", self.ask(API_SOCKET, "/v1/volumes", body))
        answer = self.ask(PLUGIN_SOCKET, "/VolumeDriver.Create", {"Name": "more", "Opts": body["options"]})
        self.assertIn("backup_roots", json.loads(answer)["Err"])
        self.read_again({"backup_roots": ["/run/host"]})
        answer = self.ask(PLUGIN_SOCKET, "/VolumeDriver.Create", {"Name": "more", "Opts": body["options"]})
        self.assertEqual("", json.loads(answer).get("Err", ""))
        elsewhere = {"name": "other", "options": {"backup": "daily:1@/etc/cron.d"}}
        self.assertIn("backup_roots", self.ask(API_SOCKET, "/v1/volumes", elsewhere))

    def read_again(self, config):
        """SIGHUP, until it has taken effect."""
        seen = self.fairleadd.log().count("configuration read again")
        self.host.write("/etc/fairlead/fairlead.json", json.dumps(config))
        self.fairleadd.signal(signal.SIGHUP)
        eventually(lambda: self.fairleadd.log().count("configuration read again") > seen, "the configuration to be read", 30)

    def test_a_signal_rereads_what_can_change(self):
        self.start_again()
        self.addCleanup(self.start_again)  # without what is set here
        self.ask(PLUGIN_SOCKET, "/VolumeDriver.Nothing", {})
        self.assertNotIn("unknown docker method", self.fairleadd.log())
        self.read_again({"reconcile_seconds": 1, "log_format": "json"})
        self.assertIn('"configuration read again"', self.fairleadd.log())  # as JSON has it
        # What a crash left is removed by the rounds alone, of which the first was at the start.
        left = f"/var/lib/fairlead/volumes/tmp/{'0' * 32}"
        self.host.exec("mkdir", "-p", left)
        eventually(lambda: not self.host.path(left).exists(), "the next round", 30)
        self.read_again({"log_level": "debug", "backup_roots": ["/srv/backup", "sftp:nas:/backup"], "bind_roots": ["/run/host"],
                         "overcommit": 0})
        target = {"name": "more", "options": {"backup": "daily:1@sftp:nas:/backup/here"}}
        self.assertIn('"name":"more"', self.ask(API_SOCKET, "/v1/volumes", target))
        self.host.fairlead("volume", "rm", "more")
        self.host.exec("mkdir", "-p", "/run/host/shown")
        self.addCleanup(self.host.exec, "rm", "-rf", "/run/host/shown")
        bind = {"name": "more", "options": {"type": "none", "o": "bind", "device": "/run/host/shown"}}
        self.assertIn('"name":"more"', self.ask(API_SOCKET, "/v1/volumes", bind))
        huge = {"name": "huge", "options": {"backend": "image", "size": "8t"}}
        self.assertIn("overcommit", self.ask(API_SOCKET, "/v1/volumes", huge))
        self.ask(PLUGIN_SOCKET, "/VolumeDriver.Nothing", {})
        self.assertIn("unknown docker method", self.fairleadd.log())
        # One that is wrong changes nothing.
        self.host.write("/etc/fairlead/fairlead.json", json.dumps({"backup_roots": ["nas:/backup"]}))
        self.fairleadd.signal(signal.SIGHUP)
        eventually(lambda: "configuration not read again" in self.fairleadd.log(), "the refusal", 30)
        self.assertIn('"name":"data"', self.ask(API_SOCKET, "/v1/volumes", {**target, "name": "data"}))

    def test_the_folder_is_kept_in_order_by_hand(self):
        self.volume()
        for text in ("one", "two", "three"):
            self.host.write(f"{self.state()['mountpoint']}/file", text * 1000)
            self.host.fairlead("volume", "backup", "data", "--to", FOLDER)
        first, second, third = (backup["id"] for backup in self.backups())
        self.host.fairlead("backup", "rm", FOLDER, first)
        self.assertIn(second, self.host.fairlead("backup", "prune", FOLDER, "--keep", "last:1", "--dry-run").out)
        self.assertEqual([second, third], [backup["id"] for backup in self.backups()])
        self.host.fairlead("backup", "prune", FOLDER, "--keep", "last:1")
        self.assertEqual([third], [backup["id"] for backup in self.backups()])
        self.host.exec("sh", "-c", f"for pack in {FOLDER}/packs/*; do printf damage | dd of=$pack bs=1 seek=10 conv=notrunc; done")
        self.assertEqual(1, self.host.fairlead("backup", "verify", FOLDER, check=False).code)
        self.host.fairlead("backup", "verify", "--repair", FOLDER)
        self.host.fairlead("backup", "verify", FOLDER)
        refused = self.host.fairlead("volume", "backup", "data", "--to", self.state()["mountpoint"] + "/inside", check=False)
        self.assertIn("in the volume itself", refused.err)
        quiet = self.host.exec("sh", "-c", f"{bin_folder()}/fairlead jobs ls | head -1 >/dev/null", check=False)
        self.assertEqual("", quiet.err)

    def test_a_folder_of_the_host_is_not_backed_up_into_itself(self):
        self.host.exec("mkdir", "-p", "/run/host/shown")
        self.addCleanup(self.host.exec, "rm", "-rf", "/run/host/shown")
        self.host.write("/etc/fairlead/fairlead.json", json.dumps({"bind_roots": ["/run/host"]}))
        self.host.fairlead("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/run/host/shown", "data")
        refused = self.host.fairlead("volume", "backup", "data", "--to", "/run/host/shown/backup", check=False)
        self.assertIn("in the volume itself", refused.err)
        self.assertEqual("", self.host.exec("ls", "-A", "/run/host/shown").out)
        refused = self.host.fairlead("volume", "export", "-o", "/run/host/shown/data.tar.zst", "data", check=False)
        self.assertIn("in the volume itself", refused.err)
        self.assertEqual("", self.host.exec("ls", "-A", "/run/host/shown").out)
        self.host.fairlead("volume", "backup", "data", "--to", FOLDER)
