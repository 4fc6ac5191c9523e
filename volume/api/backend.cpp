#include "volume/api/backend.h"

namespace fairlead::volume {

namespace {

tl::unexpected<Error> cannot(const Backend& backend, std::string_view verb) {
  return fail(Code::kUnsupported,
              "backend {} cannot {}; use backend=image, or a pool (fairlead pool create)",
              backend.name(), verb);
}

// A snapshot of what nobody uses: whenever it is made, it is of the same moment.
class RestingPart : public MomentPart {
 public:
  RestingPart(Backend& backend, const Volume& volume, const Snapshot& snapshot)
      : backend_(backend), volume_(volume), snapshot_(snapshot) {}

  How how() const override { return How::kResting; }
  Status prepare(const Progress& progress) override {
    return backend_.take_snapshot(volume_, snapshot_, progress);
  }

 private:
  Backend& backend_;
  const Volume& volume_;
  const Snapshot& snapshot_;
};

}  // namespace

Result<std::unique_ptr<MomentPart>> Backend::begin_moment(const Volume& volume,
                                                          const Snapshot& snapshot) {
  TRY(const auto users, this->users(volume));
  if (!users.empty())
    return fail(Code::kInUse,
                "backend {} makes snapshots only while nobody writes, and it is in use: {}; stop "
                "what uses it, or use backend=image or btrfs",
                name(), users);
  return std::make_unique<RestingPart>(*this, volume, snapshot);
}

Result<bool> Backend::mend(const Volume&) { return false; }
bool Backend::follows_from_record(const VolumeOptions&) const { return false; }
Status Backend::create_unflushed(const Volume& volume, Rollback& undo) {
  return create(volume, undo);
}
Result<bool> Backend::settle(const Volume&) { return false; }
Status Backend::remove_unflushed(const Volume& volume) { return remove(volume); }
Status Backend::write_down(const Volume&) { return {}; }
Result<std::optional<Promise>> Backend::promise(const Volume&) { return std::nullopt; }
Result<std::optional<Fullness>> Backend::fill(const Volume&) { return std::nullopt; }
bool Backend::promises(const VolumeOptions&) const { return false; }
Result<DiskRoom> Backend::room() { return cannot(*this, "tell of its disk"); }
Result<std::vector<FoundVolume>> Backend::find_lost(
    const std::function<Result<bool>(const std::string& id)>&) {
  return std::vector<FoundVolume>();
}
std::vector<BackendRegistry::Tree> BackendRegistry::trees() {
  std::vector<Tree> found;
  for (Backend* const backend : all()) found.push_back({{}, backend});
  return found;
}

Status Backend::resize(const Volume&, std::uint64_t) { return cannot(*this, "change a size"); }
Status Backend::take_snapshot(const Volume&, const Snapshot&, const Progress&) {
  return cannot(*this, "make snapshots");
}
Status Backend::drop_snapshot(const Volume&, const std::string&) { return {}; }
Status Backend::roll_back(const Volume&, const Snapshot&, const Snapshot&, const Progress&) {
  return cannot(*this, "go back to snapshots");
}
Status Backend::clone(const Volume&, const Volume&, const std::string&, Rollback&,
                      const Progress&) {
  return cannot(*this, "make clones");
}
Result<CheckReport> Backend::check(const Volume&, bool, const Progress&) {
  return cannot(*this, "be checked");
}
Result<UniqueFd> Backend::open_data(const Volume&, const std::string&) {
  return cannot(*this, "be read for an archive");
}
Result<std::string> Backend::mount_snapshot(const Volume&, const std::string&) {
  return cannot(*this, "mount snapshots");
}
Status Backend::unmount_snapshot(const Volume&, const std::string&) { return {}; }
std::string Backend::snapshot_path(const Volume&, const std::string&) const { return {}; }
Result<std::vector<std::string>> Backend::mounted_snapshots(const Volume&) {
  return std::vector<std::string>();
}
Result<std::string> Backend::snapshot_users(const Volume&, const std::string&) {
  return std::string();
}
Result<std::map<std::string, std::uint64_t>> Backend::snapshot_space(const Volume&) {
  return std::map<std::string, std::uint64_t>();
}
Result<VolumeStatus> Backend::usage(const Volume& volume, const Progress&) {
  return status(volume);
}
Status Backend::restore(const Volume&) { return cannot(*this, "bring back removed volumes"); }

}  // namespace fairlead::volume
