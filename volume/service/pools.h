// The pools in the store.
//
//   volume-pool/<name>  {"id":"3f…","fstype":"btrfs","device":"","size":21474836480,
//                        "phase":"ready","created":1767225600}
//
// `size` is the size of the file; in phase "growing" it is the requested size. The lock of a pool
// is "volume.pool-<name>" (names of volumes do not begin with a dot, so this is no volume's lock).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/changes.h"
#include "base/host.h"
#include "base/lock.h"
#include "base/state/store.h"
#include "volume/api/pools.h"
#include "volume/api/service.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume {

// What a commit to the record of a pool means (events.h).
std::vector<fairlead::Change> pool_changes(const std::string& name,
                                           const std::optional<std::string>& before,
                                           const std::optional<std::string>& after);

// Thread-safe. What a crash left half done is finished or undone by the next verb on that pool, or
// by reconcile().
class Pools : public VolumePools, public PoolCatalog {
 public:
  // Everything borrowed must outlive this object.
  Pools(state::Store& store, NamedLocks& locks, PoolDisks& disks,
        std::function<long long()> now = unix_time);
  // Asked before a file is made or grown; before the first verb.
  void admit_by(Admit admit) { admit_ = std::move(admit); }

  Result<VolumePool> create(const PoolSpec& spec) override;
  Result<std::vector<VolumePool>> list() override;
  Result<VolumePool> inspect(const std::string& name) override;
  Status remove(const std::string& name) override;
  Result<VolumePool> grow(const std::string& name, std::uint64_t size) override;

  Result<VolumePool> find(const std::string& name) override;
  Result<std::vector<VolumePool>> finished() override;
  Result<std::vector<VolumePool>> lost() override;
  Result<RecoverReport> recover(const RecoverRequest& request) override;

  ReconcileReport reconcile() override;

 private:
  struct Stored;
  Result<NamedLocks::Guard> lock(const PoolName& name, std::chrono::milliseconds deadline);
  Result<std::optional<Stored>> load(const PoolName& name);
  Result<std::vector<Stored>> load_all(ReconcileReport& report);
  Result<Stored> ready(const PoolName& name);
  Status add(Stored& stored);
  Status put(Stored& stored);
  Status erase(const Stored& stored);
  Result<std::size_t> volumes_in(const PoolName& name);
  VolumePool shown_pool(const Stored& stored);
  Result<VolumePool> build(const PoolSpec& spec);
  Status refuse_used(const Stored& stored);
  Status finish_removal(const Stored& stored);
  Status finish_growth(Stored& stored);
  Result<std::string> heal(const PoolName& name);
  void look_after(const Stored& stored, ReconcileReport& report);
  void write_down(const Stored& stored);
  Result<std::vector<std::string>> admit(const PoolSpec& spec, std::uint64_t there);
  Result<Recovered> take_back(VolumePool pool, bool dry_run);

  state::Store& store_;
  NamedLocks& locks_;
  PoolDisks& disks_;
  std::function<long long()> now_;
  Admit admit_;
};

}  // namespace fairlead::volume
