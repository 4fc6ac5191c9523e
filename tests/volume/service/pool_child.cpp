// One verb on a pool in a process of its own, to be killed at a fault point: volume_pool_child
// <folder> <verb>.
#include <cstdio>
#include <string>

#include "base/state/sqlite_store.h"
#include "volume/backends/pools.h"
#include "volume/service/pools.h"

namespace fairlead::volume {
namespace {

Status run(Pools& pools, const std::string& verb) {
  const auto nothing = [](const auto&) {};
  if (verb == "create") {
    TRY(const auto name, PoolName::parse("fast"));
    return pools
        .create(
            {.name = name, .fstype = "btrfs", .size = 400 << 20, .device = {}, .overwrite = false})
        .map(nothing);
  }
  if (verb == "grow") return pools.grow("fast", 500 << 20).map(nothing);
  if (verb == "remove") return pools.remove("fast");
  if (verb == "reconcile") {
    const auto report = pools.reconcile();
    if (report.failures.empty()) return {};
    return fail(Code::kIo, "{}", report.failures.front());
  }
  if (verb == "recover") return pools.recover({}).map(nothing);
  return fail(Code::kInvalid, "unknown verb {}", verb);
}

int main_of(const std::string& folder, const std::string& verb) {
  auto store = state::open_sqlite_store(folder + "/state.db");
  if (!store) return std::fprintf(stderr, "%s\n", store.error().text.c_str()), 2;
  NamedLocks locks(folder + "/locks");
  const auto disks = make_pool_disks(folder + "/volumes", {"/"});
  Pools pools(**store, locks, *disks);
  const auto done = run(pools, verb);
  if (!done) return std::fprintf(stderr, "%s\n", done.error().text.c_str()), 1;
  return 0;
}

}  // namespace
}  // namespace fairlead::volume

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  return fairlead::volume::main_of(argv[1], argv[2]);
}
