#include "base/line_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/hash.h"
#include "base/unique_fd.h"

namespace fairlead {

// Written beside, then linked to its name, which fails when it is taken.
Status make_line_file(const std::string& folder, const std::string& name, std::string_view line) {
  const std::string path = folder + "/" + name;
  const std::string beside = fmt::format("{}.{}", path, random_hex(8));
  const UniqueFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, "make " + beside);
  const bool written =
      ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
      ::write(file.get(), "\n", 1) == 1 && ::fsync(file.get()) == 0;
  const int write_errno = errno;
  const bool linked = written && (::link(beside.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int link_errno = errno;
  ::unlink(beside.c_str());
  if (!written) return fail_errno(write_errno, "write " + beside);
  if (!linked) return fail_errno(link_errno, "make " + path);
  const UniqueFd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) return fail_errno(errno, "sync " + folder);
  return {};
}

}  // namespace fairlead
