// Policies as elements: what the maps say is what the policies say, and no elements overlap.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "network/nat/entries.h"
#include "network/nat/nat.h"

namespace fairlead::nat {
namespace {

using kernel::Verdict;

IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }
AddressRange range(const std::string& first, const std::string& last) {
  return {ip(first), ip(last)};
}
NatService port(std::uint8_t proto, std::uint16_t first, std::uint16_t last) {
  return {.first_proto = proto, .last_proto = proto, .first_port = first, .last_port = last};
}

struct Packet {
  IpAddress from, to;
  std::uint8_t proto = 6;
  std::uint16_t port = 0;
};

bool holds(const AddressRange& range, const IpAddress& address) {
  return range.first.family() == address.family() && range.first <= address &&
         address <= range.last;
}

bool has_ports(std::uint8_t proto) { return proto == 6 || proto == 17 || proto == 132; }

bool names(const NatPolicy& policy, const Packet& packet) {
  const auto holds_from = [&](const AddressRange& each) { return holds(each, packet.from); };
  const auto holds_to = [&](const AddressRange& each) { return holds(each, packet.to); };
  return std::ranges::any_of(policy.from, holds_from) && std::ranges::any_of(policy.to, holds_to) &&
         std::ranges::any_of(policy.services, [&](const NatService& service) {
           if (packet.proto < service.first_proto || service.last_proto < packet.proto)
             return false;
           if (service.first_port == 0 && service.last_port == 65535) return true;
           return has_ports(packet.proto) && service.first_port <= packet.port &&
                  packet.port <= service.last_port;
         });
}

std::optional<Verdict::Kind> wanted(const std::vector<NatPolicy>& policies, const Packet& packet) {
  std::optional<Verdict::Kind> verdict;
  for (const NatPolicy& policy : policies) {
    if (!names(policy, packet)) continue;
    if (!policy.allow) return Verdict::Kind::kDrop;
    verdict = Verdict::Kind::kGoto;
  }
  return verdict;
}

bool holds(const Entry& entry, const Packet& packet) {
  const auto& to = std::get<AddressRange>(entry.key[1]);
  const auto proto = std::get<ProtoRange>(entry.key[2]);
  if (!holds(std::get<AddressRange>(entry.key[0]), packet.from) || !holds(to, packet.to))
    return false;
  if (packet.proto < proto.first || proto.last < packet.proto) return false;
  if (entry.key.size() < 4) return true;
  const auto ports = std::get<network::PortRange>(entry.key[3]);
  return has_ports(packet.proto) && ports.first <= packet.port && packet.port <= ports.last;
}

// Every element that the packet is in, of all maps together.
std::vector<Verdict::Kind> found(const std::vector<Entry>& entries, const Packet& packet) {
  std::vector<Verdict::Kind> verdicts;
  for (const Entry& entry : entries)
    if (entry.verdict && holds(entry, packet)) verdicts.push_back(entry.verdict->kind);
  return verdicts;
}

class RandomPolicies {
 public:
  explicit RandomPolicies(unsigned seed) : random_(seed) {}

  std::vector<NatPolicy> policies() {
    std::vector<NatPolicy> some(1 + below(7));
    for (NatPolicy& policy : some)
      policy = {.allow = below(3) > 0, .from = ranges(), .to = ranges(), .services = {service()}};
    return some;
  }
  Packet packet() {
    constexpr std::uint8_t kProtos[] = {1, 6, 17, 47, 132};
    return {address(), address(), kProtos[below(5)], static_cast<std::uint16_t>(below(12))};
  }

 private:
  unsigned below(unsigned end) {
    return std::uniform_int_distribution<unsigned>(0, end - 1)(random_);
  }
  IpAddress address() { return ip("10.0.0." + std::to_string(below(16))); }
  std::vector<AddressRange> ranges() {
    std::vector<AddressRange> some(1 + below(3));
    for (AddressRange& one : some) {
      const IpAddress a = address(), b = address();
      one = {std::min(a, b), std::max(a, b)};
    }
    return some;
  }
  NatService service() {
    constexpr std::uint8_t kProtos[] = {6, 17, 132};
    const auto low = static_cast<std::uint16_t>(below(12)),
               high = static_cast<std::uint16_t>(below(12));
    if (below(3) == 0) return {};
    if (below(4) == 0) return {.first_proto = 1, .last_proto = 1};
    if (below(4) == 0) return port(kProtos[below(3)], 0, 65535);
    return port(kProtos[below(3)], std::min(low, high), std::max(low, high));
  }
  std::mt19937 random_;
};

TEST(PolicyEntries, SayWhatThePoliciesSayAndNeverTwice) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    RandomPolicies random(seed);
    const auto policies = random.policies();
    const auto entries = entries_of(NatState{.policies = policies}, kernel::TableFamily::kInet);
    for (int i = 0; i < 100; ++i) {
      const Packet packet = random.packet();
      const auto verdicts = found(entries, packet);
      const auto verdict = wanted(policies, packet);
      ASSERT_EQ(verdicts.size(), verdict ? 1U : 0U) << "seed " << seed;
      if (verdict) ASSERT_EQ(verdicts.front(), *verdict) << "seed " << seed;
    }
  }
}

TEST(PolicyEntries, TheEndsOfTheAddressSpaceAreEnds) {
  const auto whole = range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  const NatPolicy allow{.from = {whole}, .to = {whole}, .services = {{}}};
  const NatPolicy deny{
      .allow = false, .from = {range("::", "::")}, .to = {whole}, .services = {{}}};
  const auto entries = entries_of(NatState{.policies = {allow, deny}}, kernel::TableFamily::kInet);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(to_text(entries[0]), ":: . ::/0 . 0-255 : drop");
  EXPECT_EQ(to_text(entries[1]),
            "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff . "
            "::/0 . 0-255 "
            ": goto permitted");
}

TEST(PolicyEntries, PairsOfDifferentFamiliesAreNone) {
  const NatPolicy mixed{.from = {range("10.0.0.1", "10.0.0.1")},
                        .to = {range("fd00::", "fd00::1")},
                        .services = {{}}};
  EXPECT_TRUE(entries_of(NatState{.policies = {mixed}}, kernel::TableFamily::kInet).empty());
}

// Labels on both ends are a product: 100 by 100 containers.
TEST(PolicyEntries, ManyPairsOfAddressesAreNoWork) {
  NatPolicy policy{.services = {port(6, 5432, 5432)}};
  for (int i = 0; i < 100; ++i) {
    const auto from = fmt::format("10.1.0.{}", i), to = fmt::format("10.2.0.{}", i);
    policy.from.push_back(range(from, from));
    policy.to.push_back(range(to, to));
  }
  EXPECT_EQ(entries_of(NatState{.policies = {policy, policy}}, kernel::TableFamily::kInet).size(),
            10'001U);
}

// A set that lies in another one costs nothing, and equal ones cost one.
TEST(PolicyEntries, WhatIsSaidTwiceIsOneElement) {
  const NatPolicy wide{.from = {range("10.1.0.0", "10.1.0.255")},
                       .to = {range("10.0.0.0", "10.255.255.255")},
                       .services = {{}}};
  NatPolicy narrow = wide;
  narrow.to = {range("10.7.0.0", "10.7.0.255")};
  narrow.services = {port(6, 443, 443)};
  EXPECT_EQ(
      entries_of(NatState{.policies = {narrow, wide, narrow, wide}}, kernel::TableFamily::kInet)
          .size(),
      2U);
}

}  // namespace
}  // namespace fairlead::nat
