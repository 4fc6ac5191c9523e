#!/usr/bin/env python3
"""Makes a network and a volume with a snapshot, shows them and removes them, with a generated client.

    PYTHONPATH=OUT examples/openapi/example.py [SOCKET]
"""

import json
import socket
import sys

import fairlead
import urllib3


def client_at(path):
    """A client that speaks to a Unix socket."""

    class Connection(urllib3.connection.HTTPConnection):
        def _new_conn(self):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(path)
            return connection

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    client = fairlead.ApiClient(fairlead.Configuration(host="http://localhost"))
    client.rest_client.pool_manager.pool_classes_by_scheme = {"http": Pool}
    return client


def problem_of(failure):
    """The problem document with which the daemon refused."""
    return fairlead.Problem(**json.loads(failure.body))


def make_and_show(networks, volumes, snapshots):
    networks.create_network(fairlead.NetworkSpec(name="example", subnets=[fairlead.Subnet(subnet="10.77.0.0/24")], labels={"by": "example"}))
    volumes.create_volume(fairlead.VolumeSpec(name="notes", options={"size": "4g"}))
    snapshots.create_snapshot("notes", snapshot_spec=fairlead.SnapshotSpec(name="first"))

    print("networks:", *(network.name for network in networks.list_networks().networks))
    network = networks.get_network("example")
    print("network:", network.name, network.subnets[0].subnet, network.subnets[0].gateway, network.labels["by"])
    volume = volumes.get_volume("notes")
    print("volume:", volume.name, volume.state.backend, volume.state.size)
    print("snapshots:", *(f"{snapshot.state.volume}@{snapshot.name}" for snapshot in snapshots.list_volume_snapshots("notes").snapshots))
    try:
        networks.get_network("nowhere")
    except fairlead.ApiException as failure:
        problem = problem_of(failure)
        print("refused:", problem.status, problem.code, problem.detail)


def remove(networks, volumes, snapshots):
    snapshots.delete_snapshot("notes", "first")
    volumes.delete_volume("notes")
    networks.delete_network("example")


def main(path="/run/fairlead/api.sock"):
    with client_at(path) as client:
        apis = fairlead.NetworksApi(client), fairlead.VolumesApi(client), fairlead.SnapshotsApi(client)
        try:
            make_and_show(*apis)
            print("ready; the end of stdin removes it", flush=True)
            sys.stdin.read()
            remove(*apis)
        except fairlead.ApiException as failure:
            sys.exit(f"example: {problem_of(failure).detail}")
        except urllib3.exceptions.HTTPError as failure:
            sys.exit(f"example: fairleadd does not answer at {path}: {failure}")


if __name__ == "__main__":
    main(*sys.argv[1:])
