// What containers say by labels.
#include "plugin-api/hooks/hook_labels.h"

#include <gmock/gmock.h>

namespace fairlead::hooks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(HookLabels, AreReadWithTheirDefaults) {
  const auto spec = parse_hooks({{"fairlead.snapshot.pre", "psql -c CHECKPOINT"},
                                 {"fairlead.snapshot.post", R"(["rm", "-f", "/a b"])"},
                                 {"other", "x"}});
  ASSERT_TRUE(spec && *spec);
  EXPECT_THAT((*spec)->pre, ElementsAre("sh", "-c", "psql -c CHECKPOINT"));
  EXPECT_THAT((*spec)->post, ElementsAre("rm", "-f", "/a b"));
  EXPECT_EQ((*spec)->timeout, std::chrono::seconds(30));
  EXPECT_EQ((*spec)->on_error, OnError::kAbort);
  EXPECT_EQ((*spec)->user, "");
}

TEST(HookLabels, AllOfThemCount) {
  const auto spec = parse_hooks({{"fairlead.snapshot.pre", "x"},
                                 {"fairlead.hook.timeout", "5m"},
                                 {"fairlead.hook.user", "postgres"},
                                 {"fairlead.hook.on_error", "continue"}});
  ASSERT_TRUE(spec && *spec);
  EXPECT_EQ((*spec)->timeout, std::chrono::minutes(5));
  EXPECT_EQ((*spec)->user, "postgres");
  EXPECT_EQ((*spec)->on_error, OnError::kContinue);
}

TEST(HookLabels, WithoutACommandThereIsNoHook) {
  EXPECT_FALSE(*parse_hooks({}));
  EXPECT_FALSE(*parse_hooks({{"fairlead.snapshot.pre", ""}, {"fairlead.hook.user", "x"}}));
}

TEST(HookLabels, WhatIsWrongIsNamed) {
  for (const auto& [label, value] :
       std::map<std::string, std::string>{{"fairlead.hook.timeout", "6m"},
                                          {"fairlead.hook.on_error", "ignore"},
                                          {"fairlead.snapshot.pre", "[\"a\", 7]"},
                                          {"fairlead.snapshot.post", "[]"}}) {
    const auto spec = parse_hooks({{"fairlead.snapshot.post", "x"}, {label, value}});
    const auto wrong = parse_hooks({{label, value}});
    EXPECT_FALSE(wrong) << label;
    EXPECT_THAT(wrong.error().text, HasSubstr(label));
  }
  for (const char* bad : {"0s", "-1s", "soon", "99y"})
    EXPECT_FALSE(parse_hooks({{"fairlead.hook.timeout", bad}})) << bad;
}

TEST(HookLabels, ATypingErrorIsNoHookLeftOutInSilence) {
  const auto spec = parse_hooks({{"fairlead.snapshot.pree", "x"}});
  ASSERT_FALSE(spec);
  EXPECT_THAT(spec.error().text, HasSubstr("did you mean fairlead.snapshot.pre?"));
}

}  // namespace
}  // namespace fairlead::hooks
