#include "plugin-api/cli/archive_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace fairlead::cli {

Result<OutputFile> OutputFile::open(const std::string& path) {
  struct stat there {};
  if (stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd && errno == ENXIO)
      return fail(Code::kInvalid, "write {}: it is a named pipe that nobody reads", path);
    if (!fd) return fail_errno(errno, "write " + path);
    fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
    return OutputFile(path, "", std::move(fd));
  }
  const std::size_t name = path.rfind('/') + 1;  // npos + 1 is 0
  std::string temporary = path.substr(0, name) + "." + path.substr(name) + ".XXXXXX";
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return fail_errno(errno, "write " + path);
  return OutputFile(path, std::move(temporary), std::move(fd));
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, "")),
      fd_(std::move(other.fd_)) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Status OutputFile::commit() {
  if (temporary_.empty()) return {};
  if (fsync(fd_.get()) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0)
    return fail_errno(errno, "write " + path_);
  temporary_.clear();
  return {};
}

Result<UniqueFd> open_input(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0) return fail_errno(errno, "read " + path);
  if (S_ISFIFO(info.st_mode) && !path.starts_with("/dev/") && !path.starts_with("/proc/"))
    return fail(Code::kInvalid, "read {}: it is a named pipe; give - and redirect it: - <{}", path,
                path);
  fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
  return fd;
}

}  // namespace fairlead::cli
