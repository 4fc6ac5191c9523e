#include "base/options/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "base/names.h"
#include "base/options/values.h"

namespace fairlead {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Map = std::map<std::string, std::string>;

enum class Colour { kWhite, kRed };
std::string_view to_string(Colour colour) { return colour == Colour::kRed ? "red" : "white"; }

Result<Colour> parse_colour(std::string_view text) {
  if (text == "white") return Colour::kWhite;
  if (text == "red") return Colour::kRed;
  return fail(Code::kInvalid, "\"{}\" is neither white nor red", text);
}

Result<unsigned> parse_doors(std::string_view text) {
  if (text.size() != 1) return fail(Code::kInvalid, "\"{}\" is no number of doors", text);
  return static_cast<unsigned>(text[0] - '0');
}

struct Wall {
  std::optional<std::uint64_t> height;
  bool painted = true;
  Colour colour = Colour::kWhite;
  unsigned doors = 1;
  std::optional<IfName> owner;
  std::string note;
  bool operator==(const Wall&) const = default;
};

// Another spelling of height=1k.
Status set_low(Wall& wall, std::string_view text) {
  TRY(const bool low, parse_bool(text));
  if (low) wall.height = 1024;
  return {};
}

using options::row;
constexpr auto kRows = std::to_array<options::Row<Wall>>({
    row<&Wall::height, parse_size, format_size>("height", "com.example.height"),
    row<&Wall::painted, parse_bool>("painted"),
    row<&Wall::colour, parse_colour>("colour", "com.example.wall.colour"),
    row<&Wall::doors, parse_doors>("doors"),
    row<&Wall::owner, &IfName::parse>("owner"),
    {.name = "low", .set = set_low},
    {.name = "roof", .hint = "a wall has none"},
});
constexpr auto kOthers = std::to_array<std::string_view>({"note"});
constexpr options::Table<Wall> kTable{.noun = "wall option", .rows = kRows, .others = kOthers};

Wall wall_of(const Map& map) {
  const auto wall = options::parse(kTable, map);
  EXPECT_TRUE(wall) << wall.error().text;
  return wall.value_or(Wall{});
}

Error refusal(const Map& map) {
  const auto wall = options::parse(kTable, map);
  EXPECT_FALSE(wall);
  return wall ? Error{} : wall.error();
}

TEST(OptionTable, ReadsEachKindOfMember) {
  const Wall wall = wall_of({{"height", "2k"},
                             {"painted", "no"},
                             {"com.example.wall.colour", "red"},
                             {"doors", "3"},
                             {"owner", "eth0"}});
  EXPECT_EQ(wall.height, 2048U);
  EXPECT_FALSE(wall.painted);
  EXPECT_EQ(wall.colour, Colour::kRed);
  EXPECT_EQ(wall.doors, 3U);
  EXPECT_EQ(wall.owner->str(), "eth0");
  EXPECT_EQ(wall_of({}), Wall{});
}

TEST(OptionTable, ShowsWhatIsNoDefaultAndReadsItAgain) {
  EXPECT_EQ(options::to_map(kTable, Wall{}), Map{});
  const Map all{
      {"height", "2k"}, {"painted", "false"}, {"colour", "red"}, {"doors", "0"}, {"owner", "eth0"}};
  EXPECT_EQ(options::to_map(kTable, wall_of(all)), all);
  EXPECT_EQ(options::to_map(kTable, wall_of({{"height", "2048"}, {"painted", "off"}})),
            (Map{{"height", "2k"}, {"painted", "false"}}));
  EXPECT_EQ(options::to_map(kTable, wall_of({{"low", "yes"}})), (Map{{"height", "1k"}}));
}

TEST(OptionTable, NamesTheClosestOption) {
  EXPECT_EQ(refusal({{"hieght", "1"}}).text,
            "unknown wall option \"hieght\"; did you mean \"height\"?");
  EXPECT_EQ(
      refusal({{"com.example.colour", "red"}}).text,
      "unknown wall option \"com.example.colour\"; did you mean \"com.example.wall.colour\"?");
  EXPECT_EQ(refusal({{"note", "x"}}).code, Code::kInvalid);  // its reader is another
  EXPECT_EQ(refusal({{"zzzzzzzz", "1"}}).text,
            "unknown wall option \"zzzzzzzz\"; known are note, height, painted, colour, doors, "
            "owner, low");
  EXPECT_THAT(options::names(kTable),
              ElementsAre("note", "height", "painted", "colour", "doors", "owner", "low"));
}

TEST(OptionTable, PutsTheOptionBeforeWhatIsWrongWithItsValue) {
  EXPECT_EQ(
      refusal({{"painted", "maybe"}}).text,
      "wall option \"painted\": \"maybe\" is neither true (yes, on, 1) nor false (no, off, 0)");
  EXPECT_EQ(refusal({{"com.example.wall.colour", "blue"}}).text,
            "wall option \"com.example.wall.colour\": \"blue\" is neither white nor red");
}

TEST(OptionTable, SaysWhatToUseInsteadOfAnOptionThatItDoesNotHave) {
  EXPECT_EQ(refusal({{"roof", "flat"}}).code, Code::kUnsupported);
  EXPECT_EQ(refusal({{"roof", "flat"}}).text,
            "wall option \"roof\" is not available: a wall has none");
}

TEST(OptionTable, TheSameOptionTwiceHasToMeanTheSame) {
  EXPECT_EQ(wall_of({{"height", "1k"}, {"com.example.height", "1024"}}).height, 1024U);
  const Error error = refusal({{"height", "1k"}, {"com.example.height", "2k"}});
  EXPECT_EQ(error.code, Code::kInvalid);
  EXPECT_EQ(error.text,
            "wall option \"height\" is given twice, as com.example.height=2k and as height=1k");
  options::Parser<Wall> parser(kTable);
  ASSERT_TRUE(parser.set("doors", "1"));  // the default
  EXPECT_THAT(parser.set("doors", "2").error().text, HasSubstr("as doors=1 and as doors=2"));
  EXPECT_EQ(parser.value().doors, 1U);
}

TEST(OptionTable, RefusesWhatNoRecordCouldHold) {
  for (const Map& map :
       {Map{{"owner", std::string("e\0", 2)}}, Map{{"a\x1b[31m", "1"}}, Map{{"\xff", "1"}},
        Map{{std::string(65536, 'x'), "1"}}, Map{{"owner", std::string(65536, 'x')}}}) {
    const Error error = refusal(map);
    EXPECT_EQ(error.code, Code::kInvalid);
    EXPECT_LT(error.text.size(), 300U);
    EXPECT_EQ(error.text.find('\x1b'), std::string::npos);
  }
  Map many;
  for (int k = 0; k < 300; ++k) many[fmt::format("option-{}", k)] = "x";
  EXPECT_EQ(refusal(many).text, "300 wall options are too many: at most 256");
}

}  // namespace
}  // namespace fairlead
