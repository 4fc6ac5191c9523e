// The whole service on a disk whose power is cut at random moments under its verbs: the store, the
// volumes of dir and image, and a folder of backups. What was acknowledged before the cut is there
// afterwards; what was not is done or not done, and nothing between. xfs and ext4 share the cuts:
// tests/support/power_cut.h says how, and how to make more of them.
#include <gtest/gtest.h>

#include "tests/volume/service/power_cut_machine.h"

namespace fairlead::volume {
namespace {

using fairlead::testing::PowerCutDisk;
using testing::Machine;

constexpr unsigned kMostDisks = 3;

void cut_again_and_again(const std::string& type, unsigned all) {
  const unsigned wanted = fairlead::testing::power_cuts(all);
  unsigned seed = fairlead::testing::power_cut_seed(type);
  unsigned cuts = 0;
  std::map<std::string, unsigned> of_verbs;
  for (unsigned disks = 0; cuts < wanted && !::testing::Test::HasFailure(); ++disks, ++seed) {
    ASSERT_LT(disks, kMostDisks) << "each of them broke";
    PowerCutDisk disk(type, 1ULL << 30);
    if (!disk.ok()) GTEST_SKIP() << disk.why();
    Machine machine(disk, seed);
    for (unsigned round = 0; cuts + machine.cuts() < wanted && !disk.is_broken(); ++round) {
      SCOPED_TRACE(fmt::format("seed {}, round {}", seed, round));
      machine.round();
      if (::testing::Test::HasFailure()) break;
    }
    cuts += machine.cuts();
    for (const auto& [verb, count] : machine.cuts_of_verbs()) of_verbs[verb] += count;
  }
  for (const auto& [verb, count] : of_verbs)
    ::testing::Test::RecordProperty("cuts_under_" + verb, static_cast<int>(count));
}

TEST(ServicePowerCut, StoreAndDiskAgreeOverXfs) { cut_again_and_again("xfs", 120); }
TEST(ServicePowerCut, StoreAndDiskAgreeOverExt4) { cut_again_and_again("ext4", 120); }

}  // namespace
}  // namespace fairlead::volume
