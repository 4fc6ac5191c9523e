// Every golden ruleset is one that the kernel takes, over an older table too, and can be taken away
// again.
#include <gtest/gtest.h>

#include "network/kernel/firewall.h"
#include "network/kernel/netns.h"
#include "tests/network/nat/golden_cases.h"

namespace fairlead::nat {
namespace {

class GoldenInKernel : public ::testing::TestWithParam<GoldenCase> {
 protected:
  void SetUp() override {
    auto netns = kernel::new_netns();
    if (!netns) GTEST_SKIP() << netns.error().text;
    const Status opened = kernel::in_netns(netns->get(), [&]() -> Status {
      TRY(firewall_, kernel::open_nft_firewall(std::string(kTable), false));
      return {};
    });
    ASSERT_TRUE(opened) << opened.error().text;
  }
  std::unique_ptr<kernel::Firewall> firewall_;
};

TEST_P(GoldenInKernel, IsTakenReplacedAndRemoved) {
  for (int i = 0; i < 2; ++i) {
    const Status rendered =
        firewall_->run(render(GetParam().networks, GetParam().ports, GetParam().underlay));
    ASSERT_TRUE(rendered) << rendered.error().text;
    EXPECT_TRUE(*firewall_->present(version()));
  }
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(firewall_->run(render_nothing()));
    EXPECT_EQ(*firewall_->list_text(), "");
  }
}

TEST_P(GoldenInKernel, DismissingEverythingLeavesEmptySets) {
  ASSERT_TRUE(firewall_->run(render(GetParam().networks, GetParam().ports, GetParam().underlay)));
  std::vector<kernel::ElementChange> changes;
  for (const NatPort& port : GetParam().ports)
    for (auto& change : unpublish(port)) changes.push_back(std::move(change));
  for (const NatNetwork& network : GetParam().networks)
    for (auto& change : dismiss_network(network)) changes.push_back(std::move(change));
  for (auto& change : dismiss_underlay(GetParam().underlay)) changes.push_back(std::move(change));
  const Status dismissed = firewall_->apply(changes);
  ASSERT_TRUE(dismissed) << dismissed.error().text;
  EXPECT_EQ(firewall_->list_text()->find("elements"), std::string::npos);
}

std::string test_name(const ::testing::TestParamInfo<GoldenCase>& golden) {
  std::string name = golden.param.name;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenInKernel, ::testing::ValuesIn(golden_cases()), test_name);

}  // namespace
}  // namespace fairlead::nat
