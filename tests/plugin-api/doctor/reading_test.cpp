// What the kernel and other programs write is read as it is meant, and what is nonsense is passed over.
#include "plugin-api/doctor/reading.h"

#include <gtest/gtest.h>

namespace fairlead::doctor {
namespace {

using Names = std::set<std::string>;

TEST(DoctorReading, FindsTheInterfacesOfDefaultRoutes) {
  const char* route =
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
      "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
      "eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
      "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n";
  EXPECT_EQ(default_interfaces_v4(route), (Names{"eth0", "wlan0"}));
  EXPECT_EQ(default_interfaces_v4("nonsense"), Names{});
  const std::string zeros(32, '0');
  const std::string v6 = zeros + " 00 " + zeros + " 00 " + std::string(32, 'f') +
                         " 00000400 00000001 00000000 00000003 eth1\n" + zeros + " 00 " + zeros +
                         " 00 " + zeros + " ffffffff 00000001 00000000 00200200 lo\n" + zeros +
                         " 40 " + zeros + " 00 " + zeros + " 00000400 1 0 3 eth2\n";
  EXPECT_EQ(default_interfaces_v6(v6), Names{"eth1"});
}

TEST(DoctorReading, ReadsTheSoftLimit) {
  EXPECT_EQ(open_files_limit("Limit  Soft Limit  Hard Limit  Units\n"
                             "Max processes  10  20  processes\n"
                             "Max open files            1024                 524288  files\n"),
            1024U);
  EXPECT_EQ(open_files_limit("Max open files unlimited unlimited files\n"), std::nullopt);
  EXPECT_EQ(open_files_limit(""), std::nullopt);
}

TEST(DoctorReading, FindsMountsOfVolumesThatNobodyKnows) {
  const std::string known(32, 'a'), gone(32, 'b');
  const auto line = [](const std::string& place) {
    return "36 35 98:0 / " + place + " rw - ext4 /dev/loop0 rw\n";
  };
  const std::string mountinfo = line("/srv/v/vol/" + known + "/fs") +
                                line("/srv/v/vol/" + gone + "/fs") +
                                line("/srv/v/trash/" + gone + ".17/fs") + line("/srv/v/vol/short") +
                                line("/srv/other/vol/" + gone) + line("/srv/v") + "broken\n";
  EXPECT_EQ(
      left_mounts_in(mountinfo, "/srv/v", {known}),
      (std::vector<std::string>{"/srv/v/vol/" + gone + "/fs", "/srv/v/trash/" + gone + ".17/fs"}));
}

TEST(DoctorReading, FindsWhoNamesThePlugin) {
  EXPECT_TRUE(names_plugin("{\"plugins\": [{\"type\" :\n\"fairlead\", \"a\": 1}]}", "type"));
  EXPECT_FALSE(names_plugin("{\"type\": \"bridge\", \"name\": \"fairlead\"}", "type"));
  EXPECT_FALSE(names_plugin("{\"driver\": \"fairlead2\"}", "driver"));
}

TEST(DoctorReading, SaysThatNothingIsAtASocketThatIsNotThere) {
  EXPECT_EQ(ask_socket("/nowhere/x.sock").answers, Answers::kNothing);
  EXPECT_EQ(ask_socket(std::string(200, 'x')).answers, Answers::kNothing);
}

}  // namespace
}  // namespace fairlead::doctor
