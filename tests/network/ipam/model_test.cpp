// Random operations against a model that is simple enough to be right: a map from address to owner.
#include <map>
#include <random>

#include "tests/network/ipam/ipam_fixture.h"

namespace fairlead::network {
namespace {

struct Holder {
  std::string owner, boot;  // an empty boot survives reboots
};

class ModelTest : public IpamTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  void SetUp() override {
    make_pool(kPool, kRange, kGateway);
    random_.seed(GetParam());
  }

  int number(int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random_);
  }
  IpAddress any_address() {
    return *subnet(kPool).first().plus(static_cast<std::uint64_t>(number(0, 63)));
  }
  std::string any_owner() { return "owner-" + std::to_string(number(1, 4)); }
  bool taken(const IpAddress& address) const {
    const auto found = model_.find(address);
    return found != model_.end() && (found->second.boot.empty() || found->second.boot == boot_);
  }
  bool may_be_given(const IpAddress& address) const {
    return subnet(kRange).contains(address) && address != subnet(kPool).last() &&
           address != ip(kGateway) && !taken(address);
  }
  bool any_left() const {
    for (std::uint64_t i = 0; i < 64; ++i)
      if (may_be_given(*subnet(kPool).first().plus(i))) return true;
    return false;
  }

  void step_give() {
    const std::string owner = any_owner();
    const auto given = ipam(boot_).allocate(subnet(kPool), {.owner = owner});
    ASSERT_EQ(given.has_value(), any_left());
    if (!given) {
      EXPECT_EQ(given.error().code, Code::kExhausted);
      return;
    }
    EXPECT_TRUE(may_be_given(given->address())) << given->to_string();
    model_[given->address()] = {owner, boot_};
  }

  void step_want() {
    const std::string owner = any_owner();
    const IpAddress wanted = any_address();
    const bool reserve = number(0, 4) == 0;
    const AddressUse use = reserve ? AddressUse::kReserved : AddressUse::kEndpoint;
    const auto given =
        ipam(boot_).allocate(subnet(kPool), {.owner = owner, .use = use, .wanted = wanted});
    const bool legal = wanted != subnet(kPool).first() && wanted != subnet(kPool).last() &&
                       (reserve || wanted != ip(kGateway));
    ASSERT_EQ(given.has_value(), legal && (!taken(wanted) || model_[wanted].owner == owner))
        << wanted.to_string();
    if (given) model_[wanted] = {owner, reserve ? "" : boot_};
  }

  void step_take_back() {
    const std::string owner = number(0, 1) == 0 ? any_owner() : "";
    const IpAddress address = any_address();
    ASSERT_TRUE(ipam(boot_).release(subnet(kPool), address, owner));
    const auto found = model_.find(address);
    if (found != model_.end() && (owner.empty() || found->second.owner == owner))
      model_.erase(found);
  }

  void step_reboot() { boot_ = "boot-" + std::to_string(++boots_); }

  void compare() {
    std::map<IpAddress, std::string> expected, found;
    for (const auto& [address, holder] : model_)
      if (taken(address)) expected[address] = holder.owner;
    const auto listed = ipam(boot_).list_leases(subnet(kPool));
    ASSERT_TRUE(listed);
    for (const LeaseRecord& lease : *listed) found[lease.address] = lease.owner;
    ASSERT_EQ(found, expected);
  }

  static constexpr const char* kPool = "10.1.0.0/26";
  static constexpr const char* kRange = "10.1.0.32/27";
  static constexpr const char* kGateway = "10.1.0.40";
  std::map<IpAddress, Holder> model_;
  std::mt19937 random_;
  std::string boot_ = "boot-1";
  int boots_ = 1;
};

TEST_P(ModelTest, RandomOperationsAgreeWithTheModel) {
  SCOPED_TRACE(fmt::format("seed {}", GetParam()));
  for (int i = 0; i < 400 && !HasFatalFailure(); ++i) {
    const int kind = number(0, 99);
    if (kind < 45)
      step_give();
    else if (kind < 65)
      step_want();
    else if (kind < 99)
      step_take_back();
    else
      step_reboot();
    if (i % 10 == 0) compare();
  }
  compare();
}

// The name of a failing test says its seed.
INSTANTIATE_TEST_SUITE_P(Seed, ModelTest, ::testing::Range(1U, 7U),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace fairlead::network
