#include "plugin-api/cli/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace fairlead::cli {
namespace {

using enum Column::Fit;

Table people() {
  Table table({{"ID"}, {"NAME", kShrink}, {"TOWN"}});
  table.add({"1", "Ada, who came first and stayed the longest", "London"});
  table.add({"22", "Bo", ""});
  return table;
}

TEST(Table, AlignsItsColumnsWithoutTrailingSpace) {
  EXPECT_EQ(people().render(0),
            "ID   NAME                                         TOWN\n"
            "1    Ada, who came first and stayed the longest   London\n"
            "22   Bo                                           -\n");
}

TEST(Table, WithoutRowsIsItsHeader) {
  EXPECT_EQ(Table({{"ID"}, {"NAME"}}).render(80), "ID   NAME\n");
}

TEST(Table, AColumnThatNobodyFillsIsLeftOut) {
  Columns columns({{"ID"}, {"PROJECT"}, {"NAME"}}, 1);
  columns.add({"1", "", "web"});
  EXPECT_EQ(columns.table().render(0),
            "ID   NAME\n"
            "1    web\n");
  columns.add({"2", "shop", "db"});
  EXPECT_EQ(columns.table().render(0),
            "ID   PROJECT   NAME\n"
            "1    -         web\n"
            "2    shop      db\n");
}

TEST(Table, ShortensWhatMayBeShortenedToFitTheTerminal) {
  EXPECT_EQ(people().render(40),
            "ID   NAME                         TOWN\n"
            "1    Ada, who came first and...   London\n"
            "22   Bo                           -\n");
}

TEST(Table, StaysReadableOnATerminalThatIsTooNarrow) {
  std::istringstream lines(people().render(10));
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  EXPECT_EQ(line, "1    Ada, who ...   London");
}

TEST(Table, CountsColumnsNotBytes) {
  Table table({{"NAME"}, {"N"}});
  table.add({"caf\u00e9", "1"});
  table.add({"tea", "2"});
  EXPECT_EQ(table.render(0), "NAME   N\ncaf\u00e9   1\ntea    2\n");
}

TEST(Table, IsSafeForATerminal) {
  Table table({{"NAME"}});
  table.add({"a\x1b[2Jb"});
  EXPECT_EQ(table.render(0), "NAME\na\\x1b[2Jb\n");
}

}  // namespace
}  // namespace fairlead::cli
