#include "base/ip_port.h"

#include <gtest/gtest.h>

namespace fairlead {
namespace {

std::string again(std::string_view text) {
  const auto place = IpPort::parse(text);
  return place ? place->to_string() : "refused: " + place.error().text;
}

TEST(IpPortTest, IsReadAsItIsWritten) {
  for (const char* text : {"127.0.0.1:7780", "[::1]:1", "0.0.0.0:65535", "[fd00::7]:80"})
    EXPECT_EQ(again(text), text);
}

TEST(IpPortTest, RefusesWhatIsNotAnAddressAndAPort) {
  for (const char* text : {"",
                           "7780",
                           ":7780",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:0",
                           "127.0.0.1:65536",
                           "127.0.0.1:7780x",
                           "127.0.0.1:-1",
                           "127.0.0.1:+1",
                           "127.0.0.1: 1",
                           "localhost:7780",
                           "::1:7780",
                           "[::1]",
                           "[::1]7780",
                           "[127.0.0.1]:7780",
                           "[]:1",
                           "[:1",
                           "]:1",
                           "127.0.0.1:7780:7780"})
    EXPECT_TRUE(again(text).starts_with("refused: ")) << text << " is " << again(text);
}

TEST(IpPortTest, TheRefusalShowsHowItIsWritten) {
  EXPECT_EQ(again("7780"),
            "refused: 7780 is not an address and a port, as 127.0.0.1:7780 or [::1]:7780");
  EXPECT_EQ(again("[127.0.0.1]:7780"),
            "refused: [127.0.0.1]:7780: brackets are around IPv6 addresses, as in [::1]:7780");
}

}  // namespace
}  // namespace fairlead
