#include "network/cluster/host_id.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/hash.h"
#include "base/line_file.h"
#include "base/unique_fd.h"

namespace fairlead::network::cluster {

namespace {

constexpr unsigned kDigits = 32;

bool is_host_id(std::string_view text) {
  return text.size() == kDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<std::string> read_id(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return fail_errno(errno, "open " + path);
  std::array<char, 64> bytes{};
  const auto size = ::read(file.get(), bytes.data(), bytes.size());
  if (size < 0) return fail_errno(errno, "read " + path);
  std::string id(bytes.data(), static_cast<std::size_t>(size));
  while (!id.empty() && id.back() == '\n') id.pop_back();
  if (is_host_id(id)) return id;
  return fail(Code::kInvalid,
              "{} does not hold a host id ({} hex digits); put the right one back, or delete the "
              "file and remove the old host from the cluster",
              path, kDigits);
}

}  // namespace

Result<std::string> load_or_make_host_id(const std::string& folder) {
  const std::string path = folder + "/host-id";
  auto id = read_id(path);
  if (id || id.error().code != Code::kNotFound) return id;
  TRY_STATUS(make_line_file(folder, "host-id", random_hex(kDigits)));
  return read_id(path);
}

}  // namespace fairlead::network::cluster
