#include "volume/backends/btrfs_moment.h"

#include <optional>

#include "base/fault.h"
#include "volume/backends/btrfs_inner.h"
#include "volume/kernel/btrfs.h"
#include "volume/kernel/btrfs_tree.h"

namespace fairlead::volume {

namespace {

class SubvolumePart : public MomentPart {
 public:
  SubvolumePart(SubvolumeMoment moment, std::string file_system)
      : moment_(std::move(moment)), file_system_(std::move(file_system)) {}

  How how() const override { return How::kCut; }
  std::optional<Cut> cut() const override {
    return Cut{.file_system = file_system_, .transaction = taking_ ? taking_->newest() : 0};
  }

  Status prepare(const Progress&) override {
    auto begun =
        btrfs::TreeTaking::begin(moment_.fs, moment_.snapshots, moment_.name, btrfs::Writable::kNo);
    if (!begun) return named(fail(begun.error()));
    taking_.emplace(std::move(*begun));
    return {};
  }

  Status take() override {
    btrfs::ahead_of_others();
    TRY_STATUS(named(taking_->take()));
    fault_point("volume.snapshot.made");
    return {};
  }

  Result<bool> still_held_at(std::uint64_t transaction) override {
    return taking_->held_at(transaction);
  }
  void gather() override { taking_->gather(); }
  Status take_back() override { return taking_->take_back(); }
  Status verify() override { return named(taking_->verify()); }
  Status finish() override { return named(taking_->finish()); }

 private:
  Status named(Status status) const {
    if (status) return status;
    return fail(with_names(std::move(status.error()), moment_.fs, "a snapshot"));
  }

  SubvolumeMoment moment_;
  const std::string file_system_;
  std::optional<btrfs::TreeTaking> taking_;  // borrows the folders
};

}  // namespace

Result<std::unique_ptr<MomentPart>> make_subvolume_part(SubvolumeMoment moment) {
  TRY(auto file_system, btrfs::file_system_id(moment.fs.fd()));
  return std::make_unique<SubvolumePart>(std::move(moment), std::move(file_system));
}

}  // namespace fairlead::volume
