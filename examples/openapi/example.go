// Makes a network and a volume with a snapshot, shows them and removes them, with a generated client.
//
//	example [SOCKET]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"fairlead"
)

const apiSocket = "/run/fairlead/api.sock"

// clientAt returns a client that speaks to a Unix socket.
func clientAt(path string) *fairlead.APIClient {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", path)
	}
	settings := fairlead.NewConfiguration()
	settings.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: dial}}
	return fairlead.NewAPIClient(settings)
}

// problemOf returns the problem document with which the daemon refused.
func problemOf(err error) (*fairlead.Problem, bool) {
	var failure fairlead.GenericOpenAPIError
	if !errors.As(err, &failure) {
		return nil, false
	}
	problem := &fairlead.Problem{} // failure.Model() has none: the generator does not take application/problem+json for JSON
	return problem, json.Unmarshal(failure.Body(), problem) == nil
}

func makeObjects(ctx context.Context, client *fairlead.APIClient) error {
	subnet := fairlead.NewSubnet()
	subnet.SetSubnet("10.77.0.0/24")
	network := fairlead.NewNetworkSpec("example")
	network.SetSubnets([]fairlead.Subnet{*subnet})
	network.SetLabels(map[string]string{"by": "example"})
	if _, _, err := client.NetworksApi.CreateNetwork(ctx).NetworkSpec(*network).Execute(); err != nil {
		return err
	}
	volume := fairlead.NewVolumeSpec("notes")
	volume.SetOptions(map[string]string{"size": "4g"})
	if _, _, err := client.VolumesApi.CreateVolume(ctx).VolumeSpec(*volume).Execute(); err != nil {
		return err
	}
	snapshot := fairlead.NewSnapshotSpec()
	snapshot.SetName("first")
	_, _, err := client.SnapshotsApi.CreateSnapshot(ctx, "notes").SnapshotSpec(*snapshot).Execute()
	return err
}

func showObjects(ctx context.Context, client *fairlead.APIClient) error {
	networks, _, err := client.NetworksApi.ListNetworks(ctx).Execute()
	if err != nil {
		return err
	}
	fmt.Print("networks:")
	for _, network := range networks.Networks {
		fmt.Print(" ", network.Name)
	}
	network, _, err := client.NetworksApi.GetNetwork(ctx, "example").Execute()
	if err != nil {
		return err
	}
	fmt.Println("\nnetwork:", network.Name, network.Subnets[0].GetSubnet(), network.Subnets[0].GetGateway(), network.Labels["by"])
	volume, _, err := client.VolumesApi.GetVolume(ctx, "notes").Execute()
	if err != nil {
		return err
	}
	fmt.Println("volume:", volume.Name, volume.State.Backend, volume.State.GetSize())
	snapshots, _, err := client.SnapshotsApi.ListVolumeSnapshots(ctx, "notes").Execute()
	if err != nil {
		return err
	}
	fmt.Print("snapshots:")
	for _, snapshot := range snapshots.Snapshots {
		fmt.Print(" ", snapshot.State.Volume, "@", snapshot.Name)
	}
	fmt.Println()
	return nil
}

func showRefusal(ctx context.Context, client *fairlead.APIClient) error {
	_, _, err := client.NetworksApi.GetNetwork(ctx, "nowhere").Execute()
	problem, known := problemOf(err)
	if !known {
		return fmt.Errorf("a network that is nowhere: %v", err)
	}
	fmt.Println("refused:", problem.Status, problem.Code, problem.Detail)
	return nil
}

func removeObjects(ctx context.Context, client *fairlead.APIClient) error {
	if _, err := client.SnapshotsApi.DeleteSnapshot(ctx, "notes", "first").Execute(); err != nil {
		return err
	}
	if _, err := client.VolumesApi.DeleteVolume(ctx, "notes").Execute(); err != nil {
		return err
	}
	_, err := client.NetworksApi.DeleteNetwork(ctx, "example").Execute()
	return err
}

func run(client *fairlead.APIClient) error {
	ctx := context.Background()
	for _, step := range []func(context.Context, *fairlead.APIClient) error{makeObjects, showObjects, showRefusal} {
		if err := step(ctx, client); err != nil {
			return err
		}
	}
	fmt.Println("ready; the end of stdin removes it")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return removeObjects(ctx, client)
}

func main() {
	path := apiSocket
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	err := run(clientAt(path))
	if err == nil {
		return
	}
	if problem, known := problemOf(err); known {
		err = errors.New(problem.Detail)
	} else if failure := new(net.OpError); errors.As(err, &failure) {
		err = fmt.Errorf("fairleadd does not answer at %s: %w", path, failure)
	}
	fmt.Fprintln(os.Stderr, "example:", err)
	os.Exit(1)
}
