"""PostgreSQL and MariaDB of Debian's packages, in containers whose data is in volumes."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from support.e2e import images
from support.e2e.waiting import eventually

IMAGE = "docker.io/library/fairlead-e2e-databases:1"
USER = 999  # of the servers in the image
LOG = "/log"  # where a volume for the log is mounted
_POSTGRES = "/usr/lib/postgresql/15"
_PROGRAMS = ("/usr/sbin/mariadbd", "/usr/bin/mariadb", "/usr/bin/mariadb-check", "/usr/bin/sysbench", "/usr/bin/my_print_defaults",
             "/bin/bash", "/usr/bin/resolveip")
_FOLDERS = (_POSTGRES, "/usr/share/postgresql/15", "/usr/share/mysql", "/usr/share/sysbench",
            "/usr/share/zoneinfo/Etc")


def have_databases():
    return Path(_POSTGRES, "bin/postgres").exists() and all(shutil.which(program) for program in _PROGRAMS)


@images.made
def database_archive(path):
    """A docker-archive with IMAGE in it: the packages' files over the usual image."""
    images.write_archive(path, IMAGE, images.base_layer(), _database_layer(),
                         configuration={"Env": [f"PATH={_POSTGRES}/bin:/bin:/usr/bin:/usr/sbin", "LC_ALL=C"]})


def _database_layer():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        binaries = [Path(program) for program in _PROGRAMS]
        for folder in _FOLDERS:
            archive.add(folder, filter=_without_jit)
            binaries += [file for file in Path(folder).rglob("*") if file.is_file() and _is_elf(file) and "jit" not in file.name]
        for file in sorted({*_PROGRAMS, *_libraries(binaries)}):
            # Where links of folders lead (/bin, /lib64), the image has folders of its own.
            archive.add(Path(file).resolve(), arcname=file)
        for name, text in (("etc/passwd", f"root:x:0:0:root:/:/bin/sh\ndatabase:x:{USER}:{USER}::/tmp:/bin/sh\n"),
                           ("etc/group", f"root:x:0:\ndatabase:x:{USER}:\n")):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
        for name in ("tmp", "run", "var/tmp"):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(info)
    return buffer.getvalue()


def _without_jit(entry):
    """PostgreSQL's compiler of queries needs LLVM, which is larger than all else."""
    return None if "jit" in Path(entry.name).name or Path(entry.name).name == "bitcode" else entry


def _is_elf(path):
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _libraries(binaries):
    """The files that the loader takes for these programs and plugins, itself among them."""
    shown = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True).stdout
    for line in shown.splitlines():
        words = line.split()
        path = words[2] if "=>" in words and len(words) > 2 else words[0] if words else ""
        if path.startswith("/") and not path.endswith(":"):
            yield path


class Database:
    """A server in a container. `volumes`: options of docker run that put volumes below /store, and one at LOG for a log that is
    apart from the data."""

    def __init__(self, docker, name, *volumes):
        self.docker, self.name, self.volumes = docker, name, volumes
        self.log_is_apart = any(volume.endswith(":" + LOG) for volume in volumes)

    def run(self, *command):
        """Starts the container with the server in it, and waits until that answers."""
        self.docker.remove(*self.docker("ps", "--all", "--quiet", "--filter", f"name=^{self.name}$").out.split())
        self.docker("run", "--detach", "--name", self.name, "--user", str(USER), "--network", "none", "--ulimit", "core=0",
                    *self.volumes, IMAGE, *(command or self.server))
        eventually(lambda: self._has_ended() or self.sh(self.ping, check=False).code == 0, f"{self.name} to answer", 90, pause=0.2)
        self._must_run()
        return self

    def _must_run(self):
        if self._has_ended():
            raise AssertionError(f"{self.name} ended:\n{self.log()}")

    def _has_ended(self):
        return not self.docker.inspect("container", self.name)["State"]["Running"]

    def log(self):
        said = self.docker("logs", "--tail", "60", self.name, check=False)
        return said.out + said.err

    def sh(self, script, check=True):
        return self.docker.exec(self.name, "sh", "-c", script, check=check)

    def end_load(self):
        """Returns once nobody but this process uses the server; it may have been nobody before."""
        self.sh("killall pgbench sysbench; while pidof pgbench sysbench; do sleep 0.1; done", check=False)

    def commits(self):
        """How many transactions were committed, which only a server under load does."""
        return int(self.sh(self.count_of_commits).out.split()[-1])

    def await_commits(self, number):
        """Returns when more than so many were committed."""
        eventually(lambda: self._has_ended() or self.commits() > number, f"{self.name} to commit more than {number}", 60, pause=0.1)
        self._must_run()

    def stop(self, seconds=30):
        self.docker("stop", "--time", str(seconds), self.name)

    def kill(self):
        """What is left of it; a server whose disk is gone may have ended by itself."""
        self.docker("kill", self.name, check=False)

    def remove(self):
        self.docker.remove(self.name)


class Postgres(Database):
    """With checksums on each page; under pgbench, whose three sums are equal after every transaction."""

    server = ("postgres", "-D", "/store/pg", "-k", "/tmp", "-c", "listen_addresses=", "-c", "shared_buffers=32MB",
              "-c", "checkpoint_timeout=30s", "-c", "max_wal_size=64MB", "-c", "autovacuum_naptime=5s")
    ping = "psql -h /tmp -U database -d postgres -c 'SELECT 1'"
    count_of_commits = "psql -h /tmp -U database -d bench -At -c 'SELECT count(*) FROM pgbench_history'"

    def make(self):
        """A new cluster with pgbench's tables, and its server."""
        words = f"--waldir={LOG}/wal" if self.log_is_apart else ""
        self.run("sh", "-c", f"initdb -D /store/pg -k -E UTF8 -U database -A trust {words} && exec {' '.join(self.server)}")
        self.sh("createdb -h /tmp -U database bench && pgbench -h /tmp -U database -i -q -s 2 bench")
        self.sh("psql -h /tmp -U database -d bench -c 'CREATE EXTENSION amcheck'")
        return self

    def load(self, seconds):
        """pgbench in the background of the container."""
        self.docker("exec", "--detach", self.name, "sh", "-c", f"pgbench -h /tmp -U database -n -c 4 -T {seconds} bench >/tmp/load 2>&1")

    def check(self):
        """Every index agrees with its table, every page with its checksum, and the sums with each other; the load ends first."""
        self.end_load()
        self.sh("pg_amcheck -h /tmp -U database --heapallindexed --parent-check -d bench")
        sums = self.sh("psql -h /tmp -U database -d bench -At -c \"SELECT (SELECT sum(abalance) FROM pgbench_accounts), "
                       "(SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(tbalance) FROM pgbench_tellers), "
                       "(SELECT coalesce(sum(delta), 0) FROM pgbench_history)\"").out.strip().split("|")
        if len(set(sums)) != 1:
            raise AssertionError(f"the sums of {self.name} differ: {sums}")
        self.sh("pg_dump -h /tmp -U database bench >/dev/null")  # reads every page, and so compares every checksum


class MariaDb(Database):
    """InnoDB with a flush at every commit, under sysbench."""

    _server = ("mariadbd", "--no-defaults", "--datadir=/store/my", "--socket=/tmp/my.sock", "--skip-networking", "--skip-grant-tables", "--pid-file=/tmp/my.pid",
               "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=1")
    ping = "mariadb --no-defaults -S /tmp/my.sock -u root -e 'SELECT 1'"
    count_of_commits = "mariadb --no-defaults -S /tmp/my.sock -u root -NBe \"SHOW GLOBAL STATUS LIKE 'Com_commit'\""
    _bench = ("sysbench oltp_read_write --db-driver=mysql --mysql-socket=/tmp/my.sock --mysql-user=root --mysql-db=bench --tables=2 "
              "--table-size=5000 --threads=4")

    @property
    def server(self):
        return (*self._server, *((f"--innodb-log-group-home-dir={LOG}",) if self.log_is_apart else ()))

    def make(self):
        # What mariadb-install-db does, which wants programs of a whole Debian. One statement stands in a line.
        script = "\n".join((
            "set -e", "mkdir -p /store/my", f"server='{' '.join(self.server)}'", "scripts=/usr/share/mysql/mysql",
            "(printf 'CREATE DATABASE mysql;\\nUSE mysql;\\nSET @auth_root_socket=NULL;\\n'",
            " cat ${scripts}_system_tables.sql ${scripts}_performance_tables.sql ${scripts}_system_tables_data.sql) | $server --bootstrap",
            "exec $server --init-file=/tmp/init.sql"))
        self.run("sh", "-c", "printf 'CREATE DATABASE IF NOT EXISTS bench;\\n' > /tmp/init.sql\n" + script)
        self.sh(f"{self._bench} prepare && sync")  # the tables of help and statistics, which the installation flushes never
        return self

    def load(self, seconds):
        self.docker("exec", "--detach", self.name, "sh", "-c", f"{self._bench} --time={seconds} run >/tmp/load 2>&1")

    def check(self):
        """Every entry of every index, once what recovery does in the background is done: until then entries of transactions that
        are rolled back are counted. The load ends first: while it writes, there is always more to be done."""
        self.end_load()
        mariadb = "mariadb --no-defaults -S /tmp/my.sock -u root -NBe"
        eventually(lambda: self.sh(f"{mariadb} 'SELECT count(*) FROM information_schema.innodb_trx'").out.strip() == "0",
                   "the rollbacks to end", 60, pause=0.1)
        self.sh(f"{mariadb} 'SET GLOBAL innodb_max_purge_lag_wait=0'")
        said = self.sh("mariadb-check --no-defaults -S /tmp/my.sock -u root --check --extended --all-databases").out
        bad = [line for line in said.splitlines() if not line.rstrip().endswith("OK") and line.strip()]
        if bad:
            raise AssertionError(f"mariadb-check of {self.name}: {bad}")
