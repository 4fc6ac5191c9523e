// Tables of fields: each form and presence, written and read, and what is said of a wrong field.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ip.h"
#include "base/json/fields.h"
#include "base/names.h"

namespace fairlead::json {
namespace {

using ::testing::HasSubstr;

enum class Colour { kRed, kGreen };
std::string_view to_string(Colour colour) { return colour == Colour::kRed ? "red" : "green"; }

struct Part {
  Cidr prefix;
  std::optional<IpAddress> via;
  int weight = 7;
  bool operator==(const Part&) const = default;
};
struct Inner {
  std::string text;
  bool operator==(const Inner&) const = default;
};
struct Whole {
  std::string id;
  bool on = true;
  std::uint16_t port = 80;
  std::uint64_t big = 0;
  Colour colour = Colour::kRed;
  std::vector<Part> parts;
  std::vector<std::string> words;
  std::map<std::string, IpAddress> addresses;
  std::map<std::string, std::string> labels;
  std::optional<std::uint32_t> mtu;
  IfName ifname;
  Inner inner;
  std::optional<Inner> nested;
  long long doubled = 0;
  bool operator==(const Whole&) const = default;
};

Status check_part(const Slot& slot, void* value) {
  if (static_cast<Part*>(value)->weight != 13) return {};
  return fail(Code::kInvalid, "field {}.weight must not be 13", slot.path());
}

Result<long long> read_half(const Slot& slot) {
  if (!slot.value().is_number_integer()) return slot.wrong("an even number");
  return slot.value().integer() * 2;
}
Json write_half(const long long& value) { return value / 2; }
Json count_of_parts(const Whole& whole) {
  return whole.parts.empty() ? Json() : Json(whole.parts.size());
}

constexpr auto kPart =
    fields(required<&Part::prefix>("prefix", text<&Cidr::parse_subnet>()),
           sparse<&Part::via>("via"), defaulted<&Part::weight>("weight", Range{-5, 100}));
constexpr auto kInner = fields(required<&Inner::text>("text"));
constexpr auto kWhole =
    fields(required<&Whole::id>("id"), defaulted<&Whole::on>("on"),
           defaulted<&Whole::port>("port", Range{1, 65535}), sparse<&Whole::big>("big"),
           defaulted<&Whole::colour>("colour", one_of<Colour::kRed, Colour::kGreen>()),
           sparse<&Whole::parts>("parts", object(kPart, check_part)),
           sparse<&Whole::words>("words"), sparse<&Whole::addresses>("addresses"),
           sparse<&Whole::labels>("labels"), defaulted<&Whole::mtu>("mtu"),
           sparse<&Whole::ifname>("ifname"), sparse<&Whole::inner, &Inner::text>("inner_text"),
           sparse<&Whole::nested>("nested", object(kInner)),
           sparse<&Whole::doubled>("half", custom<&read_half, &write_half>()),
           shown<Whole, count_of_parts>("count"), ignored<Whole>("state"));

Whole full() {
  return {.id = "a",
          .on = false,
          .port = 443,
          .big = 1ULL << 40,
          .colour = Colour::kGreen,
          .parts = {{*Cidr::parse("10.0.0.0/8"), *IpAddress::parse("10.0.0.1"), 3},
                    {*Cidr::parse("fd00::/8"), std::nullopt, 7}},
          .words = {"x", "y"},
          .addresses = {{"router", *IpAddress::parse("10.0.0.9")}},
          .labels = {{"k", "v"}},
          .mtu = 1400,
          .ifname = *IfName::parse("eth0"),
          .inner = {"deep"},
          .nested = Inner{"there"},
          .doubled = 8};
}

constexpr std::string_view kFull =
    R"({"id":"a","on":false,"port":443,"big":1099511627776,"colour":"green",)"
    R"("parts":[{"prefix":"10.0.0.0/8","via":"10.0.0.1","weight":3},{"prefix":"fd00::/8","weight":7}],)"
    R"("words":["x","y"],"addresses":{"router":"10.0.0.9"},"labels":{"k":"v"},"mtu":1400,)"
    R"("ifname":"eth0","inner_text":"deep","nested":{"text":"there"},"half":4,"count":2})";

std::string refusal(std::string_view text, Reading reading = {}) {
  const auto document = parse(text);
  const auto whole = read(document.value(), kWhole, reading);
  EXPECT_FALSE(whole) << text;
  if (whole) return "";
  EXPECT_EQ(whole.error().code, Code::kInvalid);
  return whole.error().text;
}

Result<Whole> read_text(std::string_view text, Reading reading = {}) {
  TRY(const auto document, parse(text));
  return read(document, kWhole, reading);
}

TEST(JsonFields, WritesInTheOrderOfTheTable) { EXPECT_EQ(write(full(), kWhole).dump(), kFull); }

TEST(JsonFields, ReadsWhatItWrote) {
  const auto again = read_text(kFull);
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(*again, full());
}

TEST(JsonFields, SparseFieldsAreLeftOutWhenTheyAreEmpty) {
  Whole empty;
  empty.id = "b";
  EXPECT_EQ(write(empty, kWhole).dump(),
            R"({"id":"b","on":true,"port":80,"colour":"red","mtu":null})");
  EXPECT_EQ(read_text(R"({"id":"b"})").value(), empty);
}

TEST(JsonFields, AbsentAndNullFieldsKeepWhatTheMemberHas) {
  Whole whole = full();
  const auto document = Json::parse(R"({"id":"c","mtu":null})");
  ASSERT_TRUE(read_into(Slot(document, Reading()), kWhole, whole));
  EXPECT_EQ(whole.id, "c");
  EXPECT_EQ(whole.mtu, 1400U);
  EXPECT_EQ(whole.parts.size(), 2U);
}

TEST(JsonFields, ContainersAreReadAnew) {
  Whole whole = full();
  const auto document =
      Json::parse(R"({"id":"c","words":["z"],"labels":{"a":"b"},"addresses":{},"parts":[]})");
  ASSERT_TRUE(read_into(Slot(document, Reading()), kWhole, whole));
  EXPECT_THAT(whole.words, ::testing::ElementsAre("z"));
  EXPECT_EQ(whole.labels, (std::map<std::string, std::string>{{"a", "b"}}));
  EXPECT_TRUE(whole.addresses.empty());
  EXPECT_TRUE(whole.parts.empty());
}

TEST(JsonFields, TheErrorNamesTheField) {
  EXPECT_EQ(refusal("[]"), "the document must be a JSON object, not array");
  EXPECT_EQ(refusal("{}"), "field id is missing");
  EXPECT_EQ(refusal(R"({"id":null})"), "field id is missing");
  EXPECT_EQ(refusal(R"({"id":7})"), "field id must be a string, not number");
  EXPECT_EQ(refusal(R"({"id":"a","on":1})"), "field on must be true or false, not number");
  EXPECT_EQ(refusal(R"({"id":"a","port":0})"), "field port must be 1 to 65535, not 0");
  EXPECT_EQ(refusal(R"({"id":"a","port":18446744073709551615})"),
            "field port must be 1 to 65535, not 18446744073709551615");
  EXPECT_EQ(refusal(R"({"id":"a","port":1.5})"), "field port must be an integer, not number");
  EXPECT_EQ(refusal(R"({"id":"a","mtu":4294967296})"),
            "field mtu must be 0 to 4294967295, not 4294967296");
  EXPECT_EQ(refusal(R"({"id":"a","colour":"blue"})"),
            "field colour must be red or green, not \"blue\"");
  EXPECT_EQ(refusal(R"({"id":"a","words":{}})"),
            "field words must be an array of strings, not object");
  EXPECT_EQ(refusal(R"({"id":"a","words":["x",null]})"),
            "field words[1] must be a string, not null");
  EXPECT_EQ(refusal(R"({"id":"a","parts":{}})"),
            "field parts must be an array of objects, not object");
  EXPECT_EQ(refusal(R"({"id":"a","parts":[7]})"),
            "field parts[0] must be a JSON object, not number");
  EXPECT_EQ(refusal(R"({"id":"a","parts":[{"prefix":"10.0.0.0/8"},{}]})"),
            "field parts[1].prefix is missing");
  EXPECT_THAT(refusal(R"({"id":"a","parts":[{"prefix":"10.0.0.1/8"}]})"),
              HasSubstr("field parts[0].prefix: "));
  EXPECT_THAT(refusal(R"({"id":"a","addresses":{"gw":"x"}})"), HasSubstr("field addresses.gw: "));
  EXPECT_EQ(refusal(R"({"id":"a","addresses":[]})"),
            "field addresses must be an object of strings, not array");
  EXPECT_EQ(refusal(R"({"id":"a","labels":{"k":[]}})"),
            "field labels.k must be a string, not array");
  EXPECT_EQ(refusal(R"({"id":"a","nested":{"text":1}})"),
            "field nested.text must be a string, not number");
  EXPECT_EQ(refusal(R"({"id":"a","half":"x"})"), "field half must be an even number, not string");
  EXPECT_EQ(refusal(R"({"id":"a","parts":[{"prefix":"10.0.0.0/8","weight":13}]})"),
            "field parts[0].weight must not be 13");
}

TEST(JsonFields, NumbersAndBooleansInMapsOfStringsAreTexts) {
  EXPECT_EQ(read_text(R"({"id":"a","labels":{"n":5,"b":true,"s":"t"}})").value().labels,
            (std::map<std::string, std::string>{{"n", "5"}, {"b", "true"}, {"s", "t"}}));
}

TEST(JsonFields, UnknownKeysAreRefusedOnlyWhenAsked) {
  EXPECT_TRUE(read_text(R"({"id":"a","prot":5})"));
  const Reading strict{.refuse_unknown = true};
  EXPECT_EQ(refusal(R"({"id":"a","prot":5})", strict),
            "field prot is not known; did you mean \"port\"?");
  EXPECT_EQ(refusal(R"({"id":"a","parts":[{"prefix":"10.0.0.0/8","wait":1}]})", strict),
            "field parts[0].wait is not known");
  EXPECT_TRUE(read_text(R"({"id":"a","state":[1,2],"count":"any"})", strict));
  EXPECT_THAT(refusal(R"({"id":"a",")" + std::string(1000, 'x') + R"(":5})", strict),
              HasSubstr("a field of 1000 bytes is not known; known are id, on, "));
}

TEST(JsonFields, BlankTextsAreAbsentOnlyWhenAsked) {
  EXPECT_THAT(refusal(R"({"id":"a","ifname":""})"), HasSubstr("field ifname: "));
  const Reading blank{.blank_is_absent = true};
  EXPECT_TRUE(read_text(R"({"id":"a","ifname":""})", blank).value().ifname.empty());
  EXPECT_TRUE(read_text(R"({"id":"a","ifname":"<nil>"})", blank).value().ifname.empty());
  EXPECT_EQ(refusal(R"({"id":""})", blank), "field id is missing");
}

TEST(JsonFields, KeysOfAnyCase) {
  const Reading any_case{.keys = Keys::kAnyCase, .refuse_unknown = true};
  EXPECT_EQ(
      read_text(R"({"ID":"a","Parts":[{"PREFIX":"10.0.0.0/8"}]})", any_case).value().parts.size(),
      1U);
}

TEST(JsonFields, ASectionKeepsItsPath) {
  const auto document = Json::parse(R"({"ipam":{"id":5}})");
  const auto root = Object::of(document).value();
  const auto section = root.object("ipam").value();
  EXPECT_EQ(read(Slot(section, Reading()), kWhole).error().text,
            "field ipam.id must be a string, not number");
}

}  // namespace
}  // namespace fairlead::json
