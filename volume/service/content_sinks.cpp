#include "volume/service/content_sinks.h"

#include "volume/kernel/archive.h"
#include "volume/kernel/tree_writer.h"
#include "volume/service/left_out.h"

namespace fairlead::volume {

namespace {

class FolderSink : public ContentSink {
 public:
  explicit FolderSink(int folder) : writer_(folder, Origin::kOwn, TreeLimits{}) {}

  Status add(const TreeEntry& entry, const DataRanges&) override { return writer_.add(entry); }
  Status write(std::uint64_t offset, std::string_view bytes) override {
    return writer_.write(offset, bytes);
  }
  Status finish() override { return writer_.finish(); }
  LeftOut left_out() const override { return left_out_of(writer_.notes()); }

 private:
  TreeWriter writer_;
};

// The content of a file has to follow its header whole, so a hole is skipped before what follows it
// and at the end.
class TarSink : public ContentSink {
 public:
  explicit TarSink(ArchiveWriter writer) : writer_(std::move(writer)) {}

  Status add(const TreeEntry& entry, const DataRanges& ranges) override {
    TRY_STATUS(end_file());
    const bool has_content = entry.kind == EntryKind::kFile && entry.hard_link.empty();
    at_ = 0;
    size_ = has_content ? entry.size : 0;
    return writer_.add(entry, ranges);
  }
  Status write(std::uint64_t offset, std::string_view bytes) override {
    if (offset < at_ || offset > size_ || bytes.size() > size_ - offset)
      return fail(Code::kInternal, "write a tar: a piece of a file is out of order");
    TRY_STATUS(writer_.skip(offset - at_));
    at_ = offset + bytes.size();
    return writer_.write(bytes);
  }
  Status finish() override {
    TRY_STATUS(end_file());
    return status_of(writer_.close());
  }

 private:
  Status end_file() {
    const std::uint64_t rest = size_ - at_;
    at_ = size_ = 0;
    return rest == 0 ? Status() : writer_.skip(rest);
  }

  ArchiveWriter writer_;
  std::uint64_t at_ = 0, size_ = 0;
};

ContentKind shown_kind(EntryKind kind) {
  switch (kind) {
    case EntryKind::kFile:
      return ContentKind::kFile;
    case EntryKind::kFolder:
      return ContentKind::kFolder;
    case EntryKind::kSymlink:
      return ContentKind::kSymlink;
    case EntryKind::kFifo:
      return ContentKind::kFifo;
    case EntryKind::kDevice:
    case EntryKind::kWhiteout:
      return ContentKind::kDevice;
    case EntryKind::kSocket:
      return ContentKind::kSocket;
  }
  return ContentKind::kFile;
}

}  // namespace

std::unique_ptr<ContentSink> make_folder_sink(int folder) {
  return std::make_unique<FolderSink>(folder);
}

Result<std::unique_ptr<ContentSink>> make_tar_sink(int fd) {
  TRY(auto writer, ArchiveWriter::open(fd, Packing::kNone));
  return std::unique_ptr<ContentSink>(std::make_unique<TarSink>(std::move(writer)));
}

std::string join_paths(const std::string& folder, const std::string& name) {
  if (folder.empty() || name.empty()) return folder + name;
  return folder + "/" + name;
}

std::string ContentCopy::renamed(const std::string& path) const { return join_paths(name_, path); }

Status ContentCopy::add(TreeEntry entry, const DataRanges& ranges) {
  if (const std::string why = why_left_out(entry); !why.empty()) {
    leave_out(why);
    return reporter_.add(0);
  }
  const bool is_content = entry.kind == EntryKind::kFile && entry.hard_link.empty();
  entry.path = renamed(entry.path);
  if (!entry.hard_link.empty()) entry.hard_link = renamed(entry.hard_link);
  TRY_STATUS(sink_.add(entry, ranges));
  ++report_.entries;
  report_.bytes += is_content ? entry.size : 0;
  return reporter_.add(0);
}

Status ContentCopy::write(std::uint64_t offset, std::string_view bytes) {
  TRY_STATUS(sink_.write(offset, bytes));
  return reporter_.add(bytes.size());
}

void ContentCopy::leave_out(std::string note) {
  ++report_.left_out.count;
  if (report_.left_out.notes.size() < LeftOut::kMostNotes)
    report_.left_out.notes.push_back(std::move(note));
}

Result<ContentReport> ContentCopy::finish() {
  TRY_STATUS(sink_.finish());
  report_.left_out.add(sink_.left_out());
  return std::move(report_);
}

std::string why_left_out(const TreeEntry& entry) {
  if (entry.kind == EntryKind::kDevice)
    return fmt::format("{} is a device node; it was left out", printable(entry.path));
  if (entry.kind == EntryKind::kSocket)
    return fmt::format("{} is a socket; it was left out", printable(entry.path));
  return {};
}

ContentEntry shown_entry(const TreeEntry& entry, std::string path) {
  return {.path = std::move(path),
          .kind = shown_kind(entry.kind),
          .mode = entry.mode,
          .uid = entry.uid,
          .gid = entry.gid,
          .size = entry.size,
          .modified = entry.mtime.seconds,
          .target = entry.target};
}

}  // namespace fairlead::volume
