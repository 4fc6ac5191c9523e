#include "plugin-api/bin/local_call.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "network/kernel/host/netns.h"

namespace fairlead {

namespace {

constexpr std::size_t kMostInput = 2 << 20;

bool is_own_netns(int fd) {
  const auto own = kernel::current_netns();
  if (!own) return false;
  const auto own_id = kernel::netns_id(own->get()), id = kernel::netns_id(fd);
  return own_id && id && *own_id == *id;
}

Result<bool> holds_endpoint(network::NetworkService& networks, const std::string& container) {
  TRY(const auto endpoints, networks.list_endpoints(std::nullopt));
  return std::ranges::any_of(endpoints, [&](const network::Endpoint& endpoint) {
    return endpoint.container == container;
  });
}

}  // namespace

Result<std::string> read_document(int fd) {
  std::string input;
  std::array<char, 8 << 10> block;
  for (;;) {
    const ssize_t got = ::read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read the document on stdin");
    if (got == 0) return input;
    input.append(block.data(), static_cast<std::size_t>(got));
    if (input.size() > kMostInput)
      return fail(Code::kInvalid, "the document on stdin is larger than 2 MiB");
  }
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

http::NetnsOpener local_netns() { return {.open = kernel::open_netns, .is_own = is_own_netns}; }

Status may_remove(Core& core, const std::string& container) {
  const Status claimed = core.claim();
  if (claimed) return claimed;
  TRY(const bool known, holds_endpoint(core.networks(), container));
  return known ? claimed : Status();
}

}  // namespace fairlead
