// The tree of a JSON value and its text: what nlohmann_json does is what is expected here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/json/json.h"

namespace fairlead::json {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.members()) keys.push_back(key);
  return keys;
}

TEST(JsonValue, OfAListOfPairsIsAnObjectAndOfAnyOtherAnArray) {
  EXPECT_EQ((Json{{"b", 1}, {"a", "x"}}).dump(), R"({"b":1,"a":"x"})");
  EXPECT_EQ((Json{"b", 1, nullptr, true}).dump(), R"(["b",1,null,true])");
  EXPECT_EQ((Json{{1, 2}, {3, 4}}).dump(), "[[1,2],[3,4]]");
  EXPECT_EQ(Json::array({{"a", 1}}).dump(), R"([["a",1]])");
  EXPECT_EQ(Json::object().dump(), "{}");
  EXPECT_EQ(Json::array().dump(), "[]");
  EXPECT_EQ(Json().dump(), "null");
}

TEST(JsonValue, KeepsTheOrderInWhichMembersCame) {
  Json object;
  object["z"] = 1;
  object["a"]["inner"] = "x";
  object["z"] = 2;
  EXPECT_EQ(object.dump(), R"({"z":2,"a":{"inner":"x"}})");
  EXPECT_EQ(object.sorted_dump(), R"({"a":{"inner":"x"},"z":2})");
  object.erase("z");
  EXPECT_THAT(keys_of(object), ElementsAre("a"));
}

TEST(JsonValue, IsIndentedForPeople) {
  const Json value{{"b", Json::array({1, 2})}, {"a", Json::object()}};
  EXPECT_EQ(value.dump(2), "{\n  \"b\": [\n    1,\n    2\n  ],\n  \"a\": {}\n}");
  EXPECT_EQ(value.sorted_dump(2), nlohmann::json::parse(value.dump()).dump(2));
}

TEST(JsonValue, SaysNumbersAsNlohmannDoes) {
  for (const char* text :
       {"0", "-1", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
        "18446744073709551616", "0.5", "1.0", "1e300", "-0.0", "1.7976931348623157e308", "5e-324"})
    EXPECT_EQ(Json::parse(text).dump(), nlohmann::json::parse(text).dump()) << text;
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).dump(), "null");
  EXPECT_TRUE(Json(5).is_number_unsigned()) << "as when it is parsed";
  EXPECT_FALSE(Json(-5).is_number_unsigned());
  EXPECT_NE(Json(-1), Json(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_EQ(Json(1), Json(1.0));
}

TEST(JsonValue, EscapesAsNlohmannDoes) {
  std::string every;
  for (int c = 0; c < 0x80; ++c) every += static_cast<char>(c);
  for (const std::string& text : {every, std::string("caf\xc3\xa9 \xf0\x9f\x90\xb3"),
                                  std::string("a\xff\xc3"), std::string("\"\\/"), std::string()})
    EXPECT_EQ(Json(text).dump(),
              nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  EXPECT_EQ((Json{{"k\n", 1}}).dump(), R"({"k\n":1})");
}

TEST(JsonValue, OfMembersWithTheSameKeyTheLastCounts) {
  const Json value = Json::parse(R"({"b":1,"a":1,"b":{"x":1,"x":2},"a":3})");
  EXPECT_EQ(value.dump(), R"({"a":3,"b":{"x":2}})");
}

TEST(JsonValue, ManyMembersAreParsedInTimeThatGrowsWithTheText) {
  const auto time_of = [](int members) {
    std::string text = "{";
    for (int i = 0; i < members; ++i)
      text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(parse(text + "}").value().size(), static_cast<std::size_t>(members));
    return std::chrono::steady_clock::now() - begun;
  };
  // Ten times as many take ten times as long, not a hundred times. The best of several: a busy machine
  // slows single ones down.
  const auto best_of = [&](int members) {
    return std::min({time_of(members), time_of(members), time_of(members)});
  };
  EXPECT_LT(best_of(20'000), 50 * best_of(2'000));
}

TEST(JsonValue, WrongUseIsAnError) {
  const Json number = 1, object{{"a", 1}};
  EXPECT_THROW((void)number.string(), std::logic_error);
  EXPECT_THROW((void)object.integer(), std::logic_error);
  EXPECT_THROW((void)object.begin(), std::logic_error);
  EXPECT_THROW((void)object.at("b"), std::out_of_range);
  EXPECT_THROW((void)Json::array().front(), std::out_of_range);
  EXPECT_THROW((void)Json::array().back(), std::out_of_range);
  EXPECT_THROW(Json(number).push_back(1), std::logic_error);
  Json changed = number;
  EXPECT_THROW(changed["a"] = 1, std::logic_error);
  EXPECT_THROW((void)Json::parse("{"), std::logic_error);
  EXPECT_TRUE(object["b"].is_null());
  EXPECT_EQ(object.value("b", 7), 7);
}

TEST(JsonValue, ComparesMembersInAnyOrder) {
  EXPECT_EQ((Json{{"a", 1}, {"b", {1, 2}}}), (Json{{"b", {1, 2}}, {"a", 1}}));
  EXPECT_NE((Json{{"a", 1}}), (Json{{"a", 2}}));
  EXPECT_NE((Json{{"a", 1}}), (Json{{"b", 1}}));
  EXPECT_NE((Json{1, 2}), (Json{2, 1}));
  EXPECT_NE(Json(), Json(false));
}

}  // namespace
}  // namespace fairlead::json
