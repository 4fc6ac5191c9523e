"""A machine that boots Debian's own systemd, on a disk that outlasts its boots: this machine's root folder with a layer of changes.

Packages are installed on it by dpkg, and services run as their units say. Its network is that of a Host.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from support.e2e.host import Host
from support.e2e.waiting import eventually

_BOOT = Path(__file__).resolve().parent / "boot.py"
_CGROUPS = Path("/sys/fs/cgroup")
# In the cgroup of the machine, which is the root of its own namespace of cgroups.
_START = r"""
name=$1; shift
for folder in /sys/fs/cgroup/*/; do
    [ -e "$folder/cgroup.procs" ] || continue
    mkdir -p "$folder/$name"
    if [ -e "$folder/cpuset.cpus" ]; then
        cat "$folder/cpuset.cpus" >"$folder/$name/cpuset.cpus"
        cat "$folder/cpuset.mems" >"$folder/$name/cpuset.mems"
        echo 1 >"$folder/$name/cgroup.clone_children"
    fi
    echo $$ >"$folder/$name/cgroup.procs"
done
exec unshare --net --mount --pid --uts --ipc --cgroup --fork --kill-child "$@"
"""


class Machine(Host):
    """See the text at the top. Boots when it is made; `disk` is that of a machine that is off, without it a new one is made."""

    def __init__(self, disk=None):
        self.disk = disk or Disk()
        super().__init__()
        eventually(self._has_booted, "systemd to have booted", 60)

    def _start_init(self):
        hierarchies = sorted(each.name for each in _CGROUPS.iterdir() if (each / "cgroup.procs").exists())
        return subprocess.Popen(
            ["sh", "-e", "-c", _START, "sh", self.name, sys.executable, str(_BOOT), self.name, str(self.disk.folder), *hierarchies],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/")

    def _has_booted(self):
        return self.exec("systemctl", "is-system-running", check=False).out.strip() in ("running", "degraded")

    def systemctl(self, *arguments, check=True):
        return self.exec("systemctl", *arguments, check=check)

    def is_active(self, unit):
        return self.systemctl("is-active", unit, check=False).out.strip() == "active"

    def property(self, unit, name):
        return self.systemctl("show", "--value", "--property", name, unit).out.strip()

    def journal(self, unit):
        return self.exec("journalctl", "--no-pager", "--output=short-monotonic", "--unit", unit).out

    def install(self, *packages):
        """dpkg -i, as root would do it."""
        for package in packages:
            self.path("/tmp/" + Path(package).name).write_bytes(Path(package).read_bytes())
        return self.exec("dpkg", "--install", *("/tmp/" + Path(package).name for package in packages), timeout=300)

    def shut_down(self):
        """As `systemctl poweroff`: every unit is stopped. The disk is what is left."""
        self.systemctl("poweroff", check=False)
        self._init.wait(90)
        self.close()

    def reboot(self):
        """Another machine with the disk of this one."""
        self.shut_down()
        return Machine(self.disk)

    def close(self):
        if self._init is not None and self._init.poll() is None:
            self._init.send_signal(signal.SIGKILL)  # and with it process 1 and all the others
        super().close()


class Disk:
    """What a machine keeps when it is off."""

    def __init__(self):
        self._temporary = tempfile.TemporaryDirectory(prefix="fairlead-e2e-disk-", dir=os.environ.get("FAIRLEAD_E2E_DISKS"))
        self.folder = Path(self._temporary.name)

    def remove(self):
        subprocess.run(["rm", "-rf", "--one-file-system", self.folder], check=False)
        self._temporary.cleanup()
