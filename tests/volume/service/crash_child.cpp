// One verb in a process of its own, to be killed at a fault point: volume_crash_child <folder>
// <verb> [retain].
#include <cstdio>
#include <string>

#include "base/state/sqlite_store.h"
#include "volume/backends/registry.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume {
namespace {

Status run(VolumeService& service, const std::string& verb, const std::string& retain) {
  const auto nothing = [](const auto&) {};
  if (verb == "create") {
    TRY(const auto name, VolumeName::parse("shop"));
    return service
        .create({.name = name, .options = {{"uid", "7"}, {"retain", retain}}, .labels = {}})
        .map(nothing);
  }
  if (verb == "remove") return service.remove("shop");
  if (verb == "mount") return service.mount("shop", "docker", "a").map(nothing);
  if (verb == "unmount") return service.unmount("shop", "docker", "a");
  if (verb == "reconcile") return service.reconcile().map(nothing);
  return fail(Code::kInvalid, "unknown verb {}", verb);
}

int main_of(const std::string& folder, const std::string& verb, const std::string& retain) {
  auto store = state::open_sqlite_store(folder + "/state.db");
  if (!store) return std::fprintf(stderr, "%s\n", store.error().text.c_str()), 2;
  NamedLocks locks(folder + "/locks");
  const auto backends = make_backends(folder + "/volumes");
  const auto service = make_volume_service(**store, locks, *backends);
  const auto done = run(*service, verb, retain);
  if (!done) return std::fprintf(stderr, "%s\n", done.error().text.c_str()), 1;
  return 0;
}

}  // namespace
}  // namespace fairlead::volume

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  return fairlead::volume::main_of(argv[1], argv[2], argc > 3 ? argv[3] : "0");
}
