#include "volume/service/backup_folder.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/fault.h"
#include "base/hash.h"
#include "base/json/fields.h"
#include "base/text.h"
#include "volume/kernel/remove_tree.h"
#include "volume/kernel/tree_reader.h"

namespace fairlead::volume {

namespace {

constexpr const char* kMarker = "fairlead-backup.json";
constexpr std::int64_t kFormat = 1;
constexpr std::string_view kEnding = ".index";
constexpr std::uint32_t kSkippable = 0x184D2A50;  // RFC 8878, 3.1.2
constexpr std::size_t kFooter = 16, kLargestSummary = 256U << 20;
constexpr std::size_t kStep = 256 << 10;

struct Marker {
  std::int64_t format = kFormat;
};
constexpr auto kMarkerFields =
    json::fields(json::required<&Marker::format>("format", json::Range{1, INT32_MAX}));

std::string index_name(const std::string& id) { return id + std::string(kEnding); }

std::string to_footer(std::uint64_t summary_size) {
  const std::uint32_t head[2] = {htole32(kSkippable), htole32(8)};
  const std::uint64_t size = htole64(summary_size);
  std::string footer(reinterpret_cast<const char*>(head), sizeof head);
  return footer.append(reinterpret_cast<const char*>(&size), sizeof size);
}

Result<std::uint64_t> parse_footer(std::string_view footer, std::uint64_t room) {
  std::uint64_t size = 0;
  if (footer.size() != kFooter || footer.substr(0, 8) != to_footer(0).substr(0, 8))
    return fail(Code::kInvalid, "it is cut off");
  std::memcpy(&size, footer.data() + 8, sizeof size);
  size = le64toh(size);
  if (size > room || size > kLargestSummary) return fail(Code::kInvalid, "its end is damaged");
  return size;
}

Result<BackupSummary> read_summary(const Folder& backups, const std::string& id) {
  TRY(const auto file, open_backup_file(backups, index_name(id)));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return fail_errno(errno, "read it");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size < kFooter) return fail(Code::kInvalid, "it is cut off");
  TRY(const auto footer, read_range(file.get(), size - kFooter, kFooter));
  TRY(const auto length, parse_footer(footer, size - kFooter));
  TRY(const auto packed, read_range(file.get(), size - kFooter - length, length));
  ZstdReader zstd;
  TRY(const auto text, zstd.unpack_at_most(packed, kLargestSummary));
  TRY(auto summary, parse_summary(text));
  if (summary.info.id != id) return fail(Code::kInvalid, "it is the index of another backup");
  return summary;
}

// An id has to be a name that is safe in any file system and in messages.
bool is_backup_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

Status lock_file(const UniqueFd& file, int how, const std::string& path) {
  if (::flock(file.get(), how | LOCK_NB) == 0) return {};
  if (errno == EWOULDBLOCK)
    return fail(Code::kUnavailable,
                "the backup folder {} is in use by another backup, restore or verify; try again "
                "when it has ended",
                path);
  return fail_errno(errno, fmt::format("lock the backup folder {}", path));
}

Status check_marker(const Folder& top) {
  const auto text = top.read_file(kMarker, 4096);
  if (!text && text.error().code == Code::kNotFound)
    return fail(Code::kInvalid, "{} is not a backup folder: it has no {}", top.path(), kMarker);
  if (!text) return fail(text.error());
  const auto format = [&]() -> Result<Marker> {
    TRY(const auto document, json::parse(*text));
    return json::read(document, kMarkerFields);
  }();
  if (!format) return fail(with_context(format.error(), fmt::format("{}/{}", top.path(), kMarker)));
  if (format->format > kFormat)
    return fail(Code::kUnsupported,
                "the backup folder {} has format {}; this version of Fairlead knows up to {}",
                top.path(), format->format, kFormat);
  return {};
}

constexpr std::array kParts{"packs", "backups", "tmp"};

// Whether this is a folder of ours that an unfinished call left empty.
bool is_empty_part(const Folder& top, const std::string& name) {
  if (std::ranges::find(kParts, name) == kParts.end()) return false;
  const auto part = top.folder(name);
  const auto names = part ? part->names() : Result<std::vector<std::string>>(fail(part.error()));
  return names && names->empty();
}

// An empty folder can become a backup folder. One that has other things in it is somebody else's.
Status check_empty(const Folder& top) {
  TRY(const auto names, top.names());
  for (const std::string& name : names)
    if (!name.starts_with("lock") && name != "lost+found" && !is_empty_part(top, name))
      return fail(Code::kConflict,
                  "{} is not empty and not a backup folder: \"{}\" is in it; name an empty folder, "
                  "or a new one",
                  top.path(), shown(name));
  return {};
}

// Written under another name and renamed, so that the marker is never half written.
Status mark(const Folder& top) {
  const std::string building = "lock." + random_hex(8);
  TRY_STATUS(
      top.write_file(building, json::dump(json::write(Marker(), kMarkerFields)) + "\n", 0600));
  if (::renameat(top.fd(), building.c_str(), top.fd(), kMarker) != 0)
    return fail_errno(errno, fmt::format("make {}/{}", top.path(), kMarker));
  return top.sync();
}

Status empty_folder(const Folder& folder) {
  TRY(const auto names, folder.names());
  for (const std::string& name : names) TRY_STATUS(remove_tree(folder, name));
  return {};
}

}  // namespace

// --- IndexWriter

Result<IndexWriter> IndexWriter::open(const Folder& tmp) {
  std::string name = random_hex(32);
  UniqueFd file(
      ::openat(tmp.fd(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, fmt::format("begin an index in {}", tmp.path()));
  return IndexWriter(std::move(file), std::move(name));
}

Status IndexWriter::put(std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t put = ::write(file_.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "write the index of the backup");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Status IndexWriter::add(const BackupEntry& entry) {
  const std::string lines = to_lines(entry);
  hash_.add(lines);
  return put(zstd_.add(lines));
}

Status IndexWriter::publish(BackupSummary summary, const Folder& tmp, const Folder& backups) {
  TRY_STATUS(put(zstd_.finish()));
  summary.lines = hash_.finish();
  const std::string packed = ZstdWriter().pack(to_text(summary));
  TRY_STATUS(put(packed));
  TRY_STATUS(put(to_footer(packed.size())));
  if (::fsync(file_.get()) != 0) return fail_errno(errno, "flush the index of the backup");
  fault_point("backup.index.written");
  if (::renameat(tmp.fd(), name_.c_str(), backups.fd(), index_name(summary.info.id).c_str()) != 0)
    return fail_errno(errno, "publish the index of the backup");
  fault_point("backup.index.renamed");
  return backups.sync();
}

// --- IndexReader

Result<IndexReader> IndexReader::open(const Folder& backups, const BackupSummary& summary) {
  auto file = open_backup_file(backups, index_name(summary.info.id));
  if (!file)
    return fail(with_context(file.error(), fmt::format("the index of backup {}", summary.info.id)));
  return IndexReader(std::move(*file), summary.lines);
}

Status IndexReader::refill() {
  plain_.erase(0, at_);
  at_ = 0;
  if (packed_.empty()) {
    TRY(packed_, read_range(file_.get(), offset_, kStep));
    offset_ += packed_.size();
    if (packed_.empty()) return fail(Code::kInvalid, "the index is cut off");
  }
  std::string_view rest(packed_);
  TRY(ended_, zstd_.add(rest, plain_, kStep));
  packed_.erase(0, packed_.size() - rest.size());
  return {};
}

// The next line without its '\n'; std::nullopt at the end of the frame.
Result<std::optional<std::string>> IndexReader::line() {
  for (;;) {
    const std::size_t end = plain_.find('\n', at_);
    if (end != std::string::npos) {
      std::string text = plain_.substr(at_, end - at_);
      hash_.add(std::string_view(plain_).substr(at_, end + 1 - at_));
      at_ = end + 1;
      return std::optional<std::string>(std::move(text));
    }
    if (plain_.size() - at_ > kLongestLine) return fail(Code::kInvalid, "a line is too long");
    if (ended_ && plain_.size() != at_) return fail(Code::kInvalid, "the last line is cut off");
    if (ended_) return std::nullopt;
    TRY_STATUS(refill());
  }
}

Result<std::optional<BackupEntry>> IndexReader::next() {
  TRY(const auto head, line());
  if (!head) {
    if (hash_.finish() != expected_) return fail(Code::kInvalid, "the index is damaged");
    return std::nullopt;
  }
  TRY(auto parsed, parse_entry(*head));
  while (parsed.entry.chunks.size() < parsed.chunks) {
    TRY(const auto more, line());
    if (!more) return fail(Code::kInvalid, "the index is cut off");
    TRY_STATUS(parse_chunks(*more, parsed.entry));
  }
  if (parsed.entry.chunks.size() != parsed.chunks)
    return fail(Code::kInvalid, "an entry of the index has more chunks than it says");
  return std::optional<BackupEntry>(std::move(parsed.entry));
}

// --- BackupFolder

Result<BackupFolder> BackupFolder::open(const std::string& path) {
  TRY(auto top, Folder::open(path));
  TRY_STATUS(check_marker(top));
  // A copy on a read-only medium may have no lock file, and no writers to exclude.
  auto lock = open_backup_file(top, "lock");
  if (lock) TRY_STATUS(lock_file(*lock, LOCK_SH, path));
  TRY(auto packs, top.folder("packs"));
  TRY(auto backups, top.folder("backups"));
  TRY(auto tmp, top.folder("."));  // a placeholder: nothing is written
  return BackupFolder(lock ? std::move(*lock) : UniqueFd(), std::move(top), std::move(packs),
                      std::move(backups), std::move(tmp));
}

Result<BackupFolder> BackupFolder::prepare(const std::string& path) {
  TRY(auto top, Folder::ensure(path, 0700));
  constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd lock(::openat(top.fd(), "lock", kFlags, 0600));
  if (!lock) return fail_errno(errno, fmt::format("open the lock of the backup folder {}", path));
  struct stat info {};
  if (::fstat(lock.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return fail(Code::kInvalid, "{}/lock is not a regular file; take it away", path);
  TRY_STATUS(lock_file(lock, LOCK_EX, path));
  TRY(const bool is_marked, top.has(kMarker));
  TRY_STATUS(is_marked ? check_marker(top) : check_empty(top));
  TRY(auto packs, top.ensure_folder("packs", 0700));
  TRY(auto backups, top.ensure_folder("backups", 0700));
  TRY(auto tmp, top.ensure_folder("tmp", 0700));
  TRY_STATUS(top.sync());
  fault_point("backup.folder.made");
  if (!is_marked) TRY_STATUS(mark(top));  // last, so that a folder with the marker is complete
  TRY_STATUS(empty_folder(tmp));
  fault_point("backup.folder.ready");
  return BackupFolder(std::move(lock), std::move(top), std::move(packs), std::move(backups),
                      std::move(tmp));
}

Result<BackupFolder::Listing> BackupFolder::list() const {
  TRY(const auto names, backups_.names());
  Listing listing;
  for (const std::string& name : names) {
    if (!name.ends_with(kEnding)) continue;
    const std::string id = name.substr(0, name.size() - kEnding.size());
    if (!is_backup_id(id)) continue;
    auto summary = read_summary(backups_, id);
    if (summary)
      listing.backups.push_back(std::move(*summary));
    else
      listing.damaged.push_back(
          fmt::format("backup {} cannot be read: {}", id, summary.error().text));
  }
  return listing;
}

Result<ChunkStore> BackupFolder::chunks() const {
  TRY(auto packs, top_.folder("packs"));
  TRY(auto tmp, tmp_.folder("."));
  return ChunkStore::open(std::move(packs), std::move(tmp));
}

Result<std::uint64_t> BackupFolder::collect(ChunkStore& chunks) const {
  TRY(const auto listing, list());
  if (!listing.damaged.empty()) return 0;  // nobody knows which packs those need
  std::set<Digest> needed;
  for (const BackupSummary& summary : listing.backups)
    needed.insert(summary.packs.begin(), summary.packs.end());
  std::uint64_t gone = 0;
  for (const Digest& pack : chunks.packs()) {
    if (needed.contains(pack)) continue;
    TRY(const auto bytes, chunks.remove_pack(pack));
    gone += bytes;
    fault_point("backup.pack.collected");
  }
  return gone;
}

Status BackupFolder::remove(const BackupSummary& backup) const {
  const std::string name = index_name(backup.info.id);
  if (::unlinkat(backups_.fd(), name.c_str(), 0) != 0 && errno != ENOENT)
    return fail_errno(errno, fmt::format("remove backup {}", backup.info.id));
  return backups_.sync();
}

}  // namespace fairlead::volume
