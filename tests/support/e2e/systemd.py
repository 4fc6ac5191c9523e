"""fairleadd under what stands in for systemd on a host: sockets that are there before it, Restart=always."""

from pathlib import Path

from support.e2e.host import FAIRLEAD_SOCKETS, bin_folder
from support.e2e.waiting import eventually

_STAND_IN = Path(__file__).resolve().parent / "systemd_stand_in.py"


class Systemd:
    def __init__(self, host, sockets=FAIRLEAD_SOCKETS, program=None):
        self.host = host
        self._folder = "/run/host/systemd"
        self.host.path(self._folder).mkdir(exist_ok=True)
        for name in ("enabled", "pid", "told", "listening"):
            self._file(name).unlink(missing_ok=True)
        self._process = host.start("python3", _STAND_IN, self._folder, program or bin_folder() / "fairleadd", *sockets,
                                   name="systemd")
        eventually(self._file("listening").exists, "the sockets")

    def _file(self, name):
        return self.host.path(f"{self._folder}/{name}")

    def told(self):
        """What fairleadd said by sd_notify."""
        return self._file("told").read_text().split("\n") if self._file("told").exists() else []

    def times_ready(self):
        return self.told().count("READY=1")

    def log(self):
        return self._process.log()

    def enable(self):
        """systemctl start fairleadd.service, without waiting."""
        self._file("enabled").touch()

    def await_ready(self, times=1, deadline=30):
        eventually(lambda: self.times_ready() >= times, "fairleadd to be ready", deadline)

    def signal(self, name):
        """kill -NAME of the daemon that runs; returns its process id."""
        pid = eventually(lambda: self._file("pid").exists() and self._file("pid").read_text(), "fairleadd to run")
        self.host.exec("kill", "-" + name, pid)
        return pid

    def kill(self):
        """SIGKILL, and it is not started again until enable()."""
        self._file("enabled").unlink(missing_ok=True)
        self.signal("KILL")
        eventually(lambda: not self._file("pid").exists(), "fairleadd to end")

    def stop(self):
        """systemctl stop fairleadd.service: the sockets stay."""
        self._file("enabled").unlink(missing_ok=True)
        if self._file("pid").exists():
            self.signal("TERM")
        eventually(lambda: not self._file("pid").exists(), "fairleadd to end", 30)

    def close(self):
        """The sockets too, as a reboot does."""
        self.stop()
        self._process.stop()
        for path in FAIRLEAD_SOCKETS:
            self.host.path(path).unlink(missing_ok=True)
