// The table alone, then against a model.
#include "network/cluster/peer_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace fairlead::network::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
IpAddress ip(int number) { return *ip("10.9.0.0").plus(static_cast<std::uint64_t>(number)); }
IpAddress vtep(int number) { return *ip("192.0.2.0").plus(static_cast<std::uint64_t>(number)); }
MacAddress mac(int number) { return MacAddress::for_ip(ip(number)); }

class PeerTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    table_.attach("net");
    for (int i = 0; i <= 4; ++i) host(i);
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
  void set(const std::string& id, int host, int address, std::optional<int> mac_of = {}) {
    table_.set_endpoint(endpoint(id, host, {ip(address)}, mac(mac_of.value_or(address))),
                        ++revision_);
  }
  void drop(const std::string& id) { table_.drop_endpoint("net", id, ++revision_); }
  std::size_t list(const std::vector<ListedEndpoint>& listed, int seconds) {
    return table_.replace("net", listed, revision_, std::chrono::seconds(seconds));
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

  PeerTable table_{"h0"};
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

TEST_F(PeerTableTest, OfTwoWithOneAddressTheLastWrittenCountsAndTheOtherIsBackAfter) {
  set("e1", 1, 5);
  set("e2", 2, 5);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 2)));
  drop("e2");
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1)));
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

TEST_F(PeerTableTest, OfTwoWithOneMacTheLastWrittenCounts) {
  set("e1", 1, 5, 9);
  set("e2", 2, 6, 9);
  EXPECT_THAT(kernel(), ElementsAre(entry(6, 2, 9)));
  drop("e2");
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1, 9)));
}

TEST_F(PeerTableTest, OnesOwnLaterEndpointBeatsARemoteOne) {
  set("e1", 1, 5);
  take();
  set("own", 0, 5);
  EXPECT_THAT(kernel(), IsEmpty());
  drop("own");
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 1)));
}

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
  table_.set_endpoint(endpoint("e1", 9, {ip(5)}, mac(5)), ++revision_);
  EXPECT_THAT(kernel(), IsEmpty());
  host(9);
  EXPECT_THAT(kernel(), ElementsAre(entry(5, 9)));
}

TEST_F(PeerTableTest, ARemovedHostsEndpointsAreVoidAtOnce) {
  set("e1", 1, 5);
  take();
  host(1, 2);
  EXPECT_THAT(kernel(), IsEmpty());
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
  EXPECT_EQ(table_.replace("net", {}, revision_ - 1, std::chrono::seconds(100)), 0U);
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
  table_.replace("net", {{endpoint("e1", 2, {ip(6)}, mac(6)), 1}}, 1, std::chrono::seconds(100));
  EXPECT_THAT(kernel(), ElementsAre(entry(6, 2)));
}

TEST_F(PeerTableTest, ADetachedNetworkLeavesNothingAndTheOthersAlone) {
  table_.attach("other");
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
    std::int64_t revision;
  };
  std::vector<RemoteEntry> expected() const {
    std::vector<RemoteEntry> entries;
    const auto newest = [&](auto matches) {
      const Known* best = nullptr;
      for (const auto& [id, known] : records_) {
        const auto epoch = epochs_.at(known.endpoint.host_id);
        if (known.endpoint.epoch >= epoch && matches(known.endpoint) &&
            (best == nullptr || known.revision > best->revision))
          best = &known;
      }
      return best;
    };
    for (int address = 0; address < 12; ++address) {
      const Known* winner =
          newest([&](const SharedEndpoint& e) { return e.addresses[0] == ip(address); });
      if (winner == nullptr || winner->endpoint.host_id == "h0") continue;
      if (newest([&](const SharedEndpoint& e) { return e.mac == winner->endpoint.mac; }) != winner)
        continue;
      entries.push_back(
          {ip(address), winner->endpoint.mac, vtep(winner->endpoint.host_id[1] - '0')});
    }
    return entries;
  }

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
    if (kind < 60) {
      const int host_number = number(4), address = number(11);
      const auto made =
          endpoint(id, host_number, {ip(address)}, mac(number(3) == 0 ? number(11) : address),
                   epochs_[fmt::format("h{}", host_number)] - (number(9) == 0 ? 1U : 0U));
      table_.set_endpoint(made, ++revision_);
      records_[id] = {made, revision_};
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
