#include "plugin-api/cni/codec.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "base/json/fields.h"
#include "network/api/made_by.h"
#include "plugin-api/cni/ipam.h"
#include "plugin-api/cni/runtime_config.h"
#include "plugin-api/cni/settings.h"

namespace fairlead::cni {

namespace {

using json::Json;
using json::Object;

Failure misconfigured(std::string message) {
  return {ErrorCode::kConfiguration, std::move(message), ""};
}

// ---- what every verb reads

std::string quoted_versions() {
  std::vector<std::string> names;
  for (const Version& version : versions()) names.push_back(fmt::format("\"{}\"", version.text));
  return fmt::format("{}", fmt::join(names, " "));
}

Decoded<const Version*> decode_version(const Object& config) {
  TRY(const std::string text, at_stage(config.string_or("cniVersion", ""), ErrorCode::kDecoding));
  if (const Version* version = find_version(text); version != nullptr) return version;
  return fail(Failure{ErrorCode::kIncompatibleVersion, "incompatible CNI versions",
                      fmt::format("config is \"{}\", plugin supports [{}]", text.substr(0, 64),
                                  quoted_versions())});
}

Status allowed(Verb verb, const Version& version) {
  const auto refuse = [&](std::string_view command, std::string_view since) {
    return fail(Code::kUnsupported,
                "config version does not allow {}: it is {}, {} needs at least {}", command,
                version.text, command, since);
  };
  if (verb == Verb::kCheck && !version.checks) return refuse("CHECK", "0.4.0");
  if (verb == Verb::kGc && !version.collects) return refuse("GC", "1.1.0");
  if (verb == Verb::kStatus && !version.collects) return refuse("STATUS", "1.1.0");
  return {};
}

Decoded<NetworkName> decode_name(const Object& config) {
  TRY(const std::string name, at_stage(config.string_or("name", ""), ErrorCode::kDecoding));
  if (name.empty())
    return fail(misconfigured("the network name is missing: give the conflist a \"name\""));
  return at_stage(NetworkName::parse(name), ErrorCode::kConfiguration);
}

// ---- ADD

// Only lists of 0.3.0 and newer have several plugins.
Result<std::optional<Json>> read_earlier(const Object& config, const Request& request) {
  TRY(const auto result, config.object_or_none("prevResult"));
  if (!result) return std::optional<Json>();
  if (!request.version->lists)
    return fail(Code::kInvalid,
                "field prevResult is present, but a result of version {} has no room for two "
                "interfaces; use cniVersion 0.3.0 or newer",
                request.version->text);
  TRY(auto earlier, decode_earlier(*result, request.ifname.str()));
  return std::optional(std::move(earlier));
}

// The sets the runtime asks for, and those of the configuration for the families it says nothing
// about. None where an endpoint without wishes gets the same.
std::vector<network::RangeSet> combine(const Settings& settings,
                                       const std::vector<AddressRangeSet>& requested) {
  std::vector<network::RangeSet> sets;
  for (const Family family : {Family::kV4, Family::kV6}) {
    const auto is_of_family = [&](const AddressRangeSet& set) {
      return set.front().subnet.family == family;
    };
    const bool asked = std::ranges::any_of(requested, is_of_family);
    if (!asked && is_plain(settings.ranges, family)) continue;
    for (const AddressRangeSet& set : asked ? requested : settings.ranges)
      if (is_of_family(set)) sets.push_back(prefixes_of(set, settings.network.subnets));
  }
  return sets;
}

// What the runtime says, part by part, over what the configuration says.
network::Dns combine(network::Dns configured, const network::Dns& requested) {
  if (!requested.nameservers.empty()) configured.nameservers = requested.nameservers;
  if (!requested.search.empty()) configured.search = requested.search;
  if (!requested.options.empty()) configured.options = requested.options;
  if (!requested.domain.empty()) configured.domain = requested.domain;
  return configured;
}

void fill_endpoint(Request& request, Settings& settings, RuntimeConfig runtime_config) {
  network::EndpointSpec& endpoint = request.endpoint;
  endpoint.network = request.network_name();
  endpoint.id =
      network::endpoint_id(request.invocation.container.str(), request.invocation.ifname.str());
  endpoint.container = request.invocation.container.str();
  endpoint.known_as = std::move(runtime_config.known_as);
  endpoint.runtime = request.runtime();
  // Addresses and ranges that the runtime asks for are asked of the plugin, if there is one.
  const bool own = settings.ipam.empty();
  if (own) endpoint.addresses = std::move(runtime_config.addresses);
  if (!own) endpoint.address_source = network::AddressSource::kPlugin;
  endpoint.mac = runtime_config.mac;
  endpoint.ports = std::move(runtime_config.ports);
  endpoint.aliases = std::move(runtime_config.aliases);
  endpoint.labels = std::move(runtime_config.labels);
  endpoint.names.name = std::move(runtime_config.name);
  if (own) endpoint.range_sets = combine(settings, runtime_config.ranges);
  endpoint.rates = runtime_config.rates;
  endpoint.routes = std::move(settings.routes);
  endpoint.netns_path = request.invocation.netns;
}

// A configuration without subnets leaves them to the runtime's ipRanges.
Status take_subnets(network::NetworkSpec& network, const std::vector<AddressRangeSet>& requested) {
  if (!network.subnets.empty()) return {};
  TRY(network.subnets, subnets_of(requested));
  for (network::SubnetSpec& subnet : network.subnets) subnet.range.reset();
  return {};
}

Decoded<Settings> read_settings(Request& request, const Object& config) {
  TRY(auto settings, decode_settings(config, request.name));
  request.join = std::exchange(settings.network.options.join, std::nullopt);
  request.ipam = settings.ipam;
  return settings;
}

Status fill_add(Request& request, Settings settings, RuntimeConfig runtime_config) {
  request.resolv_conf = std::move(settings.resolv_conf);
  request.dns = combine(std::move(settings.dns), runtime_config.dns);
  TRY_STATUS(take_subnets(settings.network, runtime_config.ranges));
  fill_endpoint(request, settings, std::move(runtime_config));
  request.network = std::move(settings.network);
  if (!request.join) request.network.labels.emplace(network::kMadeByLabel, "cni");
  return {};
}

Decoded<Request> decode_add(Request request, const Object& config, std::string_view cni_args) {
  TRY(request.earlier, at_stage(read_earlier(config, request), ErrorCode::kConfiguration));
  TRY(auto settings, read_settings(request, config));
  TRY(auto runtime_config,
      decode_runtime_config(config, cni_args, {request.name.str(), request.network_name().str()}));
  TRY_STATUS(at_stage(fill_add(request, std::move(settings), std::move(runtime_config)),
                      ErrorCode::kConfiguration));
  return request;
}

// ---- the other verbs

Result<PrevResult> read_prev_result(const Object& config, std::string_view ifname) {
  TRY(const auto result, config.object_or_none("prevResult"));
  if (!result)
    return fail(Code::kInvalid,
                "field prevResult is missing: CHECK compares with the result of ADD");
  return decode_prev_result(*result, ifname);
}

using ValidAttachments = std::optional<std::vector<network::ValidAttachment>>;

constexpr auto kAttachment =
    json::fields(json::required<&network::ValidAttachment::container>("containerID"),
                 json::required<&network::ValidAttachment::ifname>("ifname"));

struct ValidList {
  ValidAttachments valid;
};
constexpr auto kValidList = json::fields(
    json::defaulted<&ValidList::valid>("cni.dev/valid-attachments", json::object(kAttachment)));
constexpr auto kOtherValidList = json::fields(
    json::defaulted<&ValidList::valid>("cni.dev/attachments", json::object(kAttachment)));

Result<ValidAttachments> read_valid(const Object& config) {
  const json::Slot slot(config, {});
  TRY(auto list, json::read(slot, kValidList));
  if (!list.valid) TRY_STATUS(json::read_into(slot, kOtherValidList, list));
  return std::move(list.valid);
}

Result<Request> decode_known(Request request, const Object& config) {
  TRY(request.join, decode_join(config));
  auto ipam = decode_ipam_plugin(config);
  if (!ipam && request.invocation.verb == Verb::kCheck) return fail(ipam.error());
  if (ipam) request.ipam = std::move(*ipam);  // what ADD has refused was never run
  if (request.invocation.verb == Verb::kCheck) {
    TRY(request.previous, read_prev_result(config, request.ifname.str()));
  }
  if (request.invocation.verb == Verb::kGc) {
    TRY(request.valid, read_valid(config));
  }
  return request;
}

Decoded<Request> decode_status(Request request, const Object& config) {
  TRY(auto settings, read_settings(request, config));
  request.endpoint.network = request.network_name();
  if (request.ipam.empty()) request.endpoint.range_sets = combine(settings, {});
  request.network = std::move(settings.network);
  return request;
}

// VERSION asks about this program and not about a network: whatever is on stdin, it is answered.
Request decode_version_verb(Request request, std::string_view input) {
  request.version = &answer_version(input);
  request.version_text = request.version->text;
  const auto document = json::parse(input);
  if (!document || !document->is_object()) return request;
  const auto config = Object::of(*document, "", json::Keys::kAnyCase);
  const auto text = config->string_or("cniVersion", "");
  if (text && !text->empty() && text->size() <= 64) request.version_text = *text;
  return request;
}

// Of the whole call, so that a repeated one is known. Runtimes write the keys in any order.
std::string digest_of(const json::Json& document, std::string_view cni_args) {
  std::string all = json::dump(document);
  all += '\0';
  all += cni_args;
  return hash_hex(all, 32);
}

// What ADD has refused is no hindrance to DEL.
Result<IfName> decode_ifname(const Object& config, const Invocation& invocation) {
  const bool lenient = invocation.verb == Verb::kDel;
  const auto text = config.string_or("ifname", "");
  if (!text && !lenient) return fail(text.error());
  if (!text || text->empty()) return invocation.ifname;
  auto name = IfName::parse(*text);
  if (name) return name;
  if (lenient) return invocation.ifname;
  return fail(with_context(name.error(), "field ifname"));
}

Decoded<Request> decode_config(Request request, const Object& config, std::string_view cni_args) {
  TRY(request.name, decode_name(config));
  TRY(request.version, decode_version(config));
  TRY_STATUS(at_stage(allowed(request.invocation.verb, *request.version),
                      ErrorCode::kIncompatibleVersion));
  TRY(request.ifname,
      at_stage(decode_ifname(config, request.invocation), ErrorCode::kConfiguration));
  switch (request.invocation.verb) {
    case Verb::kAdd:
      return decode_add(std::move(request), config, cni_args);
    case Verb::kStatus:
      return decode_status(std::move(request), config);
    default:
      return at_stage(decode_known(std::move(request), config), ErrorCode::kConfiguration);
  }
}

}  // namespace

Decoded<Request> decode(const Environment& environment, std::string_view input) {
  Request request;
  TRY(request.invocation, check_environment(environment));
  if (request.invocation.verb == Verb::kVersion)
    return decode_version_verb(std::move(request), input);
  TRY(const Json document, at_stage(json::parse(input), ErrorCode::kDecoding));
  TRY(const Object config,
      at_stage(Object::of(document, "", json::Keys::kAnyCase), ErrorCode::kDecoding));
  if (request.invocation.verb == Verb::kAdd)
    request.endpoint.digest = digest_of(document, environment.args);
  return decode_config(std::move(request), config, environment.args);
}

const Version& answer_version(std::string_view input) {
  const auto document = json::parse(input);
  if (!document || !document->is_object()) return newest_version();
  const auto text = Object::of(*document, "", json::Keys::kAnyCase)->string_or("cniVersion", "");
  const Version* version = text ? find_version(*text) : nullptr;
  return version == nullptr ? newest_version() : *version;
}

}  // namespace fairlead::cni
