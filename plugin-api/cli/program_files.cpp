#include "plugin-api/cli/program_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/unique_fd.h"

namespace fairlead::cli {

namespace {

namespace fs = std::filesystem;

Result<std::string> read_program(const std::string& path) {
  std::error_code failed;
  if (!fs::is_regular_file(path, failed)) return fail(Code::kNotFound, "{} is not a file", path);
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof()) return fail(Code::kIo, "{} cannot be read", path);
  return bytes;
}

Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "write " + path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status replace(const std::string& path, std::string_view bytes, mode_t mode) {
  std::string temporary = path + ".XXXXXX";
  const UniqueFd file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return fail_errno(errno, "write " + path);
  const auto put = [&]() -> Status {
    TRY_STATUS(write_all(file.get(), bytes, path));
    if (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0 ||
        ::rename(temporary.c_str(), path.c_str()) != 0)
      return fail_errno(errno, "write " + path);
    return {};
  };
  const Status done = put();
  if (!done) ::unlink(temporary.c_str());
  return done;
}

bool is_same_file(const std::string& one, const std::string& other) {
  std::error_code failed;
  return fs::equivalent(one, other, failed) && !failed;
}

}  // namespace

Result<std::string> install_program(const std::string& source, const std::string& folder,
                                    const std::string& name) {
  const std::string target = folder + "/" + name;
  if (is_same_file(source, target)) return std::string("there already");
  TRY(const std::string bytes, read_program(source));
  std::error_code failed;
  const auto there = fs::symlink_status(target, failed);
  const bool taken = fs::exists(there);
  if (fs::is_regular_file(there)) {
    const auto present = read_program(target);
    const bool runs = (there.permissions() & fs::perms::others_exec) != fs::perms::none;
    if (present && *present == bytes && runs) return std::string("there already");
  }
  TRY_STATUS(replace(target, bytes, 0755));
  return std::string(taken ? "replaced" : "installed");
}

Result<std::string> uninstall_program(const std::string& source, const std::string& folder,
                                      const std::string& name, std::string_view mark) {
  const std::string target = folder + "/" + name;
  std::error_code failed;
  const auto there = fs::symlink_status(target, failed);
  if (!fs::exists(there)) return std::string("not there");
  if (is_same_file(source, target) && !fs::is_symlink(there))
    return fail(Code::kConflict,
                "{} belongs to the installation of Fairlead itself; it goes with the package",
                target);
  TRY(const std::string bytes, read_program(target));
  if (bytes.find(mark) == std::string::npos)
    return fail(Code::kConflict, "{} is not Fairlead's plugin", target);
  if (::unlink(target.c_str()) != 0) return fail_errno(errno, "remove " + target);
  return std::string("removed");
}

Result<std::string> install_text(const std::string& text, const std::string& folder,
                                 const std::string& name) {
  const std::string target = folder + "/" + name;
  std::error_code failed;
  const bool there = fs::exists(fs::symlink_status(target, failed));
  if (there) {
    TRY(const std::string present, read_program(target));
    if (present == text) return std::string("there already");
    if (!present.starts_with(text.substr(0, text.find('\n'))))
      return fail(Code::kConflict, "{} is not Fairlead's; remove it first", target);
  }
  TRY_STATUS(replace(target, text, 0644));
  return std::string(there ? "replaced" : "installed");
}

Result<std::string> uninstall_text(std::string_view first_line, const std::string& folder,
                                   const std::string& name) {
  const std::string target = folder + "/" + name;
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(target, failed))) return std::string("not there");
  TRY(const std::string present, read_program(target));
  if (!present.starts_with(first_line))
    return fail(Code::kConflict, "{} is not Fairlead's", target);
  if (::unlink(target.c_str()) != 0) return fail_errno(errno, "remove " + target);
  return std::string("removed");
}

}  // namespace fairlead::cli
