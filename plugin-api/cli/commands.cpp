#include "plugin-api/cli/commands.h"

#include <array>

namespace fairlead::cli {

namespace {

constexpr auto kGroups = std::to_array<Group>({
    {"network", "Create, show and remove networks"},
    {"endpoint", "Show and remove the attachments of containers to networks"},
    {"lease", "Show and free addresses that are taken"},
    {"port", "Show published ports"},
    {"policy", "Allow and deny connections between networks, containers and addresses"},
    {"volume", "Create, show, change, copy and remove volumes", {}, {}, "vol"},
    {"snapshot", "Take, show and remove snapshots of volumes", {}, "volume"},
    {"backup", "Show, verify, mend and remove backups of volumes"},
    {"pool", "Make, show, grow and remove pools of volumes"},
    {"trash", "Show, restore and empty what removed volumes left"},
    {"jobs", "Show, stop and resume what runs long", "ls"},
    {"host", "Show and remove the hosts that share networks"},
    {"cluster", "Show how this host and the others share networks", "status"},
    {"cni", "Put the CNI plugin where runtimes look for it"},
    {"podman", "Put the plugins where Podman looks for them"},
});

constexpr auto kCommands = std::to_array<Command>({
    {"network", "ls", "list", "List the networks", "", kNoTrunc | kFilter,
     "fairlead network ls\nfairlead network ls --filter name=shop\nfairlead network rm $(fairlead "
     "network ls -q)",
     network_list},
    {"network", "inspect", "", "Show networks as JSON, which create -f takes again", "NAME...",
     kNothing, "fairlead network inspect shop\nfairlead network inspect shop > shop.json",
     network_inspect},
    {"network", "create", "", "Create a network", "[NAME]", kNetworkSpec | kOptions,
     "fairlead network create shop\n"
     "fairlead network create --subnet 10.89.0.0/24 --gateway 10.89.0.1 --ip-range 10.89.0.128/25 "
     "shop\n"
     "fairlead network create --ipv6 --subnet 10.89.0.0/24 --subnet fd89::/64 -o mtu=1400 --label "
     "team=a shop\n"
     "fairlead network create --subnet 10.89.0.0/24 --subnet 10.90.0.0/24 --reserve web=10.89.0.7 "
     "shop\n"
     "fairlead network create --internal backend\n"
     "fairlead network create -o mode=overlay shop\n"
     "fairlead network create -f shop.json",
     network_create},
    {"network", "rm", "remove", "Remove networks", "NAME...", kForceAll,
     "fairlead network rm shop backend\nfairlead network rm -f maybe", network_remove},
    {"network", "reserve", "", "Keep an address for the container of that name",
     "NAME CONTAINER ADDRESS", kNothing,
     "fairlead network reserve shop web 10.89.0.7\nfairlead network reserve pods shop/web-0 "
     "fd89::7",
     network_reserve},
    {"network", "unreserve", "", "Keep an address, or all of a container, no longer",
     "NAME CONTAINER", kNothing,
     "fairlead network unreserve shop web\nfairlead network unreserve shop 10.89.0.7",
     network_unreserve},
    {"lease", "ls", "list", "List the addresses that are taken or kept", "",
     kNoTrunc | kNetworkFilter, "fairlead lease ls\nfairlead lease ls --network shop --json",
     lease_list},
    {"lease", "rm", "remove", "Free addresses that nothing has", "ADDRESS...", kForceLive,
     "fairlead lease rm 10.89.0.7\nfairlead lease rm -f 10.89.0.7", lease_remove},
    {"endpoint", "ls", "list", "List the endpoints", "", kNoTrunc | kNetworkFilter,
     "fairlead endpoint ls\nfairlead endpoint ls --network shop", endpoint_list},
    {"endpoint", "inspect", "", "Show endpoints as JSON", "ENDPOINT...", kNothing,
     "fairlead endpoint inspect 3f2a9c\nfairlead endpoint inspect shop/3f2a9c\nfairlead endpoint "
     "inspect web",
     endpoint_inspect},
    {"endpoint", "rm", "remove", "Detach containers: interface, addresses and ports", "ENDPOINT...",
     kForceAll,
     "fairlead endpoint rm shop/3f2a9c\nfairlead endpoint rm $(fairlead endpoint ls -q --network "
     "shop)",
     endpoint_remove},
    {"port", "ls", "list", "List the published ports", "", kNoTrunc | kNetworkFilter,
     "fairlead port ls\nfairlead port ls --network shop --json", port_list},
    {"", "publish", "", "Publish more ports of a running container", "ENDPOINT PORT...",
     kNetworkFilter | kLimit,
     "fairlead publish web 8080:80\n"
     "fairlead publish web 127.0.0.1:5353:53/udp 7000-7009:7000-7009\n"
     "fairlead publish --network shop web 8443:443\n"
     "fairlead publish --max-connections 100 web 8080:80",
     port_publish},
    {"", "unpublish", "", "Publish ports of a container no more; all of them without a PORT",
     "ENDPOINT [PORT...]", kNetworkFilter,
     "fairlead unpublish web 8080\n"
     "fairlead unpublish web 127.0.0.1:5353/udp 7000-7009\n"
     "fairlead unpublish web",
     port_unpublish},
    {"policy", "allow", "", "Let FROM begin connections to TO: on these ports, or on all",
     "FROM TO [PORT...]", kPolicy,
     "fairlead policy allow shop db 5432/tcp\n"
     "fairlead policy allow net:builds 10.0.0.0/8 443/tcp 53\n"
     "fairlead policy allow label:role=web label:role=db 5432/tcp\n"
     "fairlead policy allow builds host 3142/tcp\n"
     "fairlead policy allow --dry-run shop/web outside tcp",
     policy_allow},
    {"policy", "deny", "", "Keep FROM from connecting to TO, whatever is allowed",
     "FROM TO [PORT...]", kPolicy,
     "fairlead policy deny shop outside 25/tcp\n"
     "fairlead policy deny any 169.254.169.254\n"
     "fairlead policy deny outside shop 8000-8100/tcp icmp",
     policy_deny},
    {"policy", "ls", "list", "List the policies", "", kNoTrunc,
     "fairlead policy ls\nfairlead policy ls --json", policy_list},
    {"policy", "inspect", "", "Show policies as JSON", "ID...", kNothing,
     "fairlead policy inspect 3", policy_inspect},
    {"policy", "rm", "remove", "Remove policies; what one has allowed ends", "ID...", kForce,
     "fairlead policy rm 3 4\nfairlead policy rm $(fairlead policy ls -q)", policy_remove},
    {"volume", "ls", "list", "List the volumes", "", kNoTrunc | kVolumeFilter | kPoolFilter,
     "fairlead volume ls\n"
     "fairlead volume ls -q -f name=db\n"
     "fairlead volume ls -f label=team=a -f dangling=true\n"
     "fairlead volume ls -f health=full -f health=disk-full\n"
     "fairlead volume ls --pool fast",
     volume_list},
    {"volume", "inspect", "", "Show volumes as JSON", "NAME...", kNothing,
     "fairlead volume inspect data", volume_inspect},
    {"volume", "create", "", "Create a volume; without a NAME, one is made up", "[NAME]", kOptions,
     "fairlead volume create data\n"
     "fairlead volume create -o size=10g data\n"
     "fairlead volume create -o uid=1000 -o gid=1000 -o mode=0750 home\n"
     "fairlead volume create -o size=10g -o snapshots=hourly:24,daily:7 --label team=a db",
     volume_create},
    {"volume", "rm", "remove", "Remove volumes", "NAME...", kForce,
     "fairlead volume rm data db\nfairlead volume rm -f maybe", volume_remove},
    {"volume", "prune", "", "Remove volumes that nothing has mounted", "", kVolumeFilter | kPrune,
     "fairlead volume prune --dry-run\n"
     "fairlead volume prune\n"
     "fairlead volume prune --all --filter label!=keep --filter pool=fast\n"
     "fairlead volume prune -f",
     volume_prune},
    {"volume", "ls-files", "", "List what is in a volume, a snapshot or a backup",
     "NAME[@SNAPSHOT][:PATH]", kLook | kFrom | kSecret | kLeavesOut,
     "fairlead volume ls-files data\n"
     "fairlead volume ls-files -l data@monday:/etc\n"
     "fairlead volume ls-files -R --json data:/var\n"
     "fairlead volume ls-files data:/etc --from /srv/backup",
     volume_ls_files},
    {"volume", "cat", "", "Print one file of a volume, a snapshot or a backup",
     "NAME[@SNAPSHOT]:PATH", kFrom | kSecret,
     "fairlead volume cat data@monday:/etc/app.conf\n"
     "fairlead volume cat data:/dump.sql --from /srv/backup > dump.sql",
     volume_cat},
    {"volume", "cp", "", "Copy a file or a folder out of a volume, a snapshot or a backup",
     "NAME[@SNAPSHOT]:PATH DEST", kFrom | kSecret | kLeavesOut,
     "fairlead volume cp data@monday:/etc/app.conf .\n"
     "fairlead volume cp data:/uploads /srv/uploads --from /srv/backup\n"
     "fairlead volume cp data@monday:/etc - | tar tv",
     volume_copy},
    {"volume", "rename", "mv", "Give a volume that nothing has mounted another name", "NAME NEW",
     kNothing, "fairlead volume rename data shop-data", volume_rename},
    {"volume", "resize", "grow", "Change the limit of a volume, online where it can", "NAME SIZE",
     kNothing, "fairlead volume resize data 20g\nfairlead volume resize data +5g", volume_resize},
    {"volume", "label", "", "Set labels (K=V) and take labels away (K-)", "NAME LABEL...", kNothing,
     "fairlead volume label data team=a tier=gold\nfairlead volume label data tier-", volume_label},
    {"volume", "set", "", "Change options (K=V), or reset them (K-)", "NAME OPTION...", kNothing,
     "fairlead volume set data backup=daily:7,weekly:5@/srv/backup\n"
     "fairlead volume set data backup=daily:7@sftp:backup@nas:/backup "
     "backup_keyfile=/etc/fairlead/backup.key\n"
     "fairlead volume set data snapshots=hourly:24 retain=7d\nfairlead volume set data backup-",
     volume_set},
    {"volume", "usage", "df", "Measure what volumes take", "NAME...", kNothing,
     "fairlead volume usage data\nfairlead volume usage $(fairlead volume ls -q)", volume_usage},
    {"volume", "check", "fsck", "Check the file system of a volume (fsck, scrub)", "NAME", kRepair,
     "fairlead volume check data\nfairlead volume check --repair data", volume_check},
    {"volume", "recover", "",
     "Take back the volumes whose data is on the disk but not in the database", "[NAME...]",
     kRecovery,
     "fairlead volume recover --dry-run\nfairlead volume recover\nfairlead volume recover data",
     volume_recover},
    {"volume", "clone", "", "Make a new volume with the content of another one, or of a snapshot",
     "[SOURCE[@SNAPSHOT]] [NEW]", kOptions | kGroup | kAffix,
     "fairlead volume clone data test-data\n"
     "fairlead volume clone data@monday monday-data\n"
     "fairlead volume clone -o size=20g data larger-data\n"
     "fairlead volume clone --group shop monday --suffix test",
     volume_clone},
    {"volume", "rollback", "", "Go back to a snapshot; what was there is kept as a snapshot",
     "[NAME[@SNAPSHOT]] [SNAPSHOT]", kGroup,
     "fairlead volume rollback data monday\nfairlead volume rollback data@monday\n"
     "fairlead volume rollback --group db,files monday",
     volume_rollback},
    {"volume", "export", "", "Write a volume, or a snapshot, as an archive (tar with zstd)",
     "NAME[@SNAPSHOT]", kOutput | kExclude | kHooks | kLeavesOut,
     "fairlead volume export -o data.tar.zst data\n"
     "fairlead volume export --exclude '*.tmp' --exclude-caches -o data.tar.zst data\n"
     "fairlead volume export data@monday | ssh backup 'cat > data.tar.zst'",
     volume_export},
    {"volume", "import", "", "Make a volume from an archive (tar; gzip, xz, zstd)", "NAME [FILE]",
     kOptions | kDigest | kLeavesOut,
     "fairlead volume import data data.tar.zst\n"
     "ssh backup cat data.tar.zst | fairlead volume import -o size=10g data -",
     volume_import},
    {"volume", "backup", "", "Write what changed since the last backup into a folder", "[NAME]",
     kTo | kKeep | kExclude | kSecret | kGroup | kHooks | kLeavesOut,
     "fairlead volume backup data --to /srv/backup\n"
     "fairlead volume backup data --to sftp:backup@nas:/backup\n"
     "fairlead volume backup data --to /srv/backup --keep hourly:24,daily:7,weekly:5,monthly:12\n"
     "fairlead volume backup data --to /srv/backup --exclude '*.tmp' --exclude-if-present "
     ".nobackup\n"
     "fairlead volume backup data --to /srv/backup --key-file /etc/fairlead/backup.key\n"
     "fairlead volume backup --group shop --to /srv/backup",
     volume_backup},
    {"volume", "restore", "", "Make a volume from a backup; the newest one without --backup",
     "NAME", kFrom | kSecret | kAs | kOptions | kLeavesOut,
     "fairlead volume restore data --from /srv/backup\n"
     "fairlead volume restore data --from /srv/backup --as old-data\n"
     "fairlead volume restore data --from /srv/backup --backup $(fairlead backup ls -q "
     "/srv/backup | tail -1)",
     volume_restore},
    {"snapshot", "create", "", "Take a snapshot; without a name, the time becomes its name",
     "[VOLUME[@SNAPSHOT]] [SNAPSHOT]", kGroup | kHooks,
     "fairlead snapshot create data\nfairlead snapshot create data monday\nfairlead snapshot "
     "create data@monday\n"
     "fairlead snapshot create --group db,files monday",
     snapshot_create},
    {"snapshot", "ls", "list", "List the snapshots of a volume, or all", "[VOLUME]",
     kNoTrunc | kOfVolume,
     "fairlead snapshot ls\nfairlead snapshot ls data\nfairlead snapshot ls -f volume=data",
     snapshot_list},
    {"snapshot", "rm", "remove", "Remove snapshots", "[VOLUME@SNAPSHOT...]", kForce | kGroup,
     "fairlead snapshot rm data@monday data@tuesday\nfairlead snapshot rm --group shop "
     "monday\nfairlead snapshot rm $(fairlead snapshot ls "
     "-q data)",
     snapshot_remove},
    {"backup", "ls", "list", "List the backups in a folder", "DIR", kNoTrunc | kSecret,
     "fairlead backup ls /srv/backup", backup_list},
    {"backup", "verify", "", "Read one backup, or all, and compare every digest", "DIR [BACKUP]",
     kRepairBackup | kSecret,
     "fairlead backup verify /srv/backup\nfairlead backup verify --repair /srv/backup",
     backup_verify},
    {"backup", "rm", "remove", "Remove backups, and free what no other backup needs", "DIR ID...",
     kPruneBackups | kSecret,
     "fairlead backup rm /srv/backup 20260131T120000Z-3f9a01bc\n"
     "fairlead backup rm /srv/backup $(fairlead backup ls -q /srv/backup | head -1)",
     backup_remove},
    {"backup", "prune", "", "Remove the backups that --keep does not keep; the newest always stays",
     "DIR", kPruneBackups | kKeep | kBackupsOf | kSecret,
     "fairlead backup prune /srv/backup --keep daily:7,weekly:5,monthly:12 --dry-run\n"
     "fairlead backup prune /srv/backup --keep last:3 --volume data\n"
     "fairlead backup prune /srv/backup",
     backup_prune},
    {"pool", "create", "", "Make a pool, in one file or on a block device", "NAME", kPoolSpec,
     "fairlead pool create fast --size 20g\n"
     "fairlead pool create disk --device /dev/sdb1 --fstype xfs\n"
     "fairlead volume create -o pool=fast data",
     pool_create},
    {"pool", "ls", "list", "List the pools of volumes", "", kNoTrunc, "fairlead pool ls",
     pool_list},
    {"pool", "inspect", "", "Show pools as JSON", "NAME...", kNothing, "fairlead pool inspect fast",
     pool_inspect},
    {"pool", "rm", "remove", "Remove pools that hold no volume", "NAME...", kForce,
     "fairlead pool rm fast", pool_remove},
    {"pool", "grow", "resize", "Make a pool larger; without a SIZE, all of its device",
     "NAME [SIZE]", kNothing, "fairlead pool grow fast 40g\nfairlead pool grow disk", pool_grow},
    {"trash", "ls", "list", "List the removed volumes that are still there", "", kNoTrunc,
     "fairlead trash ls", trash_list},
    {"trash", "restore", "", "Put a removed volume back, by its name or id", "NAME", kAs,
     "fairlead trash restore data\nfairlead trash restore data --as old-data", trash_restore},
    {"trash", "empty", "", "Remove what is in the trash for good; all without a NAME", "[NAME...]",
     kYes, "fairlead trash empty data\nfairlead trash empty -f", trash_empty},
    {"jobs", "ls", "list", "List what runs long, and what ended in the last week", "", kNoTrunc,
     "fairlead jobs\nfairlead jobs ls --json", job_list},
    {"jobs", "stop", "", "Stop jobs at their next safe point", "JOB...", kNothing,
     "fairlead jobs stop $(fairlead jobs -q)", job_stop},
    {"jobs", "resume", "", "Go on with a job that was stopped, failed or interrupted", "JOB",
     kLeavesOut, "fairlead jobs resume 20260131-120000-3f9a", job_resume},
    {"host", "ls", "list", "List the hosts that share networks", "", kNoTrunc,
     "fairlead host ls\nfairlead host ls --json", host_list},
    {"host", "rm", "remove", "Remove hosts that do not come back: others get their addresses",
     "HOST...", kSure, "fairlead host rm node3\nfairlead host rm -f 3f9a01", host_remove},
    {"cluster", "status", "", "Show the cluster, this host's part in it, and problems", "",
     kNothing, "fairlead cluster status\nfairlead cluster --json", cluster_status},
    {"cluster", "release", "thaw", "Believe that hosts are gone although many vanished at once", "",
     kNothing, "fairlead cluster release", cluster_release},
    {"cni", "install", "", "Copy the plugin into the runtimes' folders", "", kFolder,
     "sudo fairlead cni install\nsudo fairlead cni install --dir /usr/lib/cni", cni_install},
    {"cni", "uninstall", "", "Remove the plugin from the runtimes' folders", "", kFolder,
     "sudo fairlead cni uninstall", cni_uninstall},
    {"podman", "install", "", "Give Podman networks and volumes of the driver fairlead", "",
     kPodmanFolder | kDropIn,
     "sudo fairlead podman install\nsudo fairlead podman install --drop-in", podman_install},
    {"podman", "uninstall", "", "Take back what install gave", "", kPodmanFolder,
     "sudo fairlead podman uninstall", podman_uninstall},
    {"", "events", "", "Show what happens to networks, endpoints, ports and volumes, as it happens",
     "", kSince,
     "fairlead events\nfairlead events --kind network,volume\n"
     "fairlead events --since 10m --until now\n"
     "fairlead events --since 4711 --json",
     show_events},
    {"", "doctor", "", "Look for what is wrong with this host, say why it matters, and mend it",
     "[CHECK...]", kDoctor,
     "sudo fairlead doctor\nsudo fairlead doctor --fix\nfairlead doctor --list\n"
     "sudo fairlead doctor disk-space volumes --json",
     run_doctor},
    {"", "explain", "", "Say whether a packet from A reaches B, and what decides it", "A B [PORT]",
     kExplain,
     "fairlead explain web db 5432\n"
     "fairlead explain shop/web outside 443/tcp\n"
     "fairlead explain outside web 80\n"
     "fairlead explain -6 web host 53/udp\n"
     "fairlead explain --trace web db 5432",
     explain_way},
    {"", "graph", "", "Draw networks, containers, ports and names", "[NETWORK...]", kGraph,
     "fairlead graph > networks.svg\n"
     "fairlead graph --format mermaid shop backend\n"
     "fairlead graph --format dot | dot -Tpdf > networks.pdf",
     show_graph},
    {"", "status", "", "Show counts, problems and what was done about other firewalls", "",
     kNothing, "fairlead status\nfairlead status --json", show_status},
    {"", "ui", "", "Print the link that opens the page of this host in a browser", "", kNothing,
     "fairlead ui\nxdg-open \"$(sudo fairlead ui)\"", show_page_link},
    {"", "reconcile", "", "Make the kernel follow what is stored, now", "", kNothing,
     "sudo fairlead reconcile", run_reconcile},
    {"", "version", "", "Show the version", "", kNothing, "fairlead version", show_version},
});

}  // namespace

std::span<const Command> commands() { return kCommands; }
std::span<const Group> groups() { return kGroups; }

}  // namespace fairlead::cli
