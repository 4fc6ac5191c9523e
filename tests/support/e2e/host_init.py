"""Process 1 of a test host: makes its own /run, /etc, /var, /sys and waits; when it ends, all of the host ends.

Started by host.py inside new network, mount, pid, uts and ipc namespaces. Says its pid as the outside sees it, the
numbers of the mounts it inherited, and "ready". Ends when its standard input is closed, so a killed test run leaves no host behind.
"""

import os
import select
import signal
import subprocess
import sys

# Folders that get a file system of their own in memory (a runtime's overlay needs a real one below it).
OWN_STORAGE = ("/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/cni", "/var/lib/fairlead")
# Folders where changes stay on this host.
OWN_CHANGES = ("/etc", "/opt", "/var/lib", "/var/log")


def run(*command):
    subprocess.run(command, check=True)


def mount_own_run():
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "run", "/run")
    for folder in ("lock", "netns", "docker/plugins", "host"):
        os.makedirs("/run/" + folder, exist_ok=True)


def mount_own_sys():
    """/sys of this network namespace, with the cgroups of the machine."""
    os.makedirs("/run/host/cgroup")
    run("mount", "--rbind", "/sys/fs/cgroup", "/run/host/cgroup")
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    run("mount", "--move", "/run/host/cgroup", "/sys/fs/cgroup")


def mount_own_changes():
    for folder in OWN_CHANGES:
        upper = "/run/host/changes" + folder
        work = "/run/host/work" + folder
        os.makedirs(upper)
        os.makedirs(work)
        run("mount", "-t", "overlay", "-o", f"lowerdir={folder},upperdir={upper},workdir={work}", "own", folder)
    for folder in OWN_STORAGE:
        os.makedirs(folder, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "own", folder)


def write_etc(name):
    """No name server: a pull of an image that is not there fails at once instead of after a minute."""
    if os.path.islink("/etc/resolv.conf"):
        os.unlink("/etc/resolv.conf")
    for path, text in (("/etc/resolv.conf", "nameserver 127.0.0.1\n"),
                       ("/etc/hosts", f"127.0.0.1 localhost {name}\n::1 localhost {name}\n")):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    for folder in ("/etc/cni/net.d", "/opt/cni/bin", "/etc/fairlead", "/etc/containers"):
        os.makedirs(folder, exist_ok=True)
    for file in os.listdir("/etc/cni/net.d"):
        os.unlink("/etc/cni/net.d/" + file)


def reap(_signal, _frame):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def main():
    name = sys.argv[1]
    print(os.readlink("/proc/self"), flush=True)  # the old /proc: the pid as the outside sees it
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        print(*(line.split()[0] for line in mounts), flush=True)
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "proc", "proc", "/proc")
    mount_own_run()
    mount_own_sys()
    mount_own_changes()
    write_etc(name)
    run("mount", "--make-rshared", "/")  # as systemd has it, and runtimes expect it
    run("mount", "--bind", "/run/netns", "/run/netns")  # what the first `ip netns add` does
    run("hostname", name)
    run("ip", "link", "set", "lo", "up")
    run("sysctl", "-qw", "net.ipv4.ip_forward=0")  # inherited from the machine, which may be a router
    signal.signal(signal.SIGCHLD, reap)
    print("ready", flush=True)
    while select.select([0], [], [])[0] and os.read(0, 1):
        pass


main()
