#include "network/service/leases.h"

#include <algorithm>
#include <array>

#include "base/fault.h"
#include "base/log.h"
#include "network/service/keys.h"

namespace fairlead::network {

namespace {

constexpr std::size_t kLongestName = 255;
// Of one network, whose record holds them and is read by each attach.
constexpr std::size_t kMostReservations = 1000;

Status check_name(const std::string& name) {
  const bool printable =
      std::ranges::all_of(name, [](unsigned char c) { return c > 0x20 && c != 0x7f; });
  if (!name.empty() && name.size() <= kLongestName && printable && name != kAnyReservation)
    return {};
  return fail(Code::kInvalid,
              "the name of a container has 1 to {} characters, none of them blank, and is not {}",
              kLongestName, kAnyReservation);
}

// A pool of the cluster, or of a runtime's own allocator, is given out by others.
Status check_own_addresses(const Network& network) {
  if (network.overlay)
    return fail(
        Code::kUnsupported,
        "network {} is shared by several hosts, each of which gives out its own part of the "
        "addresses; ask for the address when the container is attached",
        network.name.str());
  if (network.address_source == AddressSource::kPlugin)
    return fail(
        Code::kUnsupported,
        "the addresses of network {} are given by another IPAM plugin of CNI, which keeps none for "
        "Fairlead; ask that one for the address",
        network.name.str());
  if (network.address_source == AddressSource::kRuntime)
    return fail(
        Code::kUnsupported,
        "the addresses of network {} are given by its runtime's own allocator; make it with "
        "addresses from Fairlead (docker network create -d fairlead --ipam-driver fairlead)",
        network.name.str());
  return {};
}

tl::unexpected<Error> is_free(const IpAddress& address) {
  return fail(Code::kNotFound,
              "free {}: nobody has it; `fairlead lease ls` shows those that are taken",
              address.to_string());
}

}  // namespace

Status check_reservation(const Network& network, const Reservation& reservation) {
  TRY_STATUS(check_own_addresses(network));
  TRY_STATUS(check_name(reservation.container));
  for (const Subnet& subnet : network.subnets) {
    if (!subnet.subnet.contains(reservation.address)) continue;
    if (subnet.gateway != reservation.address) return {};
    return fail(Code::kInvalid, "address {} is the gateway of {}", reservation.address.to_string(),
                subnet.subnet.to_string());
  }
  return fail(Code::kInvalid, "address {} is in no subnet of the network",
              reservation.address.to_string());
}

// ---- kept addresses

// The endpoint that has the address, if it is the container's; empty: none is.
Result<std::string> Leases::holder_named(const Network& network, const Cidr& subnet,
                                         const Reservation& reservation) {
  TRY(const auto lease, context_.ipam.find_lease(subnet, reservation.address));
  if (!lease || lease->owner.empty() || lease->use != AddressUse::kEndpoint ||
      is_runtimes_own(*lease))
    return std::string();
  TRY(const auto endpoint, context_.records.endpoint(network.id, lease->owner));
  const bool is_it = endpoint && endpoint->value.container == reservation.container;
  return is_it ? lease->owner : std::string();
}

Status Leases::commit_reservation(LockedNetwork& held, const Change& lease) {
  const std::string key = keys::network(held.network.id);
  std::ranges::sort(held.network.reservations);
  state::Txn txn{.preconditions = {{key, held.revision}},
                 .puts = {{key, encode(held.network)}},
                 .durability = state::Durability::kDurable};
  lease.add_to(txn);
  fault_point("reservation.commit");
  return context_.commit(std::move(txn));
}

Result<Network> Leases::reserve(const NetworkRef& ref, const Reservation& reservation) {
  for (unsigned attempt = 0;; ++attempt) {
    TRY(auto held, context_.hold(ref));
    const std::string what =
        fmt::format("keep {} of network {} for container {}", reservation.address.to_string(),
                    held.network.name.str(), reservation.container);
    auto& all = held.network.reservations;
    if (auto fits = check_reservation(held.network, reservation); !fits)
      return fail(with_context(fits.error(), what));
    if (std::ranges::find(all, reservation) != all.end()) return held.network;
    if (all.size() >= kMostReservations)
      return fail(Code::kExhausted, "{}: {} are kept already, which is the most", what, all.size());
    const Cidr subnet = subnet_of(held.network, reservation.address)->subnet;
    TRY(const std::string owner, holder_named(held.network, subnet, reservation));
    const auto kept =
        context_.ipam.keep_plan(subnet, reservation.address, reservation.container, owner);
    if (!kept)
      return fail(with_context(
          addresses_.explained(held.network, subnet, reservation.address, kept.error()), what));
    all.push_back(reservation);
    const Status done = commit_reservation(held, *kept);
    if (done) {
      fault_point("reservation.made");
      log::info("address kept", {{"address", reservation.address.to_string()},
                                 {"network", held.network.name.str()},
                                 {"container", reservation.container}});
      return held.network;
    }
    if (done.error().code != Code::kConflict || attempt >= kMostAttempts)
      return fail(with_context(done.error(), what));
  }
}

Result<Network> Leases::unreserve(const NetworkRef& ref, const IpAddress& address) {
  for (unsigned attempt = 0;; ++attempt) {
    TRY(auto held, context_.hold(ref));
    const std::size_t known = std::erase_if(
        held.network.reservations,
        [&](const Reservation& reservation) { return reservation.address == address; });
    if (known == 0) return held.network;
    Change change;
    if (const Subnet* subnet = subnet_of(held.network, address)) {
      TRY(change, context_.ipam.unkeep_plan(subnet->subnet, address));
    }
    const Status done = commit_reservation(held, change);
    if (done) {
      fault_point("reservation.ended");
      return held.network;
    }
    if (done.error().code != Code::kConflict || attempt >= kMostAttempts)
      return fail(
          with_context(done.error(), fmt::format("keep {} of network {} no longer",
                                                 address.to_string(), held.network.name.str())));
  }
}

// ---- what is taken

AddressLease Leases::shown(const Network& network, const Cidr& subnet, const LeaseRecord& lease,
                           const std::vector<Endpoint>& endpoints) {
  AddressLease shown{.address = lease.address,
                     .subnet = subnet,
                     .network_id = network.id,
                     .network_name = network.name.str(),
                     .use = lease.use,
                     .holder = lease.owner,
                     .reserved_for = lease.reserved_for,
                     .since = lease.since};
  if (lease.use == AddressUse::kReserved && !lease.reserved_for.empty())
    shown.holder = fmt::format("kept for container {}", lease.reserved_for);
  if (lease.use != AddressUse::kEndpoint) return shown;
  const auto holder = std::ranges::find(endpoints, lease.owner, &Endpoint::id);
  if (holder != endpoints.end()) {
    shown.endpoint_id = holder->id;
    shown.container = holder->container;
    shown.holder = context_.records.describe(network.id, holder->id);
  } else {
    shown.holder =
        is_runtimes_own(lease)
            ? "Docker, for a container that is starting or has just gone"
            : fmt::format("endpoint {}, which does not exist", lease.owner.substr(0, 12));
  }
  return shown;
}

Result<std::vector<AddressLease>> Leases::list(const std::optional<NetworkRef>& ref) {
  std::vector<Network> networks;
  if (ref) {
    TRY(auto stored, context_.records.network(*ref));
    networks.push_back(std::move(stored.value));
  } else {
    TRY(networks, context_.records.networks());
  }
  std::vector<AddressLease> all;
  for (const Network& network : networks) {
    TRY(const auto endpoints, context_.records.endpoints(network.id));
    for (const Subnet& subnet : network.subnets) {
      TRY(const auto leases, context_.ipam.list_leases(subnet.subnet));
      for (const LeaseRecord& lease : leases)
        all.push_back(shown(network, subnet.subnet, lease, endpoints));
    }
  }
  std::ranges::sort(all, {}, &AddressLease::address);
  return all;
}

// ---- freeing

Status Leases::release(const IpAddress& address, bool force) {
  TRY(const auto networks, context_.records.networks());
  for (const Network& network : networks) {
    const Subnet* subnet = subnet_of(network, address);
    if (subnet == nullptr) continue;
    TRY(auto held, context_.hold_at(network.id, NetworkId{network.id}, kLockDeadline));
    TRY(const auto lease, context_.ipam.find_lease(subnet->subnet, address));
    if (!lease) return is_free(address);
    return release_from(held, subnet->subnet, *lease, force);
  }
  return is_free(address);
}

Status Leases::release_from(LockedNetwork& held, const Cidr& subnet, const LeaseRecord& lease,
                            bool force) {
  const std::string address = lease.address.to_string(), name = held.network.name.str();
  if (lease.use == AddressUse::kGateway)
    return fail(Code::kInUse, "free {}: it is the gateway of network {}, and goes with the network",
                address, name);
  if (lease.use == AddressUse::kReserved && !lease.reserved_for.empty())
    return fail(
        Code::kInUse,
        "free {}: it is kept for container {}; `fairlead network unreserve {} {}` ends that",
        address, lease.reserved_for, name, address);
  if (lease.use == AddressUse::kReserved)
    return fail(Code::kInUse,
                "free {}: network {} keeps it ({}), as it was told when it was made; it goes with "
                "the network",
                address, name, lease.owner);
  return release_of_endpoint(held, subnet, lease, force);
}

Status Leases::release_of_endpoint(LockedNetwork& held, const Cidr& subnet,
                                   const LeaseRecord& lease, bool force) {
  const std::string address = lease.address.to_string();
  std::optional<Stored<Endpoint>> stored;
  if (!is_runtimes_own(lease)) {
    TRY(stored, context_.records.endpoint(held.network.id, lease.owner));
  }
  if (!stored) {
    if (is_runtimes_own(lease) && !addresses_.is_old(lease.since) && !force)
      return fail(Code::kInUse,
                  "free {}: Docker asked for it less than a minute ago, for a container that is "
                  "starting or has just gone; wait, or use -f",
                  address);
    return drop(held, subnet, lease);
  }
  const Endpoint& endpoint = stored->value;
  TRY(const auto reason, removal_.reason_to_drop(held.network, endpoint));
  if (reason.empty() && !force)
    return fail(
        Code::kInUse,
        "free {}: {} has it; remove the container, or use -f, which removes its endpoint as "
        "well and so cuts it off the network",
        address, context_.records.describe(held.network.id, endpoint.id));
  fault_point("lease.release.endpoint");
  TRY_STATUS(removal_.discard(held, endpoint, Fate::kDead));
  log::info("address freed", {{"address", address}, {"network", held.network.name.str()}});
  return {};
}

Status Leases::drop(LockedNetwork& held, const Cidr& subnet, const LeaseRecord& lease) {
  state::Txn txn;
  Ipam::release_plan(subnet, lease).add_to(txn);
  fault_point("lease.release.commit");
  TRY_STATUS(context_.commit(std::move(txn)));
  addresses_.give_back(held.network, std::array{Cidr::of(lease.address, subnet.prefix_length())});
  log::info("address freed",
            {{"address", lease.address.to_string()}, {"network", held.network.name.str()}});
  return {};
}

// ---- room

// Dead endpoints and stray leases make room when somebody needs it.
Result<bool> Leases::any_dead(const Network& network) {
  TRY(const auto strays, addresses_.stray_leases(network));
  if (!strays.nobodys.empty()) return true;
  TRY(const auto endpoints, context_.records.endpoints(network.id));
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.phase != Phase::kReady) continue;
    TRY(const auto reason, removal_.reason_to_drop(network, endpoint));
    if (!reason.empty()) return true;
  }
  return false;
}

Status Leases::check_room(const EndpointSpec& spec) {
  TRY(const auto stored, context_.records.network(spec.network));
  const Network& network = stored.value;
  if (network.address_source != AddressSource::kFairlead || network.overlay) return {};
  state::Txn txn;
  EndpointSpec wanted = spec;
  if (wanted.id.empty()) wanted.id = "nobody";
  const auto leased = addresses_.lease(network, wanted, 0, txn);
  if (leased) return {};
  if (leased.error().code != Code::kExhausted && leased.error().code != Code::kExists)
    return fail(leased.error());
  TRY(const bool dead, any_dead(network));
  return dead ? Status() : fail(leased.error());
}

}  // namespace fairlead::network
