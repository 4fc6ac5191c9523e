"""What systemd does for fairleadd.service and fairleadd.socket, on a host without systemd: run there by systemd.py.

    systemd_stand_in.py FOLDER PROGRAM SOCKET...

Listens on the sockets and accepts nothing. While FOLDER/enabled is there, PROGRAM runs with the sockets as descriptors
3 and following, and is started again when it ends (Restart=always). FOLDER/pid names its process, FOLDER/told holds
what it said to NOTIFY_SOCKET, a line for each message.
"""

import fcntl
import os
import socket
import sys
import time
from pathlib import Path


def listen(path):
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    old = os.umask(0o177)
    listening.bind(path)
    os.umask(old)
    listening.listen(1024)
    return listening


def start(program, sockets, told):
    pid = os.fork()
    if pid:
        return pid
    kept = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 64) for each in sockets]  # out of the way of the numbers they get
    for number, descriptor in enumerate(kept, 3):
        os.dup2(descriptor, number, inheritable=True)
    os.environ.update(LISTEN_FDS=str(len(kept)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=":".join(["fairlead"] * len(kept)),
                      NOTIFY_SOCKET=told)
    os.execv(program, [program])


def write_down(notify, path):
    """All messages that have come."""
    with open(path, "a", encoding="utf-8") as told:
        while True:
            try:
                told.write(notify.recv(4096).decode() + "\n")
            except BlockingIOError:
                return


def main():
    folder, program, paths = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    sockets = [listen(path) for path in paths]
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind("\0fairlead-test-notify")
    notify.setblocking(False)
    (folder / "listening").touch()
    pid = None
    while True:
        if pid is None and (folder / "enabled").exists():
            pid = start(program, sockets, "@fairlead-test-notify")
            (folder / "pid").write_text(str(pid))
        ended = pid is not None and os.waitpid(pid, os.WNOHANG)[0]
        write_down(notify, folder / "told")  # its last words too, before anybody sees that it has ended
        if ended:
            (folder / "pid").unlink()
            pid = None
        else:
            time.sleep(0.02)


main()
