"""dockerd of newer Debian suites, each in a root folder of its own (suites.py)."""

from support.e2e import suites
from support.e2e.docker import Docker

_PACKAGES = "docker.io,docker-cli,docker-compose,iptables"
_PROGRAMS = (("dockerd", "--version"), ("docker", "compose", "version"))
_ROOT = "/mnt/docker"  # where a host has the folder
_OWN = ("/dev", "/sys", "/run", "/proc", "/var/lib/docker", "/var/lib/fairlead")


class NewerDocker(Docker):
    """dockerd and docker of another suite; they share the host's network, processes, /run, /dev and /sys."""

    command_prefix = ("chroot", _ROOT)
    daemon_prefix = ("unshare", "--mount", "--propagation", "unchanged", "sh", "-e", "-c", suites.into_root(_ROOT), "sh")

    def __init__(self, host, suite, live_restore=False):
        super().__init__(host, live_restore)
        suites.mount(host, suites.folder_of(_suite(suite)), _ROOT, _OWN)

    def compose(self, project, *arguments, check=True):
        """Compose 2, which is a part of docker."""
        return self("compose", "--project-directory", project, "--file", f"{project}/docker-compose.yml", *arguments, check=check)


def require(suite):
    """Skips the test when the suite cannot be had."""
    suites.require(_suite(suite))


def _suite(suite):
    return suites.Suite(suite, suite, _PACKAGES, _PROGRAMS)


class OfASuite:
    """Beside a DockerCase: its dockerd is that of the Debian suite `suite`."""

    @classmethod
    def setUpClass(cls):
        require(cls.suite)
        super().setUpClass()

    @classmethod
    def make_docker(cls):
        return NewerDocker(cls.host, cls.suite)
