#include "plugin-api/http/held_netns.h"

#include <charconv>
#include <optional>

namespace fairlead::http {

namespace {

// A number from 0 to INT_MAX; std::nullopt for anything else.
std::optional<int> number_of(const std::string& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// Opens the namespace that the client holds open.
Result<UniqueFd> open_held(const Request& request, std::string_view prefix,
                           const NetnsOpener& netns, const std::string& path) {
  const std::string held = header_or_empty(request, fmt::format("{}netns-fd", prefix)),
                    refused = header_or_empty(request, fmt::format("{}netns-error", prefix));
  if (held.empty() && refused.empty()) return netns.open(path);
  if (const auto sys_errno = number_of(refused); held.empty() && sys_errno)
    return fail_errno(*sys_errno, fmt::format("open network namespace {}", path));
  const auto fd = number_of(held);
  if (!fd)
    return fail(Code::kInvalid,
                "open network namespace {}: the client's descriptor is not a number", path);
  if (request.peer.pid <= 0)
    return fail(Code::kUnavailable,
                "open network namespace {}: the client's process is not visible to the daemon",
                path);
  auto opened = netns.open(fmt::format("/proc/{}/fd/{}", request.peer.pid, *fd));
  if (!opened)
    return fail(with_context(opened.error(), fmt::format("open network namespace {}", path)));
  return opened;
}

}  // namespace

std::string header_or_empty(const Request& request, std::string_view name) {
  const auto found = request.headers.find(std::string(name));
  return found == request.headers.end() ? "" : found->second;
}

NetnsOpener held_by_client(const Request& request, std::string_view prefix,
                           const NetnsOpener& netns) {
  const bool same = header_or_empty(request, fmt::format("{}same-netns", prefix)) == "1";
  return {.open = [&request, prefix = std::string(prefix), &netns](
                      const std::string& path) { return open_held(request, prefix, netns, path); },
          .is_own = [&netns, same](int fd) { return same || netns.is_own(fd); }};
}

}  // namespace fairlead::http
