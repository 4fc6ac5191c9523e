"""Types into an interactive shell on a terminal, line by line, and prints for each what the shell made of it.

    type_in_shell.py SHELL SETTING KEYS...

SETTING is a command that the shell runs first. KEYS may hold tabs. The line that they make is not run but printed.
"""

import os
import pty
import re
import select
import sys
import time

STARTS = {"bash": ("bash", "--norc", "--noprofile", "-i"), "zsh": ("zsh", "-f", "-i"), "fish": ("fish", "--no-config", "-i")}
TO_START = b"\x01"  # Ctrl-A
DEADLINE = 20


def main():
    shell, setting, *all_keys = sys.argv[1:]
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm", COLUMNS="200", LINES="50", PS1="$ ")
        os.execvp(shell, STARTS[shell])
    type_and_await(terminal, f"{setting}; echo :rea'dy:'\n".encode(), rb":ready:")
    for keys in all_keys:
        print(type_and_await(terminal, keys.encode() + TO_START + b"echo ':'made \n", rb":made [^\r\n]*[\r\n]"))
    os.write(terminal, b"exit\n")


def type_and_await(terminal, keys, wanted):
    os.write(terminal, keys)
    said, end = b"", time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 65536)
            if found := re.findall(wanted, plain(said)):
                return found[-1].decode().strip().removeprefix(":made ")
    sys.exit(f"{DEADLINE} s after {keys!r} the shell had said only {plain(said)!r}")


def plain(said):
    return re.sub(rb"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07|[=>()][B0]?)", b"", said)


main()
