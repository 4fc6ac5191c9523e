#include "plugin-api/bin/config_words.h"

#include <array>

namespace fairlead {

namespace {

constexpr auto kWords = std::to_array<ConfigWords>({
    {"run_dir", "\"/run/fairlead\"", "The folder of locks and sockets; gone after a reboot."},
    {"state_dir", "\"/var/lib/fairlead\"", "The folder of the store."},
    {"volume_dir", "volumes in state_dir", "The folder of the data of volumes."},
    {"plugin_dir", "\"/run/docker/plugins\"", "The folder of Docker's and Podman's socket."},
    {"bind_roots", "none", "The folders of the host that volumes may show, as [\"/srv\"].", true},
    {"overcommit", "1.0",
     "How many times over the disk below volumes may be promised to sparse images and pools; "
     "beyond it, creating and growing warn. 0: what is not covered by what is free is refused.",
     true},
    {"allow_forwarding", "false",
     "Route packets between interfaces of others, although it is Fairlead that has switched the "
     "host's forwarding on."},
    {"foreign_firewalls", "\"open\"",
     "What is done where another firewall drops what is forwarded: \"open\" lets Fairlead's "
     "bridges pass, \"report\" only tells of it."},
    {"uplink_mask", "\"0xf0000000\"",
     "Adjacent bits of marks of packets, by which answers of published ports find the uplink from "
     "which they were asked; they are no other program's."},
    {"backup_roots", "none",
     "The folders, and targets on other hosts, that the option backup of volumes may name when it "
     "comes through a socket, as [\"/srv/backup\", \"sftp:me@nas:/backup\"]. Root's command line "
     "may use any.",
     true},
    {"device_roots", "none",
     "The block devices, or folders of them, that callers of the API may make pools on, as "
     "[\"/dev/vg0\"]. Root's command line may use any."},
    {"api_group", "\"fairlead\"", "The group that may use the API socket besides root."},
    {"dns_port", "10053",
     "The port of the name service at each network's gateway, to which what containers ask at port "
     "53 is led. 0: names are not answered."},
    {"docker_socket", "\"/run/docker.sock\"",
     "Where dockerd is asked what its networks and containers are called: a path, or unix://... as "
     "in DOCKER_HOST. \"\": it is not asked."},
    {"log_level", "\"info\"", "debug, info, warn or error.", true},
    {"log_format", "\"text\"", "text or json.", true},
    {"restart_docker_containers", "false",
     "Start the containers that Docker gave up on while fairleadd was away. It needs "
     "docker_socket."},
    {"reconcile_seconds", "60",
     "How often all is looked over, 1 to 86400. What the kernel tells of is repaired at once.",
     true},
    {"counters", "true", "Count what published ports receive and send, once somebody looks."},
    {"metrics_address", "none",
     "Where /metrics is answered besides the API socket, as \"127.0.0.1:9464\". Whoever reaches it "
     "may "
     "read the metrics."},
    {"ui", "none",
     "Where the page for people is, as \"127.0.0.1:7780\"; fairleadd's option --ui goes before "
     "it."},
    {"ui_write", "false", "The page may also change things."},
    {"ui_anywhere", "false",
     "ui may be an address that others reach, although nothing is encrypted."},
    {"cluster", "none", "An object: networks over several hosts."},
    {"cluster.etcd", "needed",
     "The members, as [\"https://10.0.0.1:2379\"]; first the one to ask first."},
    {"cluster.name", "\"default\"", "The name of the cluster: several can share one etcd."},
    {"cluster.address", "that of the default route",
     "Where the other hosts send this one's packets to: an address, or the name of an interface."},
    {"cluster.host", "the machine's name", "This host's name, for people."},
    {"cluster.ca_file", "none",
     "The authority of etcd's certificates, as PEM; read anew when it changes."},
    {"cluster.certificate_file", "none", "This host's certificate for etcd, the same."},
    {"cluster.key_file", "none", "Its key, the same."},
    {"cluster.user", "none", "This host's user in etcd."},
    {"cluster.password_file", "none", "The file with its password; mode 0600."},
    {"cluster.wireguard_port", "51820", "The UDP port of encrypted networks."},
});

}  // namespace

std::span<const ConfigWords> config_words() { return kWords; }

}  // namespace fairlead
