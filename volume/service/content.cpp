#include "volume/service/content.h"

#include <cerrno>
#include <chrono>
#include <optional>

#include "base/text.h"
#include "volume/kernel/folder.h"
#include "volume/service/backup_choice.h"
#include "volume/service/content_backup.h"
#include "volume/service/content_live.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr auto kLockDeadline = 4s;

std::string text_of(const ContentPlace& place) {
  return fmt::format("{}{}{}", shown(place.volume), place.snapshot.empty() ? "" : "@",
                     shown(place.snapshot));
}

template <class T>
Result<T> in_context(Result<T> result, std::string_view verb, const ContentPlace& place) {
  if (result) return result;
  return fail(with_context(result.error(), fmt::format("{} {}", verb, text_of(place))));
}

// Where a copy goes: a folder that is there, and a name in it.
struct Destination {
  Folder folder;
  std::string name;
};

// "x/" says that x is a folder. What is copied keeps its name in a folder that is there.
Result<Destination> destination(std::string path, const std::string& own_name, bool of_folder) {
  if (!path.starts_with('/'))
    return fail(Code::kInvalid, "the destination \"{}\" must be an absolute path", shown(path));
  const bool says_folder = path.size() > 1 && path.ends_with('/');
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  auto there = Folder::open(path);
  if (there) return Destination{std::move(*there), own_name};
  const bool is_other = there.error().sys_errno == ENOTDIR;
  if (!is_other && there.error().code != Code::kNotFound) return fail(there.error());
  if ((is_other && of_folder) || (says_folder && !of_folder))
    return fail(Code::kInvalid, "{} is not a folder", printable(path));
  const std::size_t slash = path.rfind('/');
  TRY(auto parent, Folder::open(slash == 0 ? "/" : path.substr(0, slash)));
  return Destination{std::move(parent), path.substr(slash + 1)};
}

// Reads the data of a volume or of a snapshot, and keeps it from being removed meanwhile.
struct LiveData {
  UniqueFd data;
  std::optional<NamedLocks::Guard> content;
};

class Content : public VolumeContent {
 public:
  Content(VolumeService& service, state::Store& store, NamedLocks& locks, BackendRegistry& backends,
          const std::string& boot)
      : service_(service), records_(store, boot), locks_(locks), backends_(backends) {}

  Result<LeftOut> list(const ContentPlace& place, Reach reach, const Visit& visit) override;
  Status read(const ContentPlace& place, int fd, const Progress& progress) override;
  Result<ContentReport> copy(const ContentPlace& place, const std::string& path,
                             const Progress& progress) override;
  Result<ContentReport> archive(const ContentPlace& place, int fd,
                                const Progress& progress) override;

 private:
  Result<LiveData> open_live(const ContentPlace& place);
  template <class Place>
  Result<ContentReport> copy_from(const Place& from, ContentSink& sink, const std::string& name,
                                  ProgressReporter& reporter);
  Result<ContentReport> copy_now(const ContentPlace& place, const std::string& path,
                                 const Progress& progress);
  Result<ContentReport> archive_now(const ContentPlace& place, int fd, const Progress& progress);

  VolumeService& service_;
  Records records_;
  NamedLocks& locks_;
  BackendRegistry& backends_;
};

std::string own_name(const ContentPlace& place) {
  if (place.path.empty()) return place.volume;
  return place.path.substr(place.path.rfind('/') + 1);  // npos + 1 is 0
}

// The lock of the content is held by whoever reads for long, a backup as well, and by those who
// would replace or remove it. The latter hold the lock of the volume too: under that, who has the
// other one is a reader, and one reader does not exclude another.
Result<LiveData> Content::open_live(const ContentPlace& place) {
  TRY(const auto volume, service_.inspect(place.volume));
  std::string snapshot_id;
  if (!place.snapshot.empty()) {
    TRY(const auto view, service_.inspect_snapshot(place.volume, place.snapshot));
    snapshot_id = view.snapshot.id;
  }
  TRY(const auto guard, locks_.lock("volume-" + volume.name.str(), kLockDeadline));
  TRY(const auto stored, records_.by_id(volume.id));
  if (!stored || stored->volume.phase != Phase::kReady)
    return fail(Code::kNotFound, "volume \"{}\" was removed meanwhile", volume.name.str());
  LiveData live;
  if (auto content = locks_.lock("volume.content-" + volume.id, 0ms))
    live.content = std::move(*content);
  TRY(Backend* const backend, backends_.find(stored->volume));
  TRY(live.data, backend->open_data(stored->volume, snapshot_id));
  return live;
}

Result<LeftOut> Content::list(const ContentPlace& place, Reach reach, const Visit& visit) {
  const auto run = [&]() -> Result<LeftOut> {
    if (!place.from.folder.empty()) {
      TRY(const auto folder, BackupFolder::open(place.from));
      TRY(auto backup, choose_backup(folder, place.backup, place.volume));
      TRY_STATUS(BackupContent(folder, std::move(backup), place.path).list(reach, visit));
      return LeftOut{};
    }
    TRY(const auto live, open_live(place));
    TRY(const auto from, LivePlace::find(live.data.get(), place.path));
    return from.list(reach, visit);
  };
  return in_context(run(), "list", place);
}

Status Content::read(const ContentPlace& place, int fd, const Progress& progress) {
  const auto run = [&]() -> Status {
    if (!place.from.folder.empty()) {
      TRY(const auto folder, BackupFolder::open(place.from));
      TRY(auto backup, choose_backup(folder, place.backup, place.volume));
      return BackupContent(folder, std::move(backup), place.path).read(fd, progress);
    }
    TRY(const auto live, open_live(place));
    TRY(const auto from, LivePlace::find(live.data.get(), place.path));
    ProgressReporter reporter(progress, from.size());
    return from.read(fd, reporter);
  };
  return in_context(run(), "read", place);
}

template <class Place>
Result<ContentReport> Content::copy_from(const Place& from, ContentSink& sink,
                                         const std::string& name, ProgressReporter& reporter) {
  ContentCopy copy(sink, name, reporter);
  TRY_STATUS(from.copy(copy));
  return copy.finish();
}

Result<ContentReport> Content::copy_now(const ContentPlace& place, const std::string& path,
                                        const Progress& progress) {
  const auto to_folder = [&](const auto& from, bool of_folder,
                             std::uint64_t total) -> Result<ContentReport> {
    TRY(const auto to, destination(path, own_name(place), of_folder));
    const auto sink = make_folder_sink(to.folder.fd());
    ProgressReporter reporter(progress, total);
    return copy_from(from, *sink, to.name, reporter);
  };
  if (!place.from.folder.empty()) {
    TRY(const auto folder, BackupFolder::open(place.from));
    TRY(auto backup, choose_backup(folder, place.backup, place.volume));
    const BackupContent from(folder, std::move(backup), place.path);
    TRY(const auto seen, from.look());
    return to_folder(from, seen.kind == EntryKind::kFolder, seen.size);
  }
  TRY(const auto live, open_live(place));
  TRY(const auto from, LivePlace::find(live.data.get(), place.path));
  return to_folder(from, from.is_folder(), from.is_folder() ? 0 : from.size());
}

Result<ContentReport> Content::copy(const ContentPlace& place, const std::string& path,
                                    const Progress& progress) {
  return in_context(copy_now(place, path, progress), "copy from", place);
}

Result<ContentReport> Content::archive_now(const ContentPlace& place, int fd,
                                           const Progress& progress) {
  const auto to_tar = [&](const auto& from) -> Result<ContentReport> {
    TRY(const auto sink, make_tar_sink(fd));
    ProgressReporter reporter(progress, 0);
    return copy_from(from, *sink, place.path.empty() ? "" : own_name(place), reporter);
  };
  if (!place.from.folder.empty()) {
    TRY(const auto folder, BackupFolder::open(place.from));
    TRY(auto backup, choose_backup(folder, place.backup, place.volume));
    const BackupContent from(folder, std::move(backup), place.path);
    TRY_STATUS(from.look());
    return to_tar(from);
  }
  TRY(const auto live, open_live(place));
  TRY(const auto from, LivePlace::find(live.data.get(), place.path));
  return to_tar(from);
}

Result<ContentReport> Content::archive(const ContentPlace& place, int fd,
                                       const Progress& progress) {
  return in_context(archive_now(place, fd, progress), "copy from", place);
}

}  // namespace

std::unique_ptr<VolumeContent> make_volume_content(VolumeService& service, state::Store& store,
                                                   NamedLocks& locks, BackendRegistry& backends,
                                                   const std::string& boot) {
  return std::make_unique<Content>(service, store, locks, backends, boot);
}

}  // namespace fairlead::volume
