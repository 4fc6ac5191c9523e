#include "volume/service/archive_tree.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fault.h"
#include "volume/service/progress_reporter.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kBlock = 256 << 10;

class Exporter {
 public:
  Exporter(ArchiveWriter& writer, ProgressReporter& reporter, ExportedTree& tree)
      : writer_(writer), reporter_(reporter), tree_(tree) {}
  Status visit(TreeCursor& cursor);

 private:
  Status copy(int file, const TreeEntry& entry,
              const std::vector<std::pair<std::uint64_t, std::uint64_t>>& ranges);
  Status copy_range(int file, std::uint64_t from, std::uint64_t to, bool& is_short);

  ArchiveWriter& writer_;
  ProgressReporter& reporter_;
  ExportedTree& tree_;
};

Status Exporter::copy_range(int file, std::uint64_t from, std::uint64_t to, bool& is_short) {
  while (from < to) {
    TRY(const auto bytes, read_range(file, from, std::min<std::uint64_t>(kBlock, to - from)));
    if (bytes.empty()) {
      is_short = true;  // the header is written already, so zeros replace what is missing
      return writer_.skip(to - from);
    }
    TRY_STATUS(writer_.write(bytes));
    TRY_STATUS(reporter_.add(bytes.size()));
    from += bytes.size();
  }
  return {};
}

Status Exporter::copy(int file, const TreeEntry& entry,
                      const std::vector<std::pair<std::uint64_t, std::uint64_t>>& ranges) {
  std::uint64_t at = 0;
  bool is_short = false;
  for (const auto& [offset, length] : ranges) {
    TRY_STATUS(writer_.skip(offset - at));
    at = offset + length;
    auto copied = copy_range(file, offset, at, is_short);
    if (!copied)
      return fail(with_context(copied.error(), fmt::format("file \"{}\"", printable(entry.path))));
  }
  if (is_short)
    tree_.notes.add(fmt::format("{} became shorter while it was read", printable(entry.path)));
  return writer_.skip(entry.size - at);
}

Status Exporter::visit(TreeCursor& cursor) {
  if (cursor.seen().kind == EntryKind::kSocket) {
    tree_.notes.add(fmt::format("{} is a socket, for which archives have no form; it was left out",
                                printable(cursor.seen().path)));
    return fail(Code::kNotFound, "a socket");
  }
  UniqueFd file;
  TRY(const auto entry, cursor.read(file));
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  if (file) {
    TRY(ranges, data_ranges(file.get(), entry.size));
  }
  TRY_STATUS(writer_.add(entry, ranges));
  if (file) {
    TRY_STATUS(copy(file.get(), entry, ranges));
    ++tree_.report.files;
    tree_.report.bytes += entry.size;
  }
  fault_point("archive.export.entry");
  return reporter_.add(0);
}

// Reads a descriptor and computes the digest of what it gave.
class HashedInput {
 public:
  explicit HashedInput(int fd) : fd_(fd), buffer_(kBlock, '\0') {}

  Result<std::string_view> next() {
    for (;;) {
      const ssize_t got = ::read(fd_, buffer_.data(), buffer_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(errno, "read the archive");
      const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
      hash_.add(bytes);
      return bytes;
    }
  }

  // Also reads what follows the archive.
  Status compare(const std::string& wanted) {
    for (;;) {
      TRY(const auto rest, next());
      if (rest.empty()) break;
    }
    const std::string found = to_hex(hash_.finish());
    if (found == wanted) return {};
    return fail(Code::kInvalid,
                "the archive was changed, or is another one: its sha256 is {}, not {}", found,
                wanted);
  }

 private:
  int fd_;
  std::string buffer_;
  Sha256 hash_;
};

}  // namespace

Result<ExportedTree> export_tree(int data, int to, std::uint64_t total, const Progress& progress,
                                 Hollow hollow, const WalkFilter* filter) {
  TRY(auto writer, ArchiveWriter::open(to));
  ProgressReporter reporter(progress, total);
  ExportedTree tree;
  Exporter exporter(writer, reporter, tree);
  TRY_STATUS(walk_tree(data, [&](TreeCursor& cursor) { return exporter.visit(cursor); }, tree.notes,
                       {.hollow = hollow, .filter = filter}));
  TRY(const auto digest, writer.close());
  tree.report.digest = to_hex(digest);
  return tree;
}

Status import_tree(int from, const std::string& sha256, TreeWriter& writer, std::uint64_t total,
                   const Progress& progress) {
  HashedInput input(from);
  TRY(auto reader, ArchiveReader::open([&] { return input.next(); }));
  ProgressReporter reporter(progress, total);
  std::uint64_t told = 0;
  const auto tell = [&] {
    const std::uint64_t before = std::exchange(told, reader.consumed());
    return reporter.add(told - before);
  };
  for (;;) {
    TRY(const auto entry, reader.next());
    if (!entry) break;
    TRY_STATUS(writer.add(*entry));
    for (;;) {
      TRY(const auto block, reader.read());
      if (!block) break;
      TRY_STATUS(writer.write(block->offset, block->bytes));
      TRY_STATUS(tell());
    }
    fault_point("archive.import.entry");
    TRY_STATUS(tell());
  }
  if (!sha256.empty()) TRY_STATUS(input.compare(sha256));
  return writer.finish();
}

}  // namespace fairlead::volume
