#include "plugin-api/cni/cni_handler.h"

#include <algorithm>
#include <charconv>

namespace fairlead::cni {

namespace {

std::string header_or(const http::Request& request, std::string_view name) {
  const auto found = request.headers.find(std::string(name));
  return found == request.headers.end() ? "" : found->second;
}

Decoded<Environment> environment_of(const http::Request& request) {
  Environment environment;
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  for (const Variable& variable : variables()) {
    std::string value = header_or(request, variable.header);
    if (std::ranges::any_of(value, control))
      return fail(Failure{ErrorCode::kEnvironment,
                          fmt::format("{} is not valid: it has control characters", variable.name),
                          ""});
    environment.*variable.field = std::move(value);
  }
  return environment;
}

// A number from 0 to INT_MAX; std::nullopt for anything else.
std::optional<int> number_of(const std::string& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// Opens the namespace that the client holds open.
Result<UniqueFd> open_held(const http::Request& request, const NetnsOpener& netns,
                           const std::string& path) {
  const std::string held = header_or(request, "x-cni-netns-fd"),
                    refused = header_or(request, "x-cni-netns-error");
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

NetnsOpener door_of(const http::Request& request, const NetnsOpener& netns) {
  const bool same = header_or(request, "x-cni-same-netns") == "1";
  return {.open = [&](const std::string& path) { return open_held(request, netns, path); },
          .is_own = [&netns, same](int fd) { return same || netns.is_own(fd); }};
}

// Misdirected Request (RFC 9110 section 15.5.20).
http::Response not_here(const std::string& plugin) {
  http::Response response;
  response.status = 421;
  response.body = fmt::format(
      "ipam plugin \"{}\" is run by the process that the runtime has started\n", plugin);
  return response;
}

http::Response respond(Outcome outcome) {
  http::Response response;
  response.headers["X-CNI-Exit"] = std::to_string(outcome.exit_code);
  response.body = std::move(outcome.out);
  return response;
}

}  // namespace

http::Response handle_cni(const http::Request& request, network::NetworkService& service,
                          const NetnsOpener& netns) {
  auto environment = environment_of(request);
  if (!environment) return respond(refused(environment.error(), request.body));
  if (environment->command.empty())
    return respond(refused({ErrorCode::kEnvironment, "the header X-CNI-COMMAND is missing", ""},
                           request.body));
  const Call call{std::move(*environment), request.body, door_of(request, netns), request.hung_up};
  const Prepared prepared = prepare(call);
  if (!prepared.request) return respond(prepared.outcome);
  if (!prepared.request->ipam.empty()) return not_here(prepared.request->ipam);
  return respond(perform(*prepared.request, call, service));
}

}  // namespace fairlead::cni
