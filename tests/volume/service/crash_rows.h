// Which test kills at which fault point of volume/. crash_rows_test.cpp, which is part of each
// program with such tests, fails for a point in the sources that is missing here, and for a test
// that there is not; a test that lists the points of its verb calls expect_row().
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::volume::testing {

struct CrashRow {
  std::string_view program, test;  // as gtest names it, with its parameter
  std::vector<std::string_view> points;
};

const std::vector<CrashRow>& crash_rows();

// Fails the test that runs now unless `passed` has all points of its row.
inline void expect_row(const std::map<std::string, int>& passed) {
  const auto* const now = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string name = std::string(now->test_suite_name()) + "." + now->name();
  for (const CrashRow& row : crash_rows()) {
    if (row.test != name) continue;
    for (const std::string_view point : row.points)
      EXPECT_TRUE(passed.contains(std::string(point))) << "not passed: " << point;
  }
}

}  // namespace fairlead::volume::testing
