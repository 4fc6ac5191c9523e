#include "network/service/policy_records.h"

#include <algorithm>

#include "base/json/fields.h"

namespace fairlead::network {

using json::defaulted;
using json::fields;
using json::object;
using json::required;
using json::sparse;
using json::text;

namespace {

constexpr auto kSpec = &Policy::spec;
constexpr auto kPolicy =
    fields(required<&Policy::id>("id"),
           required<kSpec, &PolicySpec::action>("action", text<&parse_policy_action>()),
           required<kSpec, &PolicySpec::from>("from", text<&parse_policy_end>()),
           required<kSpec, &PolicySpec::to>("to", text<&parse_policy_end>()),
           sparse<kSpec, &PolicySpec::ports>("ports", text<&parse_policy_port>()),
           defaulted<&Policy::created>("created"));

constexpr auto kPolicies = fields(defaulted<&PolicyRecord::next>("next"),
                                  defaulted<&PolicyRecord::policies>("policies", object(kPolicy)));

constexpr auto kNameAddress =
    fields(required<&NameAddress::address>("address"), required<&NameAddress::seen>("seen"));
constexpr auto kName = fields(defaulted<&NameRecord::addresses>("addresses", object(kNameAddress)),
                              defaulted<&NameRecord::due>("due"));

}  // namespace

std::string encode(const NameRecord& record) { return json::dump(json::write(record, kName)); }

Result<NameRecord> decode_policy_name(std::string_view text) {
  TRY(const auto json, json::parse(text));
  return json::read(json, kName);
}

// IANA's registries of special-purpose addresses (RFC 6890). What embeds an address of IPv4 (6to4, Teredo, NAT64)
// may be anybody's as well.
bool is_of_the_internet(const IpAddress& address) {
  static constexpr const char* kOthers[] = {
      "0.0.0.0/8",     "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",   "169.254.0.0/16",
      "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4",
      "240.0.0.0/4",   "2001::/32",    "2002::/16"};
  static const Cidr global = *Cidr::parse("2000::/3");
  if (!address.is_v4() && !global.contains(address)) return false;
  return std::ranges::none_of(kOthers, [&](const char* text) {
    const Cidr subnet = *Cidr::parse(text);
    return subnet.family() == address.family() && subnet.contains(address);
  });
}

std::string encode(const PolicyRecord& record) {
  return json::dump(json::write(record, kPolicies));
}

Result<PolicyRecord> decode_policies(std::string_view text) {
  TRY(const auto json, json::parse(text));
  auto record = json::read(json, kPolicies);
  if (record) return record;
  Error error =
      with_context(record.error(), "the record of policies in the state database is damaged");
  error.code = Code::kIo;
  return fail(std::move(error));
}

bool selects_endpoints(std::string_view record) {
  return record.find("\"container:") != record.npos || record.find("\"label:") != record.npos;
}

}  // namespace fairlead::network
