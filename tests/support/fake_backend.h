// A volume backend in memory, for tests of the service: it keeps the contract of backend.h (the
// conformance suite runs over it), can be told to fail at any verb, and says who "has mounted" a
// volume.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>

#include "volume/api/backend.h"

namespace fairlead::testing {

class FakeBackend : public volume::Backend {
 public:
  // --- for the test

  // The next `times` calls of the verb ("create", "mount", ...) fail with `error` before they do
  // anything.
  void fail_next(const std::string& verb, Error error, int times = 1);
  // The next create fails after its data is in place.
  void fail_after_create(Error error);
  void set_users(const std::string& id, std::string text);
  void lose(const std::string& id);        // somebody deleted the data by hand
  void half_build(const std::string& id);  // as a create that died
  // Everything it holds: built, half-built and trash. A test that ends without volumes expects 0.
  std::size_t leftovers() const;
  bool has(const std::string& id) const;
  bool has_trash() const;
  int mounts() const;  // mounted now

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

 private:
  struct Trash {
    long long due = 0;
    std::string id;
  };
  Status take_failure(const std::string& verb);  // with the guard held

  mutable std::mutex guard_;
  std::map<std::string, std::pair<int, Error>> failures_;
  std::set<std::string> building_, built_, mounted_;
  std::map<std::pair<std::string, long long>, Trash> trash_;  // id and time of removal
  std::map<std::string, std::string> users_;
};

}  // namespace fairlead::testing
