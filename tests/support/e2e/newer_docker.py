"""dockerd of newer Debian suites, each in a root folder of its own.

debootstrap makes the folder with the machine's own mirror, once: it stays in FOLDER for the next runs. A suite that cannot
be had (no debootstrap, no mirror, no network) skips the tests that need it, and says why.
"""

import fcntl
import functools
import os
import shutil
import subprocess
import unittest
from pathlib import Path

from support.e2e.docker import Docker

FOLDER = Path(os.environ.get("FAIRLEAD_E2E_CACHE", "/var/cache/fairlead-e2e"))
_PACKAGES = "docker.io,docker-cli,docker-compose,iptables"
_SCRIPTS = Path("/usr/share/debootstrap/scripts")
_ROOT = "/mnt/docker"  # where a host has the folder
# As process 1 of a machine would: `docker exec` enters a mount namespace at its root, and chroot does not move that.
_INTO_ROOT = f"""
    cd {_ROOT}
    mkdir -p before
    pivot_root . before
    mount --make-rprivate /before
    umount --lazy /before
    mount --make-shared /
    exec "$@"
"""


class Unavailable(Exception):
    """The suite cannot be had here; the text says why."""


class NewerDocker(Docker):
    """dockerd and docker of another suite; they share the host's network, processes, /run, /dev and /sys."""

    command_prefix = ("chroot", _ROOT)
    daemon_prefix = ("unshare", "--mount", "--propagation", "unchanged", "sh", "-e", "-c", _INTO_ROOT, "sh")

    def __init__(self, host, suite, live_restore=False):
        super().__init__(host, live_restore)
        _mount(host, suite_root(suite))

    def compose(self, project, *arguments, check=True):
        """Compose 2, which is a part of docker."""
        return self("compose", "--project-directory", project, "--file", f"{project}/docker-compose.yml", *arguments, check=check)


def _mount(host, tree):
    """The folder with a layer of changes above. A root can only be moved out of private mounts."""
    script = f"""
        mount -t tmpfs -o mode=0755 newer-docker /mnt
        mount --make-private /mnt
        mkdir -p /mnt/changes /mnt/work {_ROOT}
        mount -t overlay -o lowerdir={tree},upperdir=/mnt/changes,workdir=/mnt/work newer-docker {_ROOT}
        mount --make-private {_ROOT}
        for folder in /dev /sys /run /proc /var/lib/docker /var/lib/fairlead; do
            mkdir -p $folder {_ROOT}$folder
            mount --rbind $folder {_ROOT}$folder
        done
        for file in /etc/resolv.conf /etc/hosts; do
            rm -f {_ROOT}$file
            touch {_ROOT}$file
            mount --bind $file {_ROOT}$file
        done
    """
    host.exec("sh", "-e", "-c", script)


def require(suite):
    """Skips the test when the suite cannot be had."""
    try:
        suite_root(suite)
    except Unavailable as reason:
        raise unittest.SkipTest(str(reason)) from None


@functools.lru_cache(maxsize=None)
def suite_root(suite):
    """The suite's root folder, made when it is not there yet. Two runs at the same time make it once."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    tree = FOLDER / suite
    with open(FOLDER / f"{suite}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.is_dir() or not _works(tree):
            _bootstrap(suite, tree)
    return tree


def _works(tree):
    """A folder that somebody cut short, that lacks a package, or that this kernel cannot run, is made anew."""
    programs = (("dockerd", "--version"), ("docker", "compose", "version"))
    return all(subprocess.run(["chroot", str(tree), *program], capture_output=True, check=False).returncode == 0 for program in programs)


def _bootstrap(suite, tree):
    if shutil.which("debootstrap") is None:
        raise Unavailable("debootstrap is not installed")
    new = tree.with_suffix(".new")
    for old in (new, tree):
        shutil.rmtree(old, ignore_errors=True)
    # In a mount namespace of its own: what is mounted meanwhile goes with it, also when it fails.
    command = ["unshare", "--mount", "debootstrap", "--variant=minbase", f"--include={_PACKAGES}", suite, str(new), _mirror()]
    if not (_SCRIPTS / suite).exists():
        command.append(str(_SCRIPTS / "sid"))  # an older debootstrap, which does not know the suite's name yet
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"debootstrap of {suite} took more than 15 minutes") from None
    if done.returncode != 0 or not _works(new):
        shutil.rmtree(new, ignore_errors=True)
        raise Unavailable(f"debootstrap of {suite}: " + " / ".join((done.stdout + done.stderr).splitlines()[-3:]))
    for package in (new / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()
    new.rename(tree)


def _mirror():
    """The Debian mirror that this machine's apt uses."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
                            capture_output=True, text=True, check=False).stdout.split()
    for uri in listed:
        if uri.rstrip("/").endswith("/debian"):
            return uri
    raise Unavailable("apt knows no mirror of Debian here")
