// A volume backend in memory, for tests of the service. It keeps the contract of backend.h, can be
// told to fail before or after any verb and to copy slowly, and reports the users that a test sets.
// The content of a volume is one text.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "volume/api/backend.h"

namespace fairlead::testing {

class FakeBackend : public volume::Backend {
 public:
  // --- for the test

  // The next `times` calls of the verb ("create", "mount", ...) fail with `error` before they do
  // anything.
  void fail_next(const std::string& verb, Error error, int times = 1);
  // The next call of the verb fails after it has done all of its work.
  void fail_after(const std::string& verb, Error error);
  void fail_after_create(Error error) { fail_after("create", std::move(error)); }
  void set_users(const std::string& id, std::string text);
  void set_snapshot_users(const std::string& snapshot_id, std::string text);
  void lose(const std::string& id);        // somebody deleted the data by hand
  void half_build(const std::string& id);  // as a create that died
  // The number of everything it holds: built and half-built volumes and trash. A test that ends
  // without volumes expects 0.
  std::size_t leftovers() const;
  bool has(const std::string& id) const;
  bool has_trash() const;
  int mounts() const;                                   // number of volumes mounted now
  void write(const std::string& id, std::string text);  // sets the content of the volume
  std::string read(const std::string& id) const;
  std::set<std::string> snapshots(const std::string& id) const;  // ids of those that exist
  std::optional<std::uint64_t> size(const std::string& id) const;
  // Clones, snapshots and checks report progress `steps` times and wait for `pause` each time.
  void copy_slowly(int steps, std::chrono::milliseconds pause);

  // Called by each roll-back before it does anything; its failure is that of the roll-back.
  void on_roll_back(std::function<Status()> call) { on_roll_back_ = std::move(call); }

  // --- Backend

  std::string name() const override { return "fake"; }
  Status validate(const volume::VolumeOptions& options) const override;
  Status create(const volume::Volume& volume, Rollback& undo) override;
  Status discard(const volume::Volume& volume) override;
  Status remove(const volume::Volume& volume) override;
  Result<volume::TrashState> purge(const volume::Volume& volume,
                                   const volume::StopRequest& stop) override;
  std::string data_path(const volume::Volume& volume) const override;
  Result<std::string> mount(const volume::Volume& volume) override;
  Status unmount(const volume::Volume& volume) override;
  Result<std::string> users(const volume::Volume& volume) override;
  Result<volume::VolumeStatus> status(const volume::Volume& volume) override;
  volume::ReconcileReport sweep(long long now,
                                const std::function<Result<bool>(const std::string& id)>& is_known,
                                const volume::StopRequest& stop) override;
  Status resize(const volume::Volume& volume, std::uint64_t size) override;
  Status take_snapshot(const volume::Volume& volume, const volume::Snapshot& snapshot,
                       const volume::Progress& progress) override;
  Status drop_snapshot(const volume::Volume& volume, const std::string& snapshot_id) override;
  Status roll_back(const volume::Volume& volume, const volume::Snapshot& snapshot,
                   const volume::Snapshot& kept, const volume::Progress& progress) override;
  Status clone(const volume::Volume& volume, const volume::Volume& source,
               const std::string& snapshot_id, Rollback& undo,
               const volume::Progress& progress) override;
  Result<volume::CheckReport> check(const volume::Volume& volume, bool repair,
                                    const volume::Progress& progress) override;
  Status restore(const volume::Volume& volume) override;
  Result<std::string> mount_snapshot(const volume::Volume& volume,
                                     const std::string& snapshot_id) override;
  Status unmount_snapshot(const volume::Volume& volume, const std::string& snapshot_id) override;
  std::string snapshot_path(const volume::Volume& volume,
                            const std::string& snapshot_id) const override;
  Result<std::vector<std::string>> mounted_snapshots(const volume::Volume& volume) override;
  Result<std::string> snapshot_users(const volume::Volume& volume,
                                     const std::string& snapshot_id) override;

 private:
  struct Content {
    std::string text;
    std::optional<std::uint64_t> size;
  };
  struct Data {
    Content now;
    std::map<std::string, Content> snapshots;  // by id
  };
  struct Trash {
    long long due = 0;
    std::string id;
    Data data;
  };
  Status take_failure(const std::string& verb);           // with the guard held
  Status take_late_failure(const std::string& verb);      // with the guard held
  Result<Data*> find_data(const volume::Volume& volume);  // with the guard held
  Status copy(const volume::Progress& progress);          // without the guard

  mutable std::mutex guard_;
  std::map<std::string, std::pair<int, Error>> failures_;
  std::set<std::string> building_, mounted_;
  std::map<std::string, Data> built_;
  std::map<std::pair<std::string, long long>, Trash> trash_;  // id and time of removal
  std::map<std::string, std::string> users_, snapshot_users_;
  std::set<std::string> mounted_snapshots_;
  std::function<Status()> on_roll_back_;
  int copy_steps_ = 0;
  std::chrono::milliseconds copy_pause_{0};
};

}  // namespace fairlead::testing
