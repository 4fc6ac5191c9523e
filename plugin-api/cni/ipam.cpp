#include "plugin-api/cni/ipam.h"

#include <algorithm>

#include "plugin-api/cni/sections.h"

namespace fairlead::cni {

namespace {

using json::defaulted;
using json::fields;
using json::Json;
using json::Object;
using json::object;
using json::required;
using json::Slot;
using json::sparse;

constexpr std::uint32_t kScopeLink = 253;  // RT_SCOPE_LINK, linux/rtnetlink.h
constexpr std::size_t kLongestName = 255;  // NAME_MAX

// ---- the shapes of results

constexpr auto kAddress = fields(required<&IpamAddress::address>("address"),
                                 sparse<&IpamAddress::gateway>("gateway", kAddressOrNone));
constexpr auto kResult = fields(defaulted<&IpamResult::addresses>("ips", object(kAddress)),
                                defaulted<&IpamResult::routes>("routes", object(kRoute)),
                                defaulted<&IpamResult::dns>("dns", object(kDns)));

// Before 0.3.0.
struct OfFamily {
  Cidr address;
  std::optional<IpAddress> gateway;
  std::vector<network::Route> routes;
};
constexpr auto kOfFamily = fields(required<&OfFamily::address>("ip"),
                                  sparse<&OfFamily::gateway>("gateway", kAddressOrNone),
                                  defaulted<&OfFamily::routes>("routes", object(kRoute)));
struct Pair {
  std::optional<OfFamily> v4, v6;
};
constexpr auto kPair = fields(defaulted<&Pair::v4>("ip4", object(kOfFamily)),
                              defaulted<&Pair::v6>("ip6", object(kOfFamily)));

void add(IpamResult& result, const std::optional<OfFamily>& one) {
  if (!one) return;
  result.addresses.push_back({one->address, one->gateway});
  result.routes.insert(result.routes.end(), one->routes.begin(), one->routes.end());
}

// A route without a gateway goes through the one that the plugin has named first for its family.
void complete(IpamResult& result) {
  for (network::Route& route : result.routes) {
    if (route.via || route.scope == kScopeLink) continue;
    const auto named = std::ranges::find_if(result.addresses, [&](const IpamAddress& each) {
      return each.gateway && each.gateway->family() == route.destination.family();
    });
    if (named != result.addresses.end()) route.via = named->gateway;
  }
}

// ---- the shape of errors

Failure of_plugin(const std::string& name, Failure failure) {
  failure.message = fmt::format("ipam plugin \"{}\": {}", name, failure.message);
  return failure;
}

struct Written {
  std::int64_t code = 0;
  std::string msg, details;
};
constexpr auto kWritten =
    fields(defaulted<&Written::code>("code", json::Range{0, INT32_MAX}),
           defaulted<&Written::msg>("msg"), defaulted<&Written::details>("details"));

Failure failure_in(const PluginOutcome& outcome) {
  const auto document = json::parse(outcome.out);
  if (document && document->is_object())
    if (const auto written = json::read(*document, kWritten);
        written && (written->code != 0 || !written->msg.empty()))
      return {static_cast<ErrorCode>(written->code), written->msg, written->details};
  return {ErrorCode::kIo,
          fmt::format("it failed with exit code {}{}", outcome.exit_code,
                      outcome.out.empty() ? " and said nothing but what is on stderr"
                                          : ", and what it wrote is no error of CNI: " +
                                                outcome.out.substr(0, 200)),
          ""};
}

}  // namespace

Result<std::string> decode_ipam_plugin(const Object& config) {
  TRY(const auto ipam, config.object_or_none("ipam"));
  if (!ipam) return std::string();
  TRY(std::string type, ipam->string_or("type", ""));
  const bool own = type.empty() || type == "fairlead" || type == "host-local";
  TRY(const bool delegate, ipam->bool_or("delegate", !own));
  if (own && (!delegate || type == "host-local")) return delegate ? type : std::string();
  if (own)
    return fail(Code::kInvalid,
                "field ipam.delegate is true, but ipam.type names no other plugin: fairlead gives "
                "the addresses itself; leave one of them out");
  if (!delegate)
    return fail(
        Code::kInvalid,
        "field ipam.delegate is false, but fairlead has no \"{}\" of its own; leave it out, or "
        "leave out the type for addresses from fairlead",
        type);
  if (type == "." || type == ".." || type.size() > kLongestName ||
      type.find('/') != std::string::npos || type.find('\0') != std::string::npos)
    return fail(Code::kInvalid, "field ipam.type is \"{}\", which is not the name of a plugin",
                type.substr(0, 64));
  return type;
}

bool works_on_interface(std::string_view plugin) { return plugin == "dhcp"; }

Result<IpamResult> decode_ipam_result(std::string_view text) {
  TRY(const Json document, json::parse(text));
  TRY(auto result, json::read(document, kResult));
  TRY(const auto pair, json::read(document, kPair));
  add(result, pair.v4);
  add(result, pair.v6);
  if (result.addresses.empty()) return fail(Code::kInvalid, "there is no address in it");
  complete(result);
  return result;
}

Decoded<std::string> run_ipam(const std::string& name, const PluginVerb& verb,
                              const RunPlugin& run) {
  if (!run)
    return fail(of_plugin(name, {ErrorCode::kInternal,
                                 "only the process that the runtime has started can run it", ""}));
  auto outcome = run(name, verb);
  if (!outcome) {
    Failure failure = failure_of(outcome.error());
    if (outcome.error().code == Code::kNotFound) failure.code = ErrorCode::kConfiguration;
    return fail(of_plugin(name, std::move(failure)));
  }
  if (outcome->exit_code != 0) return fail(of_plugin(name, failure_in(*outcome)));
  return std::move(outcome->out);
}

}  // namespace fairlead::cni
