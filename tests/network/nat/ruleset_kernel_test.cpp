// Every golden ruleset is one that the kernel takes, over an older table too, and can be taken away
// again.
#include <gtest/gtest.h>

#include <sstream>

#include "network/kernel/firewall/firewall.h"
#include "network/kernel/host/netns.h"
#include "tests/network/nat/golden_cases.h"

namespace fairlead::nat {
namespace {

class RulesetInKernel : public ::testing::Test {
 protected:
  explicit RulesetInKernel(TableFamily family) : family_(family) {}
  void SetUp() override {
    auto netns = kernel::new_netns();
    if (!netns) GTEST_SKIP() << netns.error().text;
    const Status opened = kernel::in_netns(netns->get(), [&]() -> Status {
      TRY(firewall_, kernel::open_nft_firewall({std::string(kTable), family_}, false));
      return {};
    });
    ASSERT_TRUE(opened) << opened.error().text;
  }
  std::string chains() const { return render_chains({}, family_); }

  const TableFamily family_;
  std::unique_ptr<kernel::Firewall> firewall_;
};

class GoldenInKernel : public RulesetInKernel, public ::testing::WithParamInterface<GoldenCase> {
 protected:
  GoldenInKernel()
      : RulesetInKernel(GetParam().state.senders.empty() ? TableFamily::kInet
                                                         : TableFamily::kBridge) {}
  std::string rendered() const { return render(GetParam().state, {}, family_); }
};

class TableInKernel : public RulesetInKernel, public ::testing::WithParamInterface<TableFamily> {
 protected:
  TableInKernel() : RulesetInKernel(GetParam()) {}
};

TEST_P(GoldenInKernel, IsTakenReplacedAndRemoved) {
  for (int i = 0; i < 2; ++i) {
    const Status written = firewall_->run(rendered());
    ASSERT_TRUE(written) << written.error().text;
    EXPECT_TRUE(*firewall_->present(version(family_)));
  }
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(firewall_->run(render_nothing(family_)));
    EXPECT_EQ(*firewall_->list_text(), "");
  }
}

TEST_P(GoldenInKernel, DismissingEverythingLeavesEmptySets) {
  ASSERT_TRUE(firewall_->run(rendered()));
  const Status dismissed = firewall_->apply(difference(GetParam().state, {}, family_));
  ASSERT_TRUE(dismissed) << dismissed.error().text;
  EXPECT_EQ(firewall_->list_text()->find("elements"), std::string::npos);
}

// Firewall::differences() looks at what a rule says, not into a set without a name that it uses. (What
// a rule adds to a set is in braces, too.)
TEST_P(TableInKernel, HasNoAnonymousSets) {
  ASSERT_TRUE(firewall_->run(chains()));
  const std::string text = *firewall_->list_text();
  std::istringstream rules(text.substr(text.find("\tchain ")));
  for (std::string line; std::getline(rules, line);)
    if (line.find('{') != std::string::npos && !line.starts_with("\t\tupdate @"))
      EXPECT_TRUE(line.starts_with("\tchain ")) << line;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Rules, hooks, policies, flags and types of sets: a table without one of them, or with another, is
// not the table. What nft adds by itself, to sets that rules update, makes no difference.
TEST_P(TableInKernel, EveryLineCounts) {
  const std::vector<std::string> lines = lines_of(chains());
  std::size_t changed = 0;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    std::string other = lines[at];
    if (!other.starts_with("\t\t") || other.find('#') != std::string::npos) continue;
    if (const auto policy = other.find("policy accept"); policy != std::string::npos)
      other.replace(policy, 13, "policy drop");
    else if (other.starts_with("\t\ttype ifname") || other.starts_with("\t\ttype nf_proto"))
      other += "; timeout 1h";
    else if (other.starts_with("\t\ttype"))
      continue;  // each pair is for a rule of its own
    else if (other == "\t\tsize 65535" || other == "\t\tflags dynamic,timeout")
      continue;  // nft's own for such a set
    else
      other.clear();
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) text += (i == at ? other : lines[i]) + "\n";
    const Status written = firewall_->run(text);
    ASSERT_TRUE(written) << lines[at] << ": " << written.error().text;
    EXPECT_FALSE(firewall_->differences(chains())->empty()) << lines[at];
    ++changed;
  }
  EXPECT_GT(changed, 20U);
  ASSERT_TRUE(firewall_->run(chains()));
  EXPECT_TRUE(firewall_->differences(chains())->empty());
}

std::string test_name(const ::testing::TestParamInfo<GoldenCase>& golden) {
  std::string name = golden.param.name;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, TableInKernel,
                         ::testing::Values(TableFamily::kInet, TableFamily::kBridge),
                         [](const auto& family) {
                           return family.param == TableFamily::kInet ? "inet" : "bridge";
                         });
INSTANTIATE_TEST_SUITE_P(All, GoldenInKernel, ::testing::ValuesIn(golden_cases()), test_name);

}  // namespace
}  // namespace fairlead::nat
