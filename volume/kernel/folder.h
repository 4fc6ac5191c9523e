// Folder: a directory held by descriptor, and everything below it reached by openat2(2) from there,
// so that nobody who can write below it leads us out: no "..", no symbolic link, no magic link
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

// openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS and `resolve`,
// O_CLOEXEC added. Repeats while the kernel says EAGAIN (a rename at the same time), then
// kUnavailable. A link or ".." on the way is kInvalid (ELOOP, EXDEV).
Result<UniqueFd> open_beneath(int folder, const std::string& relative, int flags,
                              std::uint64_t resolve = 0);

// A `name` below is one component: never empty, "." or "..", without '/'. Thread-safe; values move,
// they do not copy.
class Folder {
 public:
  // Follows symbolic links: for paths of the configuration only.
  static Result<Folder> open(const std::string& path);
  // The same, made when missing, with its parents (0755).
  static Result<Folder> ensure(const std::string& path, mode_t mode);

  Result<Folder> folder(const std::string& relative) const;
  Result<Folder> make_folder(const std::string& name,
                             mode_t mode) const;  // kExists when the name is taken
  Result<Folder> ensure_folder(const std::string& name,
                               mode_t mode) const;  // one that is there keeps its mode
  Result<bool> has(const std::string& name) const;  // whatever it is, a dangling link too

  Status rename(const std::string& name, const Folder& to,
                const std::string& new_name) const;  // kExists: never replaces
  Status exchange(const std::string& name, const Folder& to,
                  const std::string& other) const;  // both at once

  // A new file, written and flushed to the disk (fsync); the folder is not flushed.
  Status write_file(const std::string& name, std::string_view text, mode_t mode) const;
  // At most `most` bytes, else kInvalid; only regular files.
  Result<std::string> read_file(const std::string& relative, std::size_t most) const;
  Result<std::vector<std::string>> names() const;  // without "." and "..", sorted

  Status set_owner(uid_t uid, gid_t gid) const;
  Status set_mode(mode_t mode) const;
  Status sync() const;  // fsync(2): the entries made, renamed and removed here survive a power cut

  int fd() const { return fd_.get(); }
  const std::string& path() const {
    return path_;
  }  // for messages: where it was when it was opened

 private:
  Folder(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  std::string below(const std::string& name) const { return path_ + "/" + name; }

  UniqueFd fd_;
  std::string path_;
};

}  // namespace fairlead::volume
