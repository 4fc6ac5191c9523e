#include "base/rollback.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead {
namespace {

TEST(Rollback, UndoesInReverse) {
  std::string done;
  {
    Rollback undo;
    for (const char step : {'a', 'b', 'c'}) undo.push([&done, step] { done += step; });
  }
  EXPECT_EQ(done, "cba");
}

TEST(Rollback, KeepsEverythingAfterACommit) {
  int undone = 0;
  {
    Rollback undo;
    undo.push([&] { ++undone; });
    undo.commit();
  }
  EXPECT_EQ(undone, 0);
}

TEST(Rollback, UndoesEachStepOnce) {
  int undone = 0;
  {
    Rollback undo;
    undo.push([&] { ++undone; });
    undo.undo();
    EXPECT_EQ(undone, 1);
  }
  EXPECT_EQ(undone, 1);
}

TEST(Rollback, StepsPushedAfterACommitCountAgain) {
  std::string done;
  {
    Rollback undo;
    undo.push([&] { done += 'a'; });
    undo.commit();
    undo.push([&] { done += 'b'; });
  }
  EXPECT_EQ(done, "b");
}

TEST(Rollback, AnUndoMayPushAnother) {
  std::string done;
  {
    Rollback undo;
    undo.push([&] { done += 'a'; });
    undo.push([&] {
      done += 'b';
      undo.push([&] { done += 'c'; });
    });
  }
  EXPECT_EQ(done, "bca");
}

}  // namespace
}  // namespace fairlead
