#include "volume/kernel/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace fairlead::volume {

Result<std::string> read_secret_file(const std::string& path, const char* what, std::size_t most) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("open the {} {}", what, path));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != 0 ||
      (info.st_mode & 077U) != 0)
    return fail(Code::kInvalid,
                "{} {}: it must be a file of root that nobody else may read (chmod 600)", what,
                path);
  std::string text(most + 1, '\0');
  std::size_t size = 0;
  for (;;) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, fmt::format("read the {} {}", what, path));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size > most)
      return fail(Code::kInvalid, "{} {}: it has more than {} bytes", what, path, most);
  }
  text.resize(size);
  return text;
}

}  // namespace fairlead::volume
