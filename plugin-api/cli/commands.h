// The table of commands: name, help, and the options that each takes. parse.cpp makes a parser of
// each row.
#pragma once

#include <span>
#include <string_view>

namespace fairlead::cli {

class Session;

// The arguments and options that a command takes, combined with |.
enum Takes : unsigned {
  kNothing = 0,
  kRepair = 1 << 0,  // --repair
  kOutput = 1 << 1,  // -o FILE, of export
  kForce = 1 << 2,   // -f: a missing object is no error
  kNoTrunc = 1 << 3,
  kFilter = 1 << 4,
  kNetworkFilter = 1 << 5,
  kNetworkSpec = 1 << 6,    // the options of network create
  kOptions = 1 << 7,        // -o k=v --label k=v
  kPoolFilter = 1 << 8,     // --pool NAME
  kTo = 1 << 9,             // --to DIR
  kFrom = 1 << 10,          // --from DIR --backup ID
  kAs = 1 << 11,            // --as NEW
  kPoolSpec = 1 << 12,      // the options of pool create
  kYes = 1 << 13,           // -f: do not ask
  kSure = 1 << 14,          // -f: do not ask, and remove the host even if it is alive
  kForceAll = 1 << 15,      // -f: as kForce, and remove also what Docker made
  kDigest = 1 << 16,        // --sha256 HEX, of import
  kSince = 1 << 17,         // --since, --until, --kind of events
  kForceLive = 1 << 18,     // -f: as kForce, and remove also what is alive
  kPolicy = 1 << 20,        // --dry-run
  kFolder = 1 << 21,        // --dir DIR
  kLimit = 1 << 22,         // --max-connections N
  kPodmanFolder = 1 << 23,  // --dir DIR
  kDropIn = 1 << 24,        // --drop-in
  kSecret = 1 << 30,        // --key-file FILE, --passphrase-file FILE
  kRecovery = 1 << 29,      // --dry-run
};

// `group` is "network" for `network ls`, and empty for commands without a group. `arguments` is
// shown in the help: "NAME", "[NAME]", "NAME...", "NAME NEW". All of them go into
// Invocation::names, in order.
struct Command {
  std::string_view group, name, alias, summary, arguments;
  unsigned takes;
  std::string_view examples;  // one a line
  int (*run)(Session&);       // returns an exit code
};

struct Group {
  std::string_view name, summary;
  std::string_view fallback = {};  // the command to run when only the group is named
  std::string_view also_in = {};   // another group in which this group is available, too
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
int policy_allow(Session& session);
int policy_deny(Session& session);
int policy_list(Session& session);
int policy_inspect(Session& session);
int policy_remove(Session& session);
int volume_list(Session& session);
int volume_inspect(Session& session);
int volume_create(Session& session);
int volume_remove(Session& session);
int volume_rename(Session& session);
int volume_resize(Session& session);
int volume_label(Session& session);
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
int show_status(Session& session);
int run_reconcile(Session& session);
int show_version(Session& session);

}  // namespace fairlead::cli
