#include "plugin-api/netavark/netavark_handler.h"

#include <algorithm>

namespace fairlead::netavark {

namespace {

struct Header {
  std::string_view name;
  std::string Environment::*field;
};
constexpr Header kHeaders[] = {{"x-netavark-command", &Environment::command},
                               {"x-netavark-netns", &Environment::netns},
                               {"x-netavark-network", &Environment::network},
                               {"x-netavark-dns-servers", &Environment::dns_servers},
                               {"x-netavark-networks", &Environment::network_folder}};

Result<Environment> environment_of(const http::Request& request) {
  Environment environment;
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  for (const Header& header : kHeaders) {
    std::string value = http::header_or_empty(request, header.name);
    if (std::ranges::any_of(value, control))
      return fail(Code::kInvalid, "the header {} has control characters", header.name);
    environment.*header.field = std::move(value);
  }
  environment.rootless = http::header_or_empty(request, "x-netavark-rootless") == "true";
  return environment;
}

// Misdirected Request (RFC 9110 section 15.5.20).
http::Response not_here(const std::string& plugin) {
  http::Response response;
  response.status = 421;
  response.body = fmt::format(
      "the plugin of driver \"{}\" is run by the process that Podman has started\n", plugin);
  return response;
}

http::Response respond(Outcome outcome) {
  http::Response response;
  response.headers["X-Netavark-Exit"] = std::to_string(outcome.exit_code);
  response.body = std::move(outcome.out);
  return response;
}

}  // namespace

http::Response handle_netavark(const http::Request& request, const Services& services,
                               const HostFunctions& host) {
  auto environment = environment_of(request);
  if (!environment) return respond(failed(environment.error()));
  const Call call{.environment = std::move(*environment),
                  .input = request.body,
                  .netns = http::held_by_client(request, "x-netavark-", host.netns),
                  .bring_up_loopback = host.bring_up_loopback,
                  .name_link = host.name_link,
                  .hung_up = request.hung_up};
  const Prepared prepared = prepare(call);
  if (!prepared.request) return respond(prepared.outcome);
  if (const std::string plugin = prepared.request->plugin(); !plugin.empty())
    return not_here(plugin);
  return respond(perform(*prepared.request, call, services));
}

}  // namespace fairlead::netavark
