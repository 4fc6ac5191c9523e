#include "plugin-api/netavark/networks.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/api/options.h"

namespace fairlead::netavark {

namespace {

using network::NetworkSpec;

bool has_label(const network::Network& network, const char* label, std::string_view value) {
  const auto found = network.labels.find(label);
  return found != network.labels.end() && found->second == value;
}

bool is_made_for_podman(const network::Network& network) {
  return has_label(network, network::kMadeForLabel, kPodman);
}

// Whether the file is Podman's of the network with this id. One that cannot be read may be.
bool may_be_of(const Result<std::string>& text, const std::string& id) {
  if (!text) return text.error().code != Code::kNotFound;
  const auto parsed = json::parse(*text);
  if (!parsed || !parsed->is_object()) return true;  // it is being written
  const json::Json* written = parsed->find("id");
  return written == nullptr || !written->is_string() || written->string() == id;
}

// ---- joining

tl::unexpected<Error> disagree(const network::Network& network, const std::string& what) {
  return fail(
      Code::kConflict,
      "join network {0}: {1}; leave it out: podman network create -d fairlead -o network={0} "
      "NAME",
      network.name.str(), what);
}

Status check_subnets(const network::Network& network, const NetworkSpec& spec) {
  for (const network::SubnetSpec& wanted : spec.subnets) {
    const auto found = std::ranges::find(network.subnets, *wanted.subnet, &network::Subnet::subnet);
    if (found == network.subnets.end())
      return disagree(network, fmt::format("it has no subnet {}", wanted.subnet->to_string()));
    if (wanted.gateway && found->gateway != wanted.gateway)
      return disagree(network, fmt::format("its gateway is not {}", wanted.gateway->to_string()));
  }
  if (spec.ipv6 && !network.has(Family::kV6)) return disagree(network, "it has no IPv6 subnet");
  if (spec.internal && !network.internal) return disagree(network, "it is not internal");
  return {};
}

// The options of the network itself may be repeated, but not changed.
Status check_options(const network::Network& network, network::NetworkOptions options) {
  options.join.reset();
  const auto present = network::to_map(network.options);
  for (const auto& [key, value] : network::to_map(options)) {
    const auto found = present.find(key);
    if (found == present.end() || found->second != value)
      return disagree(network, fmt::format("the option {}={} is not its own", key, value));
  }
  return {};
}

}  // namespace

Result<network::Network> Networks::ensure(const Network& network, const std::string& folder) {
  TRY(auto spec, network_spec(network, folder));
  if (spec.options.join) return join(spec);
  return make(network, std::move(spec));
}

Result<network::Network> Networks::join(const NetworkSpec& spec) {
  const NetworkName& name = *spec.options.join;
  auto found = service_.inspect_network(name);
  if (!found && found.error().code == Code::kNotFound)
    return fail(
        Code::kNotFound,
        "network {0} does not exist, and so cannot be joined; make it first: fairlead network "
        "create {0}",
        name.str());
  if (!found) return found;
  TRY_STATUS(check_options(*found, spec.options));
  TRY_STATUS(check_subnets(*found, spec));
  return found;
}

Result<network::Network> Networks::make(const Network& network, NetworkSpec spec) {
  auto made = service_.create_network(spec);
  if (!made) made = make_anew(network, spec, made.error());
  if (!made) return made;
  fault_point("netavark.network.made");
  TRY_STATUS(bind(network, *made));
  return made;
}

// The name, or a subnet, may be that of a network that Podman has removed.
Result<network::Network> Networks::make_anew(const Network& network, NetworkSpec spec,
                                             const Error& refusal) {
  if (refusal.code != Code::kConflict && refusal.code != Code::kExists) return fail(refusal);
  const auto named = service_.inspect_network(spec.name);
  const bool same = named && named->id == spec.id;
  if (named && !same && !is_made_for_podman(*named)) return make_beside(network, std::move(spec));
  if (same) TRY_STATUS(status_of(service_.release_network(spec.id)));
  // A file of this name is that of the new network by now.
  TRY(const std::size_t collected, collect(0));
  if (same || collected > 0) {
    auto made = service_.create_network(spec);
    if (made) return made;
  }
  if (!named) return fail(refusal);
  if (!same) return fail(refusal);
  log::warn("netavark: a network in use keeps the options that it has",
            {{"network", network.name}, {"error", refusal.text}});
  return *named;
}

// Somebody else's network has the name.
Result<network::Network> Networks::make_beside(const Network& network, NetworkSpec spec) {
  if (!is_podmans(network))
    return fail(Code::kExists,
                "network {0} is there already; this joins it: podman network create -d fairlead -o "
                "network={0} NAME",
                spec.name.str());
  TRY(spec.name, NetworkName::parse(fmt::format("podman-{}", network.name)));
  auto made = service_.create_network(spec);
  if (made || made.error().code != Code::kConflict) return made;
  TRY(const bool released, service_.release_network(spec.id));
  if (released) return service_.create_network(spec);
  return service_.inspect_network(spec.name);  // in use, as it is
}

// Podman's name is kept where it is not the network's own.
Status Networks::bind(const Network& network, const network::Network& made) {
  TRY(const bool bound, service_.is_bound(network.id));
  if (bound) return {};  // to itself: the id is the network's own
  TRY_STATUS(status_of(service_.bind_network(network.id, made.name)));
  fault_point("netavark.network.bound");
  if (names_ == nullptr || made.name.str() == network.name) return {};
  const network::RuntimeNetwork called{.id = network.id, .name = network.name};
  if (const Status kept = names_->keep({&called, 1}); !kept)
    log::warn("netavark: keep a network's name", {{"error", kept.error().text}});
  return {};
}

Status Networks::release(const Network& network) {
  if (!is_podmans(network)) return {};
  return status_of(service_.release_network(network.id));
}

bool Networks::is_gone(const network::NetworkUsage& usage, long long grace) const {
  const network::Network& network = usage.network;
  if (!is_made_for_podman(network) || usage.endpoints != 0) return false;
  const long long age = surroundings_.unix_time() - network.created;
  if (age >= 0 && age < grace) return false;
  const auto file = network.labels.find(kFileLabel);
  if (file == network.labels.end() || file->second.empty()) return true;
  return !may_be_of(surroundings_.read_file(file->second), network.id);
}

Result<std::size_t> Networks::collect() { return collect(kGrace); }

Result<std::size_t> Networks::collect(long long grace) {
  TRY(const auto networks, service_.list_networks());
  std::size_t collected = 0;
  for (const network::NetworkUsage& usage : networks) {
    if (!is_gone(usage, grace)) continue;
    // Its own id is what it is bound by. One that was never bound is unbound all the same, and goes.
    TRY(const bool bound, service_.is_bound(usage.network.id));
    if (!bound) TRY_STATUS(status_of(service_.bind_network(usage.network.id, usage.network.name)));
    TRY(const bool released, service_.release_network(usage.network.id));
    if (!released) continue;
    ++collected;
    log::info("netavark: a network that Podman has removed is let go",
              {{"network", network::title_of(usage.network)}});
  }
  return collected;
}

}  // namespace fairlead::netavark
