// A volume service with its archives as they run, over the backends of the crash tests.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>

#include "base/state/sqlite_store.h"
#include "tests/volume/service/crash_backends.h"
#include "tests/volume/spec.h"
#include "tests/volume/tree_facts.h"
#include "volume/service/archives.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume::testing {

// The folder of backups of a world; encrypted when there is a key.
inline BackupPlace backup_place(const std::string& folder, const std::string& target) {
  BackupPlace place(target);
  if (is_there(folder + "/key")) place.key_file = folder + "/key";
  return place;
}
inline BackupPlace backup_place(const std::string& folder) {
  return backup_place(folder, folder + "/backup");
}

struct ArchiveWorld {
  explicit ArchiveWorld(const std::string& folder, const Environment& environment = {})
      : store(state::open_sqlite_store(folder + "/state.db").value()),
        locks(folder + "/locks"),
        backends(make_crash_backends(folder + "/volumes")),
        service(make_volume_service(*store, locks, *backends, environment)),
        archives(make_volume_archives(*service, *store, locks, *backends, environment)) {}

  static VolumeSpec spec(const std::string& name, const Texts& options = {}) {
    return spec_of(name, options);
  }
  Result<ArchiveReport> export_to(const std::string& volume, const std::string& file) {
    const UniqueFd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    return archives->export_to(volume, out.get(), {});
  }
  Result<Volume> import_from(const VolumeSpec& plan, const std::string& file,
                             const std::string& sha256 = {}) {
    const UniqueFd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    return archives->import_from(plan, in.get(), sha256, {});
  }
  // The facts of a volume, mounted meanwhile.
  std::map<std::string, std::string> facts(const std::string& volume) {
    const auto mounted = service->mount(volume, "test", "facts");
    EXPECT_TRUE(mounted) << mounted.error().text;
    if (!mounted) return {};
    auto found = facts_of(mounted->mountpoint);
    const auto unmounted = service->unmount(volume, "test", "facts");
    EXPECT_TRUE(unmounted) << unmounted.error().text;
    return found;
  }

  std::unique_ptr<state::Store> store;
  NamedLocks locks;
  std::unique_ptr<BackendRegistry> backends;
  std::unique_ptr<VolumeService> service;
  std::unique_ptr<VolumeArchives> archives;
};

}  // namespace fairlead::volume::testing
