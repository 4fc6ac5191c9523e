#include "plugin-api/cni/cni_handler.h"

#include <algorithm>

namespace fairlead::cni {

namespace {

Decoded<Environment> environment_of(const http::Request& request) {
  Environment environment;
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  for (const Variable& variable : variables()) {
    std::string value = http::header_or_empty(request, variable.header);
    if (std::ranges::any_of(value, control))
      return fail(Failure{ErrorCode::kEnvironment,
                          fmt::format("{} is not valid: it has control characters", variable.name),
                          ""});
    environment.*variable.field = std::move(value);
  }
  return environment;
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
  const Call call{std::move(*environment), request.body,
                  http::held_by_client(request, "x-cni-", netns), request.hung_up};
  const Prepared prepared = prepare(call);
  if (!prepared.request) return respond(prepared.outcome);
  if (!prepared.request->ipam.empty()) return not_here(prepared.request->ipam);
  return respond(perform(*prepared.request, call, service));
}

}  // namespace fairlead::cni
