// The table alone, then against a model.
#include "network/cluster/peer_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace fairlead::network::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
IpAddress ip(int number) { return *ip("10.9.0.0").plus(static_cast<std::uint64_t>(number)); }
IpAddress vtep(int number) { return *ip("192.0.2.0").plus(static_cast<std::uint64_t>(number)); }
MacAddress mac(int number) { return MacAddress::for_ip(ip(number)); }

class PeerTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    table_.attach(network("net"));
    for (int i = 0; i <= 4; ++i) host(i);
  }

  // 10.8.0.0/15, whose addresses are claimed one by one as long as there are no blocks.
  static PeerNetwork network(const std::string& id) {
    return {.id = id,
            .name = "shop",
            .subnets = {{.subnet = Cidr::parse("10.8.0.0/15").value(), .gateway = ip("10.8.0.1")},
                        {.subnet = Cidr::parse("fd00::/64").value()}},
            .macs = {mac(7777)}};
  }
  static HostRecord record(int number, std::uint64_t epoch = 1) {
    return {.info = {.id = fmt::format("h{}", number), .vtep = vtep(number)}, .epoch = epoch};
  }
  void host(int number, std::uint64_t epoch = 1) {
    table_.set_host(record(number, epoch), ++revision_);
  }
  static SharedEndpoint endpoint(const std::string& id, int host, std::vector<IpAddress> addresses,
                                 MacAddress address, std::uint64_t epoch = 1) {
    return {.id = id,
            .network_id = "net",
            .host_id = fmt::format("h{}", host),
            .epoch = epoch,
            .addresses = std::move(addresses),
            .mac = address};
  }
  static std::string id_of(int host) { return fmt::format("h{}", host); }
  // The address belongs to that host from now on, as if its owner had given it back.
  void claim(const IpAddress& address, int host, std::uint64_t epoch = 1,
             const std::string& of = "net") {
    table_.drop_claim(of, false, address, ++revision_);
    table_.set_claim(
        of, {.first = address, .claim = {id_of(host), epoch, {}}, .revision = ++revision_});
  }
  void claim_block(std::string_view first, int host, std::vector<IpAddress> holes = {}) {
    table_.set_claim("net", {.is_block = true,
                             .first = ip(first),
                             .claim = {id_of(host), 1, std::move(holes)},
                             .revision = ++revision_});
  }
  // An endpoint with an address that its host has claimed.
  void set(const std::string& id, int host, int address, std::optional<int> mac_of = {}) {
    claim(ip(address), host);
    put(id, host, address, mac_of);
  }
  void put(const std::string& id, int host, int address, std::optional<int> mac_of = {}) {
    table_.set_endpoint(endpoint(id, host, {ip(address)}, mac(mac_of.value_or(address))),
                        ++revision_);
  }
  void drop(const std::string& id) { table_.drop_endpoint("net", id, ++revision_); }
  std::size_t list(const std::vector<ListedEndpoint>& listed, int seconds) {
    const PeerTable::Listed all{listed, table_.claims("net"), revision_,
                                AddressClaims::Seen::kEveryChange};
    return table_.replace("net", all, std::chrono::seconds(seconds));
  }
  // What comes out, applied to what the kernel would hold: set and remove as they are documented.
  PeerChanges take() {
    PeerChanges all;
    for (;;) {
      const PeerChanges some = table_.changes(3);
      if (some.network_id.empty()) return all;
      EXPECT_LE(some.to_set.size() + some.to_remove.size(), 4U);
      for (const RemoteEntry& entry : some.to_remove) {
        EXPECT_EQ(kernel_.at(entry.ip), entry) << "removed as it was set";
        kernel_.erase(entry.ip);
      }
      for (const RemoteEntry& entry : some.to_set) kernel_[entry.ip] = entry;
      all.to_set.insert(all.to_set.end(), some.to_set.begin(), some.to_set.end());
      all.to_remove.insert(all.to_remove.end(), some.to_remove.begin(), some.to_remove.end());
      table_.confirm(some);
    }
  }
  std::vector<RemoteEntry> kernel() {
    take();
    std::vector<RemoteEntry> found;
    for (const auto& [address, entry] : kernel_) found.push_back(entry);
    EXPECT_EQ(table_.entries("net"), found);
    return found;
  }
  static RemoteEntry entry(int address, int host, std::optional<int> mac_of = {}) {
    return {ip(address), mac(mac_of.value_or(address)), vtep(host)};
  }

  PeerTable table_{HostInfo{.id = "h0", .vtep = vtep(0)}};
  std::int64_t revision_ = 0;
  std::map<IpAddress, RemoteEntry> kernel_;
};

TEST_F(PeerTableTest, EntriesComeAndGoWithEndpointsAndOnesOwnAreNone) {
  set("e1", 1, 5);
  set("own", 0, 6);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1)));
  drop("e1");
  EXPECT_THAT(kernel(), IsEmpty());
}

TEST_F(PeerTableTest, BothAddressesOfAnEndpointHaveEntries) {
  claim(ip(5), 1);
  claim(ip("fd00::5"), 1);
  table_.set_endpoint(endpoint("e1", 1, {ip(5), ip("fd00::5")}, mac(5)), ++revision_);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1), RemoteEntry{ip("fd00::5"), mac(5), vtep(1)}));
}

TEST_F(PeerTableTest, WhatCameAndWentInBetweenIsNotGivenOut) {
  set("e1", 1, 5);
  drop("e1");
  const auto changes = take();
  EXPECT_THAT(changes.to_set, IsEmpty());
  EXPECT_THAT(changes.to_remove, IsEmpty());
}

TEST_F(PeerTableTest, OfTwoOfOneHostWithOneAddressTheLastWrittenCountsAndTheOtherIsBackAfter) {
  set("e1", 1, 5, 8);
  set("e2", 1, 5, 9);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1, 9)));
  drop("e2");
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1, 8)));
}

// moby#50106: the delete of the old one took the new one's entries.
TEST_F(PeerTableTest, TheLoserGoesWithoutATrace) {
  set("e1", 1, 5);
  set("e2", 2, 5);
  take();
  drop("e1");
  const auto changes = take();
  EXPECT_THAT(changes.to_set, IsEmpty());
  EXPECT_THAT(changes.to_remove, IsEmpty());
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 2)));
}

TEST_F(PeerTableTest, AnAddressThatMovesIsSetAndNotRemoved) {
  set("e1", 1, 5);
  take();
  set("e2", 2, 5);
  const auto changes = take();
  EXPECT_THAT(changes.to_set, ElementsAre(entry(5, 2)));
  EXPECT_THAT(changes.to_remove, IsEmpty());
}

TEST_F(PeerTableTest, AMacStaysWithTheHostThatHadItFirstAndMovesWhenThatOneIsGone) {
  set("e1", 1, 5, 9);
  set("e2", 2, 6, 9);
  put("e1", 1, 5, 9);  // written again
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1, 9)));
  EXPECT_THAT(table_.refusals(), ElementsAre(HasSubstr("endpoint e2 of host")));
  drop("e1");
  EXPECT_THAT(kernel(), ElementsAre(entry(6, 2, 9)));
  EXPECT_THAT(table_.refusals(), IsEmpty());
}

TEST_F(PeerTableTest, OfOneHostWithOneMacTheLastWrittenCounts) {
  set("e1", 1, 5, 9);
  set("e2", 1, 6, 9);
  EXPECT_THAT(kernel(), ElementsAre(entry(6, 1, 9)));
  EXPECT_THAT(table_.refusals(), IsEmpty());
}

// A free address's MAC cannot be taken beforehand, so that nobody could use the address.
TEST_F(PeerTableTest, AMacThatIsDerivedFollowsItsAddress) {
  set("squatter", 3, 6, 5);
  EXPECT_THAT(kernel(), ElementsAre(entry(6, 3, 5)));
  set("e1", 1, 5);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1)));
  set("e2", 2, 5);  // and moves with it
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 2)));
}

TEST_F(PeerTableTest, WhatThisHostHasItselfNoOtherHas) {
  set("e1", 1, 5);
  set("e2", 1, 6, 9);
  EXPECT_EQ(kernel().size(), 2U);
  SharedEndpoint own = endpoint("own", 0, {ip(5)}, mac(9));
  table_.set_local(own);
  EXPECT_THAT(kernel(), IsEmpty()) << "one has its address, the other one its MAC";
  EXPECT_THAT(table_.refusals(), ElementsAre(HasSubstr("a container of this host has 10.9.0.5"),
                                             HasSubstr("this host has 02:fa:0a:09:00:09")));
  own.addresses = {ip(77)};
  own.mac = mac(77);
  table_.set_local(own);
  EXPECT_EQ(kernel().size(), 2U);
  table_.set_local(endpoint("own", 0, {ip(5)}, mac(5)));
  EXPECT_EQ(kernel().size(), 1U);
  table_.replace_local({});
  EXPECT_EQ(kernel().size(), 2U);
}

// ---- what is believed

TEST_F(PeerTableTest, AnAddressInNoBlockAndNoClaimOfTheHostIsRefused) {
  put("e1", 1, 5);
  EXPECT_THAT(kernel(), IsEmpty());
  EXPECT_THAT(table_.refusals(), ElementsAre(HasSubstr("in no block or claim of it")));
  claim(ip(5), 2);
  EXPECT_THAT(kernel(), IsEmpty());
  EXPECT_THAT(table_.refusals(), ElementsAre(HasSubstr("10.9.0.5 is host")));
  claim(ip(5), 1);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1)));
  table_.drop_claim("net", false, ip(5), ++revision_);
  EXPECT_THAT(kernel(), IsEmpty());
}

TEST_F(PeerTableTest, ABlockIsItsHostsButForItsHoles) {
  claim_block("10.9.0.0", 1, {ip(6)});
  put("e1", 1, 5);
  put("e2", 1, 6);
  put("e3", 2, 7);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1)));
  claim(ip(6), 2);
  claim(ip(7), 2);
  put("e4", 2, 6);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1), entry(6, 2))) << "a claim counts in a hole only";
}

TEST_F(PeerTableTest, OfABlockWhoseKeyIsWrittenOverTheFirstHolderKeepsIt) {
  claim_block("10.9.0.0", 1);
  put("e1", 1, 5);
  put("evil", 3, 5);
  claim_block("10.9.0.0", 3);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1)));
  EXPECT_THAT(table_.refusals(), ElementsAre(HasSubstr("it claims 10.9.0.0/26, which host h1 has"),
                                             HasSubstr("endpoint evil of host")));
  // As a host that gives it back and another one that claims it do it.
  table_.drop_claim("net", true, ip("10.9.0.0"), ++revision_);
  claim_block("10.9.0.0", 3);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 3)));
}

TEST_F(PeerTableTest, WhatARemovedHostHeldIsThenTheOthers) {
  claim_block("10.9.0.0", 1);
  claim_block("10.9.0.0", 3);
  put("e3", 3, 5);
  EXPECT_THAT(kernel(), IsEmpty());
  host(1, 2);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 3)));
}

TEST_F(PeerTableTest, AddressesThatNoContainerMayHaveAreRefusedEvenWithAClaim) {
  for (const char* address :
       {"192.0.2.7", "10.8.0.0", "10.8.0.1", "10.9.255.255", "127.0.0.1", "224.0.0.1", "fd00::"}) {
    claim(ip(address), 1);
    table_.set_endpoint(endpoint("e", 1, {ip(address)}, mac(5)), ++revision_);
    EXPECT_THAT(kernel(), IsEmpty()) << address;
    EXPECT_FALSE(table_.refusals().empty()) << address;
  }
  set("e", 1, 5);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1)));
}

TEST_F(PeerTableTest, TheMacsOfTheBridgeAndTheTunnelAreRefused) {
  set("e1", 1, 5, 7777);
  EXPECT_THAT(kernel(), IsEmpty());
  EXPECT_THAT(table_.refusals(), ElementsAre(HasSubstr("this host has")));
}

TEST_F(PeerTableTest, OfABlockOutsideOfTheNetworkItIsTold) {
  claim_block("10.66.0.0", 1);
  claim_block("10.9.0.5", 1);
  EXPECT_THAT(table_.refusals(), ElementsAre(HasSubstr("no block of the network"),
                                             HasSubstr("no block of the network")));
}

TEST_F(PeerTableTest, AHostAtAnAddressThatCannotBeIsLeftOut) {
  set("e1", 1, 5);
  for (const char* address :
       {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "169.254.169.254", "::", "::1",
        "ff02::1", "fe80::1", "192.0.2.0", "192.0.2.2"}) {
    HostRecord moved = record(1);
    moved.info.vtep = ip(address);
    table_.set_host(moved, ++revision_);
    EXPECT_THAT(kernel(), IsEmpty()) << address;
    EXPECT_EQ(table_.others().size(), 3U) << address;
    EXPECT_THAT(table_.refusals(), ElementsAre(HasSubstr("is not believed"))) << address;
  }
  host(1);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1)));
  EXPECT_EQ(table_.others().size(), 4U);
}

TEST_F(PeerTableTest, AnAddressOfAHostStaysItsUntilItHasLeft) {
  HostRecord evil = record(9);
  evil.info.vtep = vtep(1);
  table_.set_host(evil, ++revision_);
  EXPECT_EQ(table_.others().size(), 4U);
  HostRecord left = record(1);
  left.phase = HostPhase::kLeft;
  table_.set_host(left, ++revision_);
  EXPECT_THAT(table_.refusals(), ElementsAre(HasSubstr("(h1)"))) << "a member comes before it";
}

TEST_F(PeerTableTest, AWireguardKeyIsOneHosts) {
  for (const int number : {1, 2}) {
    HostRecord one = record(number);
    one.info.wireguard = {.key = "key", .port = 1, .address = ip(fmt::format("fd00::{}", number))};
    table_.set_host(one, ++revision_);
  }
  EXPECT_THAT(table_.refusals(), ElementsAre(HasSubstr("its WireGuard key is host")));
}

// ---- the rest

TEST_F(PeerTableTest, ANewMacRemovesTheOldEntryAsWell) {
  set("e1", 1, 5);
  take();
  set("e1", 1, 5, 9);
  const auto changes = take();
  EXPECT_THAT(changes.to_set, ElementsAre(entry(5, 1, 9)));
  EXPECT_THAT(changes.to_remove, ElementsAre(entry(5, 1)));
}

TEST_F(PeerTableTest, AHostsNewVtepMovesAllItsEntries) {
  set("e1", 1, 5);
  set("e2", 1, 6);
  set("e3", 2, 7);
  take();
  HostRecord moved = record(1);
  moved.info.vtep = vtep(77);
  table_.set_host(moved, ++revision_);
  EXPECT_THAT(take().to_set, UnorderedElementsAre(entry(5, 77), entry(6, 77)));
}

TEST_F(PeerTableTest, EndpointsMayComeBeforeTheirHost) {
  set("e1", 9, 5);
  EXPECT_THAT(kernel(), IsEmpty());
  host(9);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 9)));
}

TEST_F(PeerTableTest, ARemovedHostsEndpointsAreVoidAtOnce) {
  set("e1", 1, 5);
  take();
  host(1, 2);
  EXPECT_THAT(kernel(), IsEmpty());
  claim(ip(5), 1, 2);
  table_.set_endpoint(endpoint("e1", 1, {ip(5)}, mac(5), 2), ++revision_);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1)));
}

TEST_F(PeerTableTest, WhatAWatchRepeatsIsIgnored) {
  set("e1", 1, 5);
  const auto old = revision_;
  set("e1", 2, 6);
  take();
  table_.set_endpoint(endpoint("e1", 1, {ip(5)}, mac(5)), old);
  table_.drop_endpoint("net", "e1", old);
  EXPECT_THAT(kernel(), ElementsAre(entry(6, 2)));
}

TEST_F(PeerTableTest, WhatAListLacksGoesAtTheSecondLook) {
  set("e1", 1, 5);
  set("e2", 2, 6);
  take();
  const std::vector<ListedEndpoint> rest{{endpoint("e2", 2, {ip(6)}, mac(6)), revision_}};
  EXPECT_EQ(list(rest, 100), 1U);
  EXPECT_EQ(kernel().size(), 2U);
  EXPECT_EQ(list(rest, 129), 1U) << "29 seconds later";
  EXPECT_EQ(kernel().size(), 2U);
  EXPECT_EQ(list(rest, 130), 0U);
  EXPECT_THAT(kernel(), ElementsAre(entry(6, 2)));
}

TEST_F(PeerTableTest, WhatWasMissingAndIsBackStartsAnew) {
  set("e1", 1, 5);
  const std::vector<ListedEndpoint> all{{endpoint("e1", 1, {ip(5)}, mac(5)), revision_}};
  EXPECT_EQ(list({}, 100), 1U);
  EXPECT_EQ(list(all, 110), 0U);
  EXPECT_EQ(list({}, 140), 1U);
  EXPECT_EQ(list({}, 169), 1U);
  EXPECT_EQ(kernel().size(), 1U);
}

TEST_F(PeerTableTest, WhatIsNewerThanAListIsNotMissing) {
  set("e1", 1, 5);
  EXPECT_EQ(table_.replace("net", {.revision = revision_ - 2}, std::chrono::seconds(100)), 0U);
}

TEST_F(PeerTableTest, AFailedBatchComesAgain) {
  set("e1", 1, 5);
  const auto first = table_.changes(512);
  EXPECT_THAT(first.to_set, ElementsAre(entry(5, 1)));
  EXPECT_EQ(table_.changes(512).to_set, first.to_set);
  EXPECT_EQ(table_.entry_count(), 0U);
}

TEST_F(PeerTableTest, AStoreFromABackupIsBelieved) {
  set("e1", 1, 5);
  take();
  table_.rewind("net");
  const ListedClaim claimed{.first = ip(6), .claim = {"h2", 1, {}}, .revision = 1};
  table_.replace("net", {{{endpoint("e1", 2, {ip(6)}, mac(6)), 1}}, {claimed}, 1},
                 std::chrono::seconds(100));
  EXPECT_THAT(kernel(), ElementsAre(entry(6, 2)));
}

TEST_F(PeerTableTest, ADetachedNetworkLeavesNothingAndTheOthersAlone) {
  table_.attach(network("other"));
  claim(ip(5), 1, 1, "other");
  auto elsewhere = endpoint("x", 1, {ip(5)}, mac(5));
  elsewhere.network_id = "other";
  table_.set_endpoint(elsewhere, ++revision_);
  set("e1", 1, 5);
  set("e2", 1, 6);
  table_.detach("net");
  EXPECT_THAT(table_.entries("net"), IsEmpty());
  HostRecord moved = record(1);
  moved.info.vtep = vtep(77);
  table_.set_host(moved, ++revision_);
  const auto changes = table_.changes(512);
  EXPECT_EQ(changes.network_id, "other");
  EXPECT_THAT(changes.to_set, ElementsAre(entry(5, 77)));
}

// A model that is simple enough to be right: all records, looked through for each address.
class PeerModel : public PeerTableTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  struct Known {
    SharedEndpoint endpoint;
    std::int64_t revision, since;
  };
  bool counts(const SharedEndpoint& e) const {
    const auto owner = owners_.find(e.addresses[0]);
    const auto epoch = epochs_.at(e.host_id);
    return e.host_id != "h0" && e.epoch >= epoch && owner != owners_.end() &&
           owner->second == std::pair(e.host_id, epoch);
  }
  const Known* newest(auto matches) const {
    const Known* best = nullptr;
    for (const auto& [id, known] : records_)
      if (counts(known.endpoint) && matches(known.endpoint) &&
          (best == nullptr || known.revision > best->revision))
        best = &known;
    return best;
  }
  std::string host_of(const MacAddress& of) const {
    const Known* first = nullptr;
    const auto rank = [&](const Known& one) {
      return std::pair(MacAddress::for_ip(one.endpoint.addresses[0]) != of, one.since);
    };
    for (const auto& [id, known] : records_)
      if (counts(known.endpoint) && known.endpoint.mac == of &&
          (first == nullptr || rank(known) < rank(*first)))
        first = &known;
    return first == nullptr ? "" : first->endpoint.host_id;
  }
  std::vector<RemoteEntry> expected() const {
    std::vector<RemoteEntry> entries;
    for (int address = 0; address < 12; ++address) {
      const Known* winner =
          newest([&](const SharedEndpoint& e) { return e.addresses[0] == ip(address); });
      if (winner == nullptr) continue;
      const MacAddress of = winner->endpoint.mac;
      const Known* holder =
          newest([&](const SharedEndpoint& e) { return e.mac == of && e.host_id == host_of(of); });
      if (holder != winner) continue;
      entries.push_back({ip(address), of, vtep(winner->endpoint.host_id[1] - '0')});
    }
    return entries;
  }

  std::map<IpAddress, std::pair<std::string, std::uint64_t>> owners_;
  std::map<std::string, Known> records_;
  std::map<std::string, std::uint64_t> epochs_{
      {"h0", 1}, {"h1", 1}, {"h2", 1}, {"h3", 1}, {"h4", 1}};
};

TEST_P(PeerModel, RandomChangesAgreeWithTheModel) {
  std::mt19937 random(GetParam());
  const auto number = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
  for (int i = 0; i < 1500 && !HasFailure(); ++i) {
    const std::string id = fmt::format("e{}", number(15));
    const int kind = number(99);
    if (number(2) == 0) {
      const int host_number = number(4), address = number(11);
      const auto epoch = epochs_[id_of(host_number)];
      claim(ip(address), host_number, epoch);
      owners_[ip(address)] = {id_of(host_number), epoch};
    }
    if (kind < 60) {
      const int host_number = number(4), address = number(11);
      const auto made =
          endpoint(id, host_number, {ip(address)}, mac(number(3) == 0 ? number(11) : address),
                   epochs_[fmt::format("h{}", host_number)] - (number(9) == 0 ? 1U : 0U));
      table_.set_endpoint(made, ++revision_);
      const auto known = records_.find(id);
      const bool same = known != records_.end() && known->second.endpoint.mac == made.mac &&
                        known->second.endpoint.host_id == made.host_id;
      records_[id] = {made, revision_, same ? known->second.since : revision_};
    } else if (kind < 90) {
      drop(id);
      records_.erase(id);
    } else if (kind < 95) {
      const int host_number = number(4);
      host(host_number, ++epochs_[fmt::format("h{}", host_number)]);
    } else {
      std::vector<ListedEndpoint> all;
      for (const auto& [known_id, known] : records_)
        all.push_back({known.endpoint, known.revision});
      ASSERT_EQ(list(all, i), 0U);
    }
    if (number(4) == 0) {
      ASSERT_EQ(kernel(), expected()) << "after step " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seed, PeerModel, ::testing::Range(1U, 5U),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace fairlead::network::cluster
