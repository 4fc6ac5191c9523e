// When other firewalls are looked at and opened, and what is told of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/network/service/service_world.h"

namespace fairlead::testing {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using OtherFirewallsTest = ServiceWorld;

TEST_F(OtherFirewallsTest, AnAttachLooksOnlyWhereTheirRulesHaveChanged) {
  create("shop", "10.1.0.0/24");
  EXPECT_EQ(foreign_.admitted, 1);
  must(attach_to("shop", "one"));
  EXPECT_EQ(std::pair(foreign_.asked, foreign_.admitted), std::pair(1, 1));
  foreign_.has_changed = true;
  must(attach_to("shop", "two"));
  EXPECT_EQ(foreign_.admitted, 2);
  EXPECT_THAT(foreign_.admitted_bridges, SizeIs(1));
}

TEST_F(OtherFirewallsTest, WhoHearsOfChangesDoesNotAskAtAnAttach) {
  hears_of_firewalls_ = true;
  start_service();
  create("shop", "10.1.0.0/24");
  foreign_.has_changed = true;
  must(attach_to("shop", "one"));
  EXPECT_EQ(std::pair(foreign_.asked, foreign_.admitted), std::pair(0, 1));
  must(core_->mender().look_around());
  EXPECT_EQ(foreign_.admitted, 2);
  foreign_.has_changed = false;
  must(core_->mender().look_around());
  EXPECT_EQ(foreign_.admitted, 2);
}

// Although the host goes on to hold strangers, which is an affair of the own table.
TEST_F(OtherFirewallsTest, WithoutNetworksNothingIsOpened) {
  before_forwarding_ = [this](Family family) { return core_->before_forwarding(family); };
  start_service();
  create("shop", "10.1.0.0/24");
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_EQ(foreign_.withdrawn, 1);
  must(core_->mender().mend({.other_firewalls = true}));
  EXPECT_EQ(foreign_.admitted, 1);
}

// A process may be killed between the two.
TEST_F(OtherFirewallsTest, WhatAKilledRemovalHasLeftIsTakenAwayOnce) {
  for (int i = 0; i < 3; ++i) must(service_->reconcile());
  EXPECT_EQ(foreign_.withdrawn, 1);
  create("shop", "10.1.0.0/24");
  must(service_->remove_network(network::NetworkText{"shop"}));
  for (int i = 0; i < 3; ++i) must(service_->reconcile());
  EXPECT_EQ(foreign_.withdrawn, 3);  // by the removal, and by the first of these
}

TEST_F(OtherFirewallsTest, StatusTellsAlsoInAProcessThatHasDoneNothing) {
  create("shop", "10.1.0.0/24");
  foreign_.report = {.notes = {"opened"}, .problems = {"in the way"}};
  start_service();
  const auto status = must(service_->status());
  EXPECT_THAT(status.notes, Contains("opened"));
  EXPECT_THAT(status.problems, Contains("in the way"));
  EXPECT_EQ(std::pair(foreign_.looked, foreign_.admitted), std::pair(1, 1));
  must(service_->reconcile());
  foreign_.report = {};
  EXPECT_THAT(must(service_->status()).problems, Contains("in the way"));  // as of the reconcile
  EXPECT_EQ(foreign_.looked, 1);
  must(service_->reconcile());
  EXPECT_THAT(must(service_->status()).problems, Not(Contains("in the way")));
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_THAT(must(service_->status()).problems, IsEmpty());
}

}  // namespace
}  // namespace fairlead::testing
