#include "network/service/address_choice.h"

#include <algorithm>

namespace fairlead::network {

namespace {

const Subnet* holder_of(const Network& network, const Cidr& part) {
  const auto found = std::ranges::find_if(
      network.subnets, [&](const Subnet& subnet) { return subnet.subnet.contains(part); });
  return found == network.subnets.end() ? nullptr : &*found;
}

std::string subnets_text(const Network& network) {
  std::string text;
  for (const Subnet& subnet : network.subnets)
    text += (text.empty() ? "" : ", ") + subnet.subnet.to_string();
  return text.empty() ? "none" : text;
}

// The places of a set, in its own order; ranges of one subnet that follow each other are one place.
Result<std::vector<AddressPlace>> places_of(const Network& network, const RangeSet& set) {
  std::vector<AddressPlace> places;
  for (const Cidr& range : set) {
    if (range.family() != set.front().family())
      return fail(Code::kInvalid, "the ranges {} and {} of one set are of two families",
                  set.front().to_string(), range.to_string());
    const Subnet* subnet = holder_of(network, range);
    if (subnet == nullptr)
      return fail(Code::kInvalid, "range {} is in no subnet of network {}, which has {}",
                  range.to_string(), network.name.str(), subnets_text(network));
    if (places.empty() || places.back().subnet != subnet->subnet)
      places.push_back({subnet->subnet, {}});
    places.back().ranges.push_back(range);
  }
  return places;
}

Status check_apart(const std::vector<RangeSet>& sets) {
  for (auto one = sets.begin(); one != sets.end(); ++one)
    for (auto other = sets.begin(); other != one; ++other)
      for (const Cidr& a : *one)
        for (const Cidr& b : *other)
          if (a.overlaps(b))
            return fail(Code::kInvalid,
                        "the ranges {} and {} overlap, and each set of ranges gives an address of "
                        "its own",
                        b.to_string(), a.to_string());
  return {};
}

// The places of a family without sets: its subnets, or the ranges that are asked for in them.
std::vector<AddressPlace> places_in(const Network& network, Family family,
                                    const std::vector<Cidr>& ranges) {
  std::vector<AddressPlace> narrowed, whole;
  for (const Subnet& subnet : network.subnets) {
    if (subnet.subnet.family() != family) continue;
    whole.push_back({subnet.subnet, {}});
    AddressPlace place{subnet.subnet, {}};
    std::ranges::copy_if(ranges, std::back_inserter(place.ranges),
                         [&](const Cidr& range) { return subnet.subnet.contains(range); });
    if (!place.ranges.empty()) narrowed.push_back(std::move(place));
  }
  return narrowed.empty() ? whole : narrowed;
}

const Subnet* subnet_with(const Network& network, const IpAddress& address) {
  return holder_of(network, Cidr::of(address, address.is_v4() ? 32 : 128));
}

AddressWish wish_for(const Network& network, const IpAddress& address) {
  return {address, {{subnet_with(network, address)->subnet, {}}}};
}

// The wishes of sets of ranges: each set takes a wanted address that lies in one of its ranges, or else
// in a subnet of it. (In this order no set without a wanted address may give out another's.)
class SetWishes {
 public:
  SetWishes(const Network& network, const std::vector<RangeSet>& sets) : network_(network) {
    for (const RangeSet& set : sets)
      if (!set.empty()) sets_.push_back({&set, {}, {}});
  }

  bool serves(Family family) const {
    return std::ranges::any_of(
        sets_, [&](const Set& set) { return set.ranges->front().family() == family; });
  }

  // Takes from `wanted` what belongs to a set.
  Result<std::vector<AddressWish>> take(std::vector<IpAddress>& wanted) {
    for (Set& set : sets_) {
      TRY(set.places, places_of(network_, *set.ranges));
    }
    std::erase_if(wanted, [&](const IpAddress& address) { return give(address, &in_a_range); });
    std::erase_if(wanted, [&](const IpAddress& address) { return give(address, &in_a_subnet); });
    std::vector<AddressWish> wishes;
    for (Set& set : sets_)
      wishes.push_back(set.wanted ? wish_for(network_, *set.wanted)
                                  : AddressWish{std::nullopt, std::move(set.places)});
    return wishes;
  }

 private:
  struct Set {
    const RangeSet* ranges;
    std::vector<AddressPlace> places;
    std::optional<IpAddress> wanted;
  };

  static bool in_a_range(const Set& set, const IpAddress& address) {
    return std::ranges::any_of(*set.ranges,
                               [&](const Cidr& range) { return range.contains(address); });
  }
  static bool in_a_subnet(const Set& set, const IpAddress& address) {
    return std::ranges::any_of(
        set.places, [&](const AddressPlace& place) { return place.subnet.contains(address); });
  }

  bool give(const IpAddress& address, bool (*fits)(const Set&, const IpAddress&)) {
    const auto found = std::ranges::find_if(
        sets_, [&](const Set& set) { return !set.wanted && fits(set, address); });
    if (found == sets_.end()) return false;
    found->wanted = address;
    return true;
  }

  const Network& network_;
  std::vector<Set> sets_;
};

}  // namespace

Result<std::vector<AddressWish>> address_wishes(const Network& network, const EndpointSpec& spec) {
  std::vector<IpAddress> wanted;
  for (const Cidr& address : spec.addresses) {
    if (subnet_with(network, address.address()) == nullptr)
      return fail(Code::kInvalid, "address {} is in no subnet of network {}, which has {}",
                  address.address().to_string(), network.name.str(), subnets_text(network));
    wanted.push_back(address.address());
  }
  TRY_STATUS(check_apart(spec.range_sets));
  SetWishes sets(network, spec.range_sets);
  TRY(auto wishes, sets.take(wanted));
  std::vector<Family> families;
  for (const Subnet& subnet : network.subnets)
    if (std::ranges::find(families, subnet.subnet.family()) == families.end())
      families.push_back(subnet.subnet.family());
  for (const Family family : families) {
    const auto is_ours = [&](const IpAddress& address) { return address.family() == family; };
    const bool any = std::ranges::any_of(wanted, is_ours);
    for (const IpAddress& address : wanted)
      if (is_ours(address)) wishes.push_back(wish_for(network, address));
    if (!any && !sets.serves(family))
      wishes.push_back({std::nullopt, places_in(network, family, spec.ranges)});
  }
  return wishes;
}

}  // namespace fairlead::network
