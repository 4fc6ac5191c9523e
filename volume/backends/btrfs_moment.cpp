#include "volume/backends/btrfs_moment.h"

#include "base/fault.h"
#include "volume/kernel/btrfs.h"

namespace fairlead::volume {

namespace {

class SubvolumePart : public MomentPart {
 public:
  SubvolumePart(SubvolumeMoment moment, std::string file_system)
      : moment_(std::move(moment)), cut_{std::move(file_system), 0} {}

  How how() const override { return How::kCut; }
  std::optional<Cut> cut() const override { return cut_; }

  Status prepare(const Progress&) override {
    TRY_STATUS(moment_.is_whole());
    return btrfs::flush(moment_.fs.fd());
  }

  // The transaction is committed when the call returns.
  Status take() override {
    const int fs = moment_.fs.fd();
    TRY_STATUS(
        btrfs::snapshot_unflushed(fs, moment_.snapshots, moment_.name, btrfs::Writable::kNo));
    fault_point("volume.snapshot.made");
    TRY(const auto made, moment_.snapshots.folder(moment_.name));
    TRY(cut_.transaction, btrfs::made_in(made.fd()));
    return {};
  }

  // What was written after the snapshot and made last before something in the later transaction, is
  // in a transaction that has ended by then, too.
  Result<bool> still_held_at(std::uint64_t transaction) override {
    if (cut_.transaction == transaction) return true;
    TRY(const auto changed, btrfs::changed_in(moment_.fs.fd()));
    return changed <= cut_.transaction;
  }

  void gather() override { btrfs::begin_commit(moment_.snapshots); }

  Status take_back() override {
    cut_.transaction = 0;
    const auto gone = btrfs::destroy(moment_.snapshots.fd(), moment_.name);
    if (!gone && gone.error().code == Code::kNotFound) return {};
    return gone;
  }

  // What was made inside while the snapshot was, would be missing in it.
  Status finish() override { return moment_.is_whole(); }

 private:
  SubvolumeMoment moment_;
  Cut cut_;
};

}  // namespace

Result<std::unique_ptr<MomentPart>> make_subvolume_part(SubvolumeMoment moment) {
  TRY(auto file_system, btrfs::file_system_id(moment.fs.fd()));
  return std::make_unique<SubvolumePart>(std::move(moment), std::move(file_system));
}

}  // namespace fairlead::volume
