// Folder: a directory held by descriptor. Everything below it is reached by openat2(2) from there,
// so that nobody who can write below it can lead us out: no "..", symbolic link or magic link
// (/proc/self/root) is ever followed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

// Calls openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS and
// `resolve`, adding O_CLOEXEC. Repeats the call while the kernel returns EAGAIN (a rename at the
// same time), up to a limit, then fails with kUnavailable. kInvalid when there is a link or ".." on
// the way (ELOOP, EXDEV).
Result<UniqueFd> open_beneath(int folder, const std::string& relative, int flags,
                              std::uint64_t resolve = 0);

// Whether a call waits until what it did is on the disk.
enum class Flush { kNow, kLater };

// A `name` is one component below the folder: never empty, "." or "..", and without '/'.
// Thread-safe. Can be moved but not copied.
class Folder {
 public:
  // Follows symbolic links, so it is for paths of the configuration only.
  static Result<Folder> open(const std::string& path);
  // The same, but creates the folder and its parents (0755) when missing.
  static Result<Folder> ensure(const std::string& path, mode_t mode);

  Result<Folder> folder(const std::string& relative) const;
  Result<Folder> make_folder(const std::string& name,
                             mode_t mode) const;  // kExists when the name is taken
  Result<Folder> ensure_folder(const std::string& name,
                               mode_t mode) const;  // an existing one keeps its mode
  Result<bool> has(const std::string& name) const;  // anything of that name, a dangling link too

  Status rename(const std::string& name, const Folder& to,
                const std::string& new_name) const;  // kExists: never replaces
  Status exchange(const std::string& name, const Folder& to,
                  const std::string& other) const;  // swaps the two at once

  // Creates a file, writes it and flushes it to the disk (fsync). The folder is not flushed.
  Status write_file(const std::string& name, std::string_view text, mode_t mode,
                    Flush flush = Flush::kNow) const;
  // The same for a file that may be there already: a reader, and who comes after a power cut, sees
  // the old one or the new one. On failure the old one is kept.
  Status replace_file(const std::string& name, std::string_view text, mode_t mode) const;
  // kInvalid when it has more than `most` bytes or is no regular file.
  Result<std::string> read_file(const std::string& relative, std::size_t most) const;
  // fsync(2) of a regular file.
  Status sync_file(const std::string& name) const;
  Result<std::vector<std::string>> names() const;  // without "." and "..", sorted

  Status set_owner(uid_t uid, gid_t gid) const;
  Status set_mode(mode_t mode) const;
  // fsync(2), after which entries created, renamed or removed here survive a power cut
  Status sync() const;

  int fd() const { return fd_.get(); }
  const std::string& path() const {
    return path_;
  }  // for messages: where the folder was when it was opened

 private:
  Folder(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  std::string below(const std::string& name) const { return path_ + "/" + name; }

  UniqueFd fd_;
  std::string path_;
};

}  // namespace fairlead::volume
