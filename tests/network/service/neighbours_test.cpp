// When the kernel's tables of neighbours are said to be too small.
#include "network/service/neighbours.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_links.h"

namespace fairlead::network {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<Endpoint> endpoints(std::size_t count, const char* address) {
  return std::vector<Endpoint>(count, Endpoint{.addresses = {*Cidr::parse(address)}});
}

TEST(Neighbours, AreTwoForEachContainerOfTheFamily) {
  testing::FakeLinks links;
  links.neighbour_limits = {{Family::kV4, 1024}, {Family::kV6, 4096}};
  EXPECT_THAT(neighbour_problems(links, endpoints(512, "10.1.0.2/16")), IsEmpty());
  EXPECT_THAT(neighbour_problems(links, endpoints(513, "10.1.0.2/16")),
              ElementsAre(AllOf(HasSubstr("1024 neighbours of IPv4"), HasSubstr("513 containers"),
                                HasSubstr("net.ipv4.neigh.default.gc_thresh3=8192"))));
  EXPECT_THAT(neighbour_problems(links, endpoints(2048, "fd00::2/64")), IsEmpty());
  EXPECT_THAT(neighbour_problems(links, endpoints(2049, "fd00::2/64")),
              ElementsAre(AllOf(HasSubstr("4096 neighbours of IPv6"), HasSubstr("2049 containers"),
                                HasSubstr("net.ipv6.neigh.default.gc_thresh3=8196"))));
}

TEST(Neighbours, GetRoomForWhatIsThere) {
  testing::FakeLinks links;
  links.neighbour_limits = {{Family::kV4, 1024}};
  EXPECT_THAT(neighbour_problems(links, endpoints(9000, "10.1.0.2/16")),
              ElementsAre(HasSubstr("gc_thresh3=36000")));
}

TEST(Neighbours, AreNoProblemWhereTheKernelDoesNotSay) {
  testing::FakeLinks links;
  EXPECT_THAT(neighbour_problems(links, endpoints(9000, "10.1.0.2/16")), IsEmpty());
}

}  // namespace
}  // namespace fairlead::network
