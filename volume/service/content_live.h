// Reads single files and folders of a volume's data, as it is while they are read.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "volume/api/service.h"
#include "volume/service/content_sinks.h"

namespace fairlead::volume {

// A place below the data folder `data` (borrowed), reached by one component after the other without
// following a link.
class LivePlace {
 public:
  // kNotFound when there is no such entry, kInvalid when the way leads through something that is no
  // folder; the text names it.
  static Result<LivePlace> find(int data, const std::string& path);

  Result<LeftOut> list(VolumeContent::Reach reach, const VolumeContent::Visit& visit) const;
  // kInvalid for what is no regular file.
  Status read(int fd, ProgressReporter& reporter) const;
  // The entries' paths are from this place on.
  Status copy(ContentCopy& copy) const;
  bool is_folder() const { return entry_.kind == EntryKind::kFolder; }
  std::uint64_t size() const { return entry_.size; }

 private:
  LivePlace(UniqueFd parent, std::string name, std::string path, TreeEntry entry)
      : parent_(std::move(parent)),
        name_(std::move(name)),
        path_(std::move(path)),
        entry_(std::move(entry)) {}
  Result<UniqueFd> open_folder() const;

  UniqueFd parent_;
  std::string name_, path_;  // "." for the top
  TreeEntry entry_;
};

// Writes all of it, to a file or a pipe. kIo when the other end is closed.
Status write_out(int fd, std::string_view bytes);

// What is told of an entry that is no file, or no folder, where one is needed.
tl::unexpected<Error> not_a_file(const TreeEntry& entry, const std::string& path);
tl::unexpected<Error> not_a_folder(const TreeEntry& entry, const std::string& path);
tl::unexpected<Error> nothing_there(const std::string& path);

}  // namespace fairlead::volume
