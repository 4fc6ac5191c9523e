#include "volume/service/content_live.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "volume/kernel/folder.h"
#include "volume/kernel/tree_reader.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kBlock = 256 << 10;

Result<UniqueFd> enter(int parent, const std::string& name) {
  return open_beneath(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Status visit_folder(int folder, const std::string& path, const VolumeContent::Visit& visit) {
  TRY(const auto names, entry_names(folder));
  for (const std::string& name : names) {
    const auto entry = look_at_entry(folder, name);
    if (!entry && entry.error().code == Code::kNotFound) continue;  // it vanished meanwhile
    if (!entry) return fail(entry.error());
    TRY_STATUS(visit(shown_entry(*entry, join_paths(path, name))));
  }
  return {};
}

Status copy_file(int file, const TreeEntry& entry, const DataRanges& ranges, ContentCopy& copy) {
  for (const auto& [offset, length] : ranges) {
    for (std::uint64_t at = offset; at < offset + length;) {
      TRY(const auto bytes,
          read_range(file, at, std::min<std::uint64_t>(kBlock, offset + length - at)));
      if (bytes.empty()) {
        copy.leave_out(fmt::format("{} became shorter while it was read", printable(entry.path)));
        return {};
      }
      TRY_STATUS(copy.write(at, bytes));
      at += bytes.size();
    }
  }
  return {};
}

Status copy_entry(const TreeEntry& entry, const UniqueFd& file, ContentCopy& copy) {
  DataRanges ranges;
  if (file) {
    TRY(ranges, data_ranges(file.get(), entry.size));
  }
  TRY_STATUS(copy.add(entry, ranges));
  return file ? copy_file(file.get(), entry, ranges, copy) : Status();
}

}  // namespace

tl::unexpected<Error> nothing_there(const std::string& path) {
  return fail(Code::kNotFound, "there is no \"/{}\" in it", printable(path));
}

tl::unexpected<Error> not_a_folder(const TreeEntry& entry, const std::string& path) {
  if (entry.kind == EntryKind::kSymlink)
    return fail(Code::kInvalid,
                "\"/{}\" is a symbolic link to \"{}\"; links are not followed here: say the path "
                "itself",
                printable(path), printable(entry.target));
  return fail(Code::kInvalid, "\"/{}\" is not a folder", printable(path));
}

tl::unexpected<Error> not_a_file(const TreeEntry& entry, const std::string& path) {
  if (entry.kind == EntryKind::kSymlink) return not_a_folder(entry, path);
  if (entry.kind == EntryKind::kFolder)
    return fail(Code::kInvalid, "\"/{}\" is a folder; list it (fairlead volume ls-files)",
                printable(path));
  return fail(Code::kInvalid, "\"/{}\" is not a regular file", printable(path));
}

Status write_out(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "write the content");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<LivePlace> LivePlace::find(int data, const std::string& path) {
  TRY(auto parent, enter(data, "."));
  std::string name = ".", done;
  for (std::size_t from = 0; from < path.size();) {
    const std::size_t slash = std::min(path.find('/', from), path.size());
    const std::string part = path.substr(from, slash - from);
    from = slash + 1;
    if (part.empty() || part == "." || part == "..")
      return fail(Code::kInvalid, "\"{}\" is not a plain path", printable(path));
    if (name != ".") {
      TRY(const auto between, look_at_entry(parent.get(), name));
      if (between.kind != EntryKind::kFolder) return not_a_folder(between, done);
      TRY(parent, enter(parent.get(), name));
    }
    done = join_paths(done, part);
    name = part;
    const auto seen = look_at_entry(parent.get(), name);
    if (!seen && (seen.error().code == Code::kNotFound || seen.error().sys_errno == ENAMETOOLONG))
      return nothing_there(done);
    if (!seen) return fail(with_context(seen.error(), fmt::format("\"/{}\"", printable(done))));
  }
  TRY(auto entry, look_at_entry(parent.get(), name));
  return LivePlace(std::move(parent), std::move(name), path, std::move(entry));
}

Result<UniqueFd> LivePlace::open_folder() const { return enter(parent_.get(), name_); }

Result<LeftOut> LivePlace::list(VolumeContent::Reach reach,
                                const VolumeContent::Visit& visit) const {
  if (!is_folder()) {
    TRY_STATUS(visit(shown_entry(entry_, path_)));
    return LeftOut{};
  }
  TRY(const auto folder, open_folder());
  if (reach == VolumeContent::Reach::kHere) {
    TRY_STATUS(visit_folder(folder.get(), path_, visit));
    return LeftOut{};
  }
  WalkNotes notes;
  TRY_STATUS(walk_tree(
      folder.get(),
      [&](TreeCursor& cursor) -> Status {
        TreeEntry entry = cursor.seen();
        if (entry.path.empty()) return {};
        if (entry.kind == EntryKind::kSymlink) {
          UniqueFd none;
          TRY(entry, cursor.read(none));
        }
        return visit(shown_entry(entry, join_paths(path_, entry.path)));
      },
      notes));
  LeftOut left_out{.count = notes.left_out, .notes = std::move(notes.lines)};
  left_out.notes.resize(std::min(left_out.notes.size(), LeftOut::kMostNotes));
  return left_out;
}

Status LivePlace::read(int fd, ProgressReporter& reporter) const {
  UniqueFd file;
  TRY(const auto entry, read_entry(parent_.get(), name_, file));
  if (entry.kind != EntryKind::kFile || !file) return not_a_file(entry, path_);
  for (std::uint64_t at = 0;;) {
    TRY(const auto bytes, read_range(file.get(), at, kBlock));
    if (bytes.empty()) return {};
    TRY_STATUS(write_out(fd, bytes));
    TRY_STATUS(reporter.add(bytes.size()));
    at += bytes.size();
  }
}

Status LivePlace::copy(ContentCopy& copy) const {
  if (!is_folder()) {
    UniqueFd file;
    TRY(auto entry, read_entry(parent_.get(), name_, file));
    if (!why_left_out(entry).empty()) return not_a_file(entry, path_);
    return copy_entry(entry, file, copy);
  }
  TRY(const auto folder, open_folder());
  WalkNotes notes;
  TRY_STATUS(walk_tree(
      folder.get(),
      [&](TreeCursor& cursor) -> Status {
        UniqueFd file;
        TRY(const auto entry, cursor.read(file));
        return copy_entry(entry, file, copy);
      },
      notes));
  for (std::string& line : notes.lines) copy.leave_out(std::move(line));
  return {};
}

}  // namespace fairlead::volume
