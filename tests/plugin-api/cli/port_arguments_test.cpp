#include "plugin-api/cli/port_arguments.h"

#include <gtest/gtest.h>

namespace fairlead::cli {
namespace {

using network::PortSpec;
using network::Proto;

std::string text_of(const PortSpec& spec) {
  std::string text = fmt::format("{} {}:{}-{}:{}", to_string(spec.proto),
                                 spec.host_ip ? spec.host_ip->to_string() : "*", spec.host_port,
                                 spec.host_port_end, spec.container_port);
  if (spec.container_port_end != 0) text += fmt::format("-{}", spec.container_port_end);
  return text;
}

std::string read(std::string_view text) {
  const auto specs = parse_mapping(text);
  if (!specs) return specs.error().text;
  std::string all;
  for (const PortSpec& spec : *specs) all += (all.empty() ? "" : ", ") + text_of(spec);
  return all;
}

TEST(PortArguments, AreThoseOfDockerRun) {
  EXPECT_EQ(read("8080:80"), "tcp *:8080-0:80");
  EXPECT_EQ(read("8080:80/udp"), "udp *:8080-0:80");
  EXPECT_EQ(read("127.0.0.1:8080:80/SCTP"), "sctp 127.0.0.1:8080-0:80");
  EXPECT_EQ(read("[::1]:8080:80"), "tcp ::1:8080-0:80");
  EXPECT_EQ(read("80"), "tcp *:0-0:80");
  EXPECT_EQ(read("127.0.0.1::80"), "tcp 127.0.0.1:0-0:80");
  EXPECT_EQ(read("7000-7002:70"), "tcp *:7000-7002:70") << "one of them is chosen";
  EXPECT_EQ(read("7000-7001:70-71"), "tcp *:7000-7001:70-71");
  EXPECT_EQ(read("70-71/udp"), "udp *:0-0:70, udp *:0-0:71");
}

TEST(PortArguments, WhatIsWrongIsNamed) {
  EXPECT_EQ(read("8080:99999"), "port \"8080:99999\": \"99999\" is no port: 1 to 65535");
  EXPECT_EQ(read("0:80"), "port \"0:80\": \"0\" is no port: 1 to 65535");
  EXPECT_EQ(read("7000-7002:70-71"),
            "port \"7000-7002:70-71\": 3 ports of the host do not fit 2 of the container");
  EXPECT_EQ(read("7002-7000:70"), "port \"7002-7000:70\": range 7002-7000 ends before it begins");
  EXPECT_EQ(read("::1:8080:80"),
            "port \"::1:8080:80\": it has too many parts; an IPv6 address stands in brackets");
  for (const char* wrong : {"", ":", "/tcp", "8080:", "80/quic", "[::1]80", "[::1]:", "a.b:80:80",
                            "80:80:80", "-1:80", "80-:80", " 80", "80:80/", "999.1.1.1:80:80"})
    EXPECT_FALSE(parse_mapping(wrong)) << wrong;
}

TEST(PortArguments, AChoiceIsAPortOrAMapping) {
  const auto choice = [](std::string_view text) {
    const auto chosen = parse_choice(text);
    if (!chosen) return chosen.error().text;
    return fmt::format("{} {}:{}-{}", to_string(chosen->proto),
                       chosen->host_ip ? chosen->host_ip->to_string() : "*", chosen->host_port,
                       chosen->host_port_end);
  };
  EXPECT_EQ(choice("8080"), "tcp *:8080-0");
  EXPECT_EQ(choice("8080/udp"), "udp *:8080-0");
  EXPECT_EQ(choice("8080:80/udp"), "udp *:8080-0");
  EXPECT_EQ(choice("127.0.0.1:8080"), "tcp 127.0.0.1:8080-0");
  EXPECT_EQ(choice("[::1]:8080/tcp"), "tcp ::1:8080-0");
  EXPECT_EQ(choice("127.0.0.1:8080:80"), "tcp 127.0.0.1:8080-0");
  EXPECT_EQ(choice("7000-7009"), "tcp *:7000-7009");
  for (const char* wrong : {"", "127.0.0.1:", "127.0.0.1::80", "x", "0"})
    EXPECT_FALSE(parse_choice(wrong)) << wrong;
}

}  // namespace
}  // namespace fairlead::cli
