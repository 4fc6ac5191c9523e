"""Process 1 of a machine until systemd takes its place: makes the root folder, its devices, cgroups and /run, and enters it.

Started by machine.py inside new network, mount, pid, uts, ipc and cgroup namespaces, with the folder in which the machine's disk
is kept from boot to boot. Says the same as host_init.py: its pid, the numbers of the mounts it inherited, "ready".
"""

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

# On the disk as folders of their own: overlays can have no overlay below them.
STORAGE = ("/var/lib/docker", "/var/lib/containerd", "/var/lib/fairlead")
MADE = Path("/etc/fairlead-e2e-machine")  # on disks that were prepared


def run(*command):
    subprocess.run(command, check=True)


def mount(kind, where, *options):
    os.makedirs(where, exist_ok=True)
    run("mount", "-t", kind, *(("-o", ",".join(options)) if options else ()), kind, where)


def bind(folder, where):
    for each in (folder, where):
        os.makedirs(each, exist_ok=True)
    run("mount", "--rbind", folder, where)


def mount_root(disk):
    root = f"{disk}/root"
    for name in ("root", "upper", "work"):
        os.makedirs(f"{disk}/{name}", exist_ok=True)
    run("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={disk}/upper,workdir={disk}/work", "machine", root)
    run("mount", "-t", "proc", "proc", root + "/proc")
    bind("/dev", root + "/dev")
    mount("devpts", root + "/dev/pts", "newinstance", "ptmxmode=0666")
    mount("tmpfs", root + "/run", "mode=0755")
    mount("tmpfs", root + "/tmp", "mode=1777")
    for folder in STORAGE:
        bind(disk + folder, root + folder)
    return root


def mount_cgroups(root, names):
    """The hierarchies of the machine below, from this namespace's cgroup on."""
    mount("sysfs", root + "/sys")
    mount("tmpfs", root + "/sys/fs/cgroup", "mode=0755")
    for name in names:
        if name == "unified":
            mount("cgroup2", f"{root}/sys/fs/cgroup/{name}")
        else:
            mount("cgroup", f"{root}/sys/fs/cgroup/{name}", *(("none", "name=systemd") if name == "systemd" else (name,)))


def enter(root):
    os.chdir(root)
    os.makedirs("run/before", exist_ok=True)
    run("pivot_root", ".", "run/before")
    os.chdir("/")
    run("mount", "--make-rprivate", "/run/before")
    run("umount", "--lazy", "/run/before")
    os.rmdir("/run/before")
    run("mount", "--make-rshared", "/")


def prepare_disk(name):
    """Nothing of what the machine below has enabled runs, nor what would change its kernel; packages start their services as on any
    machine."""
    shutil.rmtree("/etc/systemd/system")
    os.makedirs("/etc/systemd/system")
    for file in ("/etc/fstab", "/etc/resolv.conf", "/usr/sbin/policy-rc.d"):
        if os.path.lexists(file):
            os.unlink(file)
    for unit in ("systemd-udevd.service", "systemd-udev-trigger.service", "systemd-networkd.service", "systemd-resolved.service",
                 "systemd-timesyncd.service", "console-getty.service", "getty.target", "tmp.mount", "systemd-binfmt.service",
                 "systemd-sysctl.service", "systemd-modules-load.service", "systemd-remount-fs.service",
                 "systemd-tmpfiles-setup-dev.service"):
        os.symlink("/dev/null", "/etc/systemd/system/" + unit)
    Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\n", encoding="ascii")
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost {name}\n::1 localhost {name}\n", encoding="ascii")
    MADE.touch()


def new_boot():
    """The id of a boot is the kernel's; this machine has booted without it."""
    Path("/run/boot_id").write_text(f"{uuid.uuid4()}\n", encoding="ascii")
    run("mount", "--bind", "/run/boot_id", "/proc/sys/kernel/random/boot_id")


def main():
    name, disk, cgroups = sys.argv[1], sys.argv[2], sys.argv[3:]
    print(os.readlink("/proc/self"), flush=True)
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        print(*(line.split()[0] for line in mounts), flush=True)
    run("mount", "--make-rprivate", "/")
    root = mount_root(disk)
    mount_cgroups(root, cgroups)
    enter(root)
    if not MADE.exists():
        prepare_disk(name)
    for folder in ("lock", "host", "netns"):
        os.makedirs("/run/" + folder, exist_ok=True)
    new_boot()
    run("hostname", name)
    run("ip", "link", "set", "lo", "up")
    run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    print("ready", flush=True)
    os.execve("/lib/systemd/systemd", ["systemd", "--system", "--unit=multi-user.target", "--show-status=no", "--log-target=journal"],
              {"PATH": os.environ["PATH"], "container": "fairlead-e2e"})


main()
