#include "plugin-api/docker/codec_ipam.h"

#include <gtest/gtest.h>

#include "tests/plugin-api/docker/values.h"

namespace fairlead::docker::testing {
namespace {

using network::AddressUse;

TEST(RequestPoolCodec, LeavesTheChoiceToFairlead) {
  const auto request = decode_request_pool(
      R"({"AddressSpace":"fairlead-local","Pool":"","SubPool":"","Options":null,"V6":true})");
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(*request,
            (RequestPoolRequest{.address_space = "fairlead-local", .family = Family::kV6}));
}

TEST(RequestPoolCodec, ReadsPoolRangeAndOptions) {
  const auto request = decode_request_pool(
      R"({"AddressSpace":"fairlead-local","Pool":"10.1.0.0/24","SubPool":"10.1.0.128/25","Options":{"network":"shop"},"V6":false})");
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(request->subnet, cidr("10.1.0.0/24"));
  EXPECT_EQ(request->range, cidr("10.1.0.128/25"));
  EXPECT_EQ(request->options.at("network"), "shop");
}

TEST(RequestPoolCodec, ReadsARequestForASize) {
  EXPECT_EQ(decode_request_pool(R"({"Pool":"0.0.0.0/26"})").value().prefix_length, 26U);
  EXPECT_EQ(decode_request_pool(R"({"Pool":"::/64","V6":true})").value().prefix_length, 64U);
  EXPECT_FALSE(decode_request_pool(R"({"Pool":"0.0.0.0/26"})").value().subnet);
}

TEST(RequestPoolCodec, RefusesPoolsThatAreWrong) {
  for (const char* body :
       {R"({"Pool":"10.1.0.0"})", R"({"Pool":"10.1.0.5/24"})", R"({"Pool":"0.0.0.0/0"})",
        R"({"Pool":"fd00::/64"})", R"({"Pool":"10.1.0.0/24","V6":true})",
        R"({"SubPool":"10.1.0.0/25"})", R"({"Pool":"0.0.0.0/24","SubPool":"10.1.0.0/25"})",
        R"({"Pool":"10.1.0.0/24","SubPool":"10.2.0.0/25"})",
        R"({"Pool":"10.1.0.0/24","SubPool":"10.0.0.0/8"})", R"({"Pool":5})", R"({"Options":[]})",
        R"({"V6":"x"})"})
    EXPECT_FALSE(decode_request_pool(body)) << body;
}

TEST(AddressCodec, TellsTheGatewayFromOthers) {
  EXPECT_EQ(
      decode_request_address(
          R"({"PoolID":"p","Address":"","Options":{"RequestAddressType":"com.docker.network.gateway"}})")
          .value(),
      (RequestAddressRequest{.pool_id = "p", .address = {}, .use = AddressUse::kGateway}));
  EXPECT_EQ(
      decode_request_address(
          R"({"PoolID":"p","Address":"10.1.0.7","Options":{"com.docker.network.endpoint.name":"web"}})")
          .value(),
      (RequestAddressRequest{
          .pool_id = "p", .address = ip("10.1.0.7"), .use = AddressUse::kEndpoint}));
  EXPECT_EQ(decode_request_address(R"({"PoolID":"p","Options":null})").value(),
            (RequestAddressRequest{.pool_id = "p"}));
}

TEST(AddressCodec, RefusesAddressesThatAreWrong) {
  for (const char* body :
       {R"({"PoolID":"","Address":""})", R"({"Address":"10.1.0.7"})",
        R"({"PoolID":"p","Address":"10.1.0.7/24"})", R"({"PoolID":"p","Address":"x"})"})
    EXPECT_FALSE(decode_request_address(body)) << body;
  EXPECT_FALSE(decode_release_address(R"({"PoolID":"p","Address":""})"));
  EXPECT_FALSE(decode_release_address(R"({"PoolID":"p"})"));
  EXPECT_FALSE(decode_pool(fmt::format(R"({{"PoolID":"{}"}})", std::string(257, 'p'))));
}

TEST(IpamCodec, WrongFieldsAreRefusedByTheirNames) {
  const auto message = [](const auto& request) { return request ? "" : request.error().text; };
  for (const auto& [body, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"AddressSpace":7})", "AddressSpace must be "},
           {R"({"Pool":7})", "Pool must be "},
           {R"({"Pool":"10.1.0.5/24"})", "Pool: "},
           {R"({"Pool":"fd00::/64"})", "Pool must be an IPv4 subnet"},
           {R"({"Pool":"10.1.0.0/24","SubPool":[]})", "SubPool must be "},
           {R"({"Options":7})", "Options must be "},
           {R"({"V6":7})", "V6 must be true or false"}})
    EXPECT_TRUE(message(decode_request_pool(body)).starts_with(std::string("field ") + field))
        << body;
  EXPECT_TRUE(message(decode_pool(R"({"PoolID":"a b"})")).starts_with("field PoolID: "));
  EXPECT_EQ(message(decode_pool(R"({"PoolID":""})")), "field PoolID is missing");
  EXPECT_TRUE(message(decode_request_address(R"({"PoolID":"p","Address":7})"))
                  .starts_with("field Address must be "));
  EXPECT_TRUE(message(decode_request_address(R"({"PoolID":"p","Options":7})"))
                  .starts_with("field Options must be "));
  EXPECT_TRUE(message(decode_release_address(R"({"PoolID":"p","Address":"x"})"))
                  .starts_with("field Address: "));
}

TEST(IpamAnswers, GiveTheGatewayOfAJoinedNetwork) {
  EXPECT_EQ(
      encode(network::Pool{.id = "10.1.0.0/24",
                           .subnet = cidr("10.1.0.0/24"),
                           .range = {},
                           .gateway = ip("10.1.0.1")}),
      R"({"Data":{"com.docker.network.gateway":"10.1.0.1/24"},"Pool":"10.1.0.0/24","PoolID":"10.1.0.0/24"})");
  EXPECT_EQ(encode(network::Pool{
                .id = "10.1.0.0/24", .subnet = cidr("10.1.0.0/24"), .range = {}, .gateway = {}}),
            R"({"Data":{},"Pool":"10.1.0.0/24","PoolID":"10.1.0.0/24"})");
  EXPECT_EQ(encode(cidr("10.1.0.7/24")), R"({"Address":"10.1.0.7/24","Data":{}})");
}

}  // namespace
}  // namespace fairlead::docker::testing
