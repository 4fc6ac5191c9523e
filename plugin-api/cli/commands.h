// The table of commands: name, help, and the options that each takes. parse.cpp makes a parser of
// each row.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fairlead::cli {

class Session;

// The arguments and options that a command takes, combined with |.
enum Takes : std::uint64_t {
  kNothing = 0,
  kRepair = 1ULL << 0,  // --repair
  kOutput = 1ULL << 1,  // -o FILE, of export
  kForce = 1ULL << 2,   // -f: a missing object is no error
  kNoTrunc = 1ULL << 3,
  kFilter = 1ULL << 4,
  kNetworkFilter = 1ULL << 5,
  kNetworkSpec = 1ULL << 6,    // the options of network create
  kOptions = 1ULL << 7,        // -o k=v --label k=v
  kPoolFilter = 1ULL << 8,     // --pool NAME
  kTo = 1ULL << 9,             // --to DIR
  kFrom = 1ULL << 10,          // --from DIR --backup ID
  kAs = 1ULL << 11,            // --as NEW
  kPoolSpec = 1ULL << 12,      // the options of pool create
  kYes = 1ULL << 13,           // -f: do not ask
  kSure = 1ULL << 14,          // -f: do not ask, and remove the host even if it is alive
  kForceAll = 1ULL << 15,      // -f: as kForce, and remove also what Docker made
  kDigest = 1ULL << 16,        // --sha256 HEX, of import
  kSince = 1ULL << 17,         // --since, --until, --kind of events
  kForceLive = 1ULL << 18,     // -f: as kForce, and remove also what is alive
  kPolicy = 1ULL << 20,        // --dry-run
  kFolder = 1ULL << 21,        // --dir DIR
  kLimit = 1ULL << 22,         // --max-connections N
  kPodmanFolder = 1ULL << 23,  // --dir DIR
  kDropIn = 1ULL << 24,        // --drop-in
  kVolumeFilter = 1ULL << 25,  // --filter of volumes
  kPrune = 1ULL << 26,         // --all, -f, --dry-run
  kLook = 1ULL << 27,          // -R, -l
  kOfVolume = 1ULL << 28,      // --filter volume=NAME
  kSecret = 1ULL << 30,        // --key-file FILE, --passphrase-file FILE
  kRecovery = 1ULL << 29,      // --dry-run
  kGroup = 1ULL << 31,         // --group GROUP, instead of a volume
  kAffix = 1ULL << 32,         // --suffix TEXT --prefix TEXT, of clones of a group
  kHooks = 1ULL << 33,         // --no-hooks
  kExclude = 1ULL << 34,       // --exclude PATTERN and the like, of export and backup
  kKeep = 1ULL << 35,          // --keep KIND:N,... of backups
  kPruneBackups = 1ULL << 36,  // --dry-run, -f: also while an index cannot be read
  kBackupsOf = 1ULL << 37,     // --volume NAME
  kRepairBackup = 1ULL << 38,  // --repair, of backup verify
  kDoctor = 1ULL << 40,        // --fix, --list
  kExplain = 1ULL << 42,       // -4, -6, --trace, --wait
  kGraph = 1ULL << 43,         // --format svg|dot|mermaid
  kLeavesOut = 1ULL << 39,     // no option: may end with the exit code of what is incomplete
};

// `group` is "network" for `network ls`, and empty for commands without a group. `arguments` is
// shown in the help: "NAME", "[NAME]", "NAME...", "NAME NEW". All of them go into
// Invocation::names, in order.
struct Command {
  std::string_view group, name, alias, summary, arguments;
  std::uint64_t takes;
  std::string_view examples;  // one a line
  int (*run)(Session&);       // returns an exit code
};

struct Group {
  std::string_view name, summary;
  std::string_view fallback = {};  // the command to run when only the group is named
  std::string_view also_in = {};   // another group in which this group is available, too
  std::string_view alias = {};     // another name of it
};

std::span<const Command> commands();
std::span<const Group> groups();

int network_list(Session& session);
int network_inspect(Session& session);
int network_create(Session& session);
int network_remove(Session& session);
int network_reserve(Session& session);
int network_unreserve(Session& session);
int lease_list(Session& session);
int lease_remove(Session& session);
int endpoint_list(Session& session);
int endpoint_inspect(Session& session);
int endpoint_remove(Session& session);
int port_list(Session& session);
int port_publish(Session& session);
int port_unpublish(Session& session);
int explain_way(Session& session);
int show_graph(Session& session);
int policy_allow(Session& session);
int policy_deny(Session& session);
int policy_list(Session& session);
int policy_inspect(Session& session);
int policy_remove(Session& session);
int volume_list(Session& session);
int volume_inspect(Session& session);
int volume_create(Session& session);
int volume_remove(Session& session);
int volume_prune(Session& session);
int volume_ls_files(Session& session);
int volume_cat(Session& session);
int volume_copy(Session& session);
int volume_rename(Session& session);
int volume_resize(Session& session);
int volume_label(Session& session);
int volume_set(Session& session);
int volume_usage(Session& session);
int volume_check(Session& session);
int volume_recover(Session& session);
int volume_clone(Session& session);
int volume_rollback(Session& session);
int volume_export(Session& session);
int volume_import(Session& session);
int volume_backup(Session& session);
int volume_restore(Session& session);
int backup_list(Session& session);
int backup_verify(Session& session);
int backup_remove(Session& session);
int backup_prune(Session& session);
int snapshot_create(Session& session);
int snapshot_list(Session& session);
int snapshot_remove(Session& session);
int pool_create(Session& session);
int pool_list(Session& session);
int pool_inspect(Session& session);
int pool_remove(Session& session);
int pool_grow(Session& session);
int trash_list(Session& session);
int trash_restore(Session& session);
int trash_empty(Session& session);
int job_list(Session& session);
int job_stop(Session& session);
int job_resume(Session& session);
int host_list(Session& session);
int host_remove(Session& session);
int cluster_status(Session& session);
int cluster_release(Session& session);
int cni_install(Session& session);
int cni_uninstall(Session& session);
int podman_install(Session& session);
int podman_uninstall(Session& session);
int show_events(Session& session);
int run_doctor(Session& session);
int show_status(Session& session);
int run_reconcile(Session& session);
int show_page_link(Session& session);
int show_version(Session& session);

}  // namespace fairlead::cli
