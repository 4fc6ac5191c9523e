// Hooks over a runtime that runs its commands on this host.
#include "plugin-api/hooks/container_hooks.h"

#include <gmock/gmock.h>

#include <mutex>

#include "base/process.h"

namespace fairlead::hooks {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Clock = std::chrono::steady_clock;
using Labels = std::map<std::string, std::string>;
using Outcome = volume::ContainerHooks::Run::Outcome;

class FakeRuntime : public Runtime {
 public:
  std::string name() const override { return "Fake"; }
  Result<std::vector<Container>> using_volumes(const std::vector<std::string>&) override {
    if (hangs) return fail(Code::kIo, "it does not answer");
    return containers;
  }
  Result<Labels> labels_of_image(const std::string&) override { return image; }
  // As docker exec: the command goes on when the deadline has passed, so a shell of its own starts
  // it and is killed alone.
  Result<Answer> run(const Container& container, const Command& command,
                     Clock::time_point deadline) override {
    std::vector<std::string> argv{"env"};
    for (const auto& [key, value] : command.environment) argv.push_back(key + "=" + value);
    argv.insert(argv.end(), command.words.begin(), command.words.end());
    {
      const std::scoped_lock hold(guard);
      users.push_back(command.user);
      marks.push_back(command.environment.at("FAIRLEAD_HOOK"));
    }
    TRY(const auto ended, run_process(argv, std::chrono::duration_cast<std::chrono::milliseconds>(
                                                deadline - Clock::now())));
    const std::scoped_lock hold(guard);
    said.push_back(container.name + ": " + ended.out);
    return Answer{.exit_code = ended.exit_code, .output = ended.out + ended.err};
  }

  std::vector<Container> containers;
  Labels image;
  bool hangs = false;
  std::mutex guard;
  std::vector<std::string> said, users, marks;
};

class ContainerHooksTest : public ::testing::Test {
 protected:
  ContainerHooksTest() {
    auto owned = std::make_unique<FakeRuntime>();
    runtime = owned.get();
    std::vector<std::unique_ptr<Runtime>> all;
    all.push_back(std::move(owned));
    hooks = make_container_hooks(std::move(all));
  }
  void container(const std::string& name, const Labels& labels) {
    runtime->containers.push_back(
        {.id = "7d", .name = name, .image = "i", .labels = labels, .volumes = {"db", "files"}});
  }
  std::unique_ptr<volume::ContainerHooks::Run> find() {
    auto run = hooks->find({.volumes = {}, .verb = "snapshot", .snapshot = "monday"});
    EXPECT_TRUE(run) << run.error().text;
    return std::move(*run);
  }
  // Whether some process still has the mark.
  static bool lives(const std::string& mark) {
    const auto found = run_process(
        std::vector<std::string>{"sh", "-c",
                                 "grep -lz FAIRLEAD_HOOK=" + mark + " /proc/[0-9]*/environ"},
        std::chrono::seconds(10));
    return found && !found->out.empty();
  }

  FakeRuntime* runtime = nullptr;
  std::unique_ptr<volume::ContainerHooks> hooks;
};

TEST_F(ContainerHooksTest, CommandsKnowWhatTheyRunFor) {
  const char* kSay = "echo $FAIRLEAD_VOLUME $FAIRLEAD_VERB $FAIRLEAD_SNAPSHOT $FAIRLEAD_RESULT";
  container("web", {{"fairlead.snapshot.pre", kSay}, {"fairlead.snapshot.post", kSay}});
  const auto run = find();
  ASSERT_TRUE(run->before({}));
  run->after(Outcome::kTaken);
  EXPECT_THAT(runtime->said, ElementsAre("web: db,files snapshot monday\n",
                                         "web: db,files snapshot monday taken\n"));
}

TEST_F(ContainerHooksTest, WithoutLabelsThereIsNothing) {
  container("web", {{"a", "b"}});
  EXPECT_EQ(find(), nullptr);
}

TEST_F(ContainerHooksTest, AFailureSaysWhoAndWhat) {
  container("one", {{"fairlead.snapshot.pre", "true"}, {"fairlead.snapshot.post", "echo thawed"}});
  container("two", {{"fairlead.snapshot.pre", "echo no such table >&2; exit 3"},
                    {"fairlead.snapshot.post", "echo $FAIRLEAD_RESULT"}});
  const auto run = find();
  const auto failed = run->before({});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kConflict);
  EXPECT_THAT(failed.error().text,
              AllOf(HasSubstr("container \"two\" (Fake)"), HasSubstr("ended with 3"),
                    HasSubstr("no such table"), HasSubstr("--no-hooks")));
  runtime->said.clear();
  run->after(Outcome::kFailed);  // of both, also of the one that had failed
  EXPECT_THAT(runtime->said, UnorderedElementsAre("one: thawed\n", "two: failed\n"));
}

TEST_F(ContainerHooksTest, AFailureMayBeAllowed) {
  container("one", {{"fairlead.snapshot.pre", "exit 3"}, {"fairlead.hook.on_error", "continue"}});
  EXPECT_TRUE(find()->before({}));
}

TEST_F(ContainerHooksTest, OneThatHangsIsEndedWithAllThatItStarted) {
  container("slow", {{"fairlead.snapshot.pre", "(sleep 1000 & sleep 1000); sleep 1000"},
                     {"fairlead.hook.timeout", "1s"}});
  const auto begun = Clock::now();
  const auto failed = find()->before({});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().text, HasSubstr("longer than 1 s"));
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(100));
  EXPECT_FALSE(lives(runtime->marks.front()));
}

TEST_F(ContainerHooksTest, ThoseOfSeveralContainersRunSideBySide) {
  for (const char* name : {"one", "two"})
    container(name,
              {{"fairlead.snapshot.pre",
                // each waits for the other one
                std::string("f=$(mktemp -u); d=${TMPDIR:-/tmp}/fairlead-hooks-$PPID; mkdir -p $d; "
                            "touch $d/") +
                    name + "; while [ $(ls $d | wc -l) -lt 2 ]; do sleep 0.05; done"}});
  EXPECT_TRUE(find()->before({}));
  (void)run_process(
      std::vector<std::string>{"sh", "-c", "rm -rf ${TMPDIR:-/tmp}/fairlead-hooks-$PPID"},
      std::chrono::seconds(10));
}

TEST_F(ContainerHooksTest, AStopEndsThem) {
  container("slow", {{"fairlead.snapshot.pre", "sleep 1000"}});
  const auto stopped = find()->before([](std::uint64_t, std::uint64_t) { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kUnavailable);
  EXPECT_FALSE(lives(runtime->marks.front()));
}

// Somebody may have given the container a lesser user than its image asks for.
TEST_F(ContainerHooksTest, TheUserIsTheContainersChoiceAndNotItsImages) {
  container("web", {{"fairlead.snapshot.pre", "true"}, {"fairlead.hook.user", "0"}});
  ASSERT_TRUE(find()->before({}));
  runtime->image = {{"fairlead.hook.user", "0"}};
  ASSERT_TRUE(find()->before({}));
  EXPECT_THAT(runtime->users, ElementsAre("0", ""));
}

TEST_F(ContainerHooksTest, WhatIsWrongNamesTheContainer) {
  container("web", {{"fairlead.snapshot.pre", "true"}, {"fairlead.hook.timeout", "soon"}});
  const auto wrong = hooks->find({.volumes = {}, .verb = "snapshot", .snapshot = "monday"});
  EXPECT_THAT(wrong.error().text,
              AllOf(HasSubstr("container \"web\""), HasSubstr("fairlead.hook.timeout")));
  runtime->hangs = true;
  const auto silent = hooks->find({.volumes = {}, .verb = "snapshot", .snapshot = "monday"});
  EXPECT_THAT(silent.error().text, AllOf(HasSubstr("ask Fake"), HasSubstr("--no-hooks")));
}

TEST_F(ContainerHooksTest, EndlessOutputIsCut) {
  container("web", {{"fairlead.snapshot.pre", "yes | head -c 3000000; exit 1"}});
  const auto failed = find()->before({});
  ASSERT_FALSE(failed);
  EXPECT_LT(failed.error().text.size(), 2000U);
}

// The last test: nothing is run any more.
TEST(EndOfHooks, ADaemonThatStopsWaitsForNone) {
  auto owned = std::make_unique<FakeRuntime>();
  FakeRuntime* const runtime = owned.get();
  runtime->containers = {{.id = "7d",
                          .name = "slow",
                          .image = "i",
                          .labels = {{"fairlead.snapshot.pre", "sleep 1000"},
                                     {"fairlead.snapshot.post", "sleep 1000"}},
                          .volumes = {"db"}}};
  std::vector<std::unique_ptr<Runtime>> all;
  all.push_back(std::move(owned));
  const auto hooks = make_container_hooks(std::move(all));
  const auto run =
      std::move(*hooks->find({.volumes = {}, .verb = "snapshot", .snapshot = "monday"}));
  const auto stopped = run->before([](std::uint64_t, std::uint64_t) {
    end_hooks();
    return true;
  });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kUnavailable);
  run->after(Outcome::kFailed);
  EXPECT_EQ(runtime->marks.size(), 1U);
}

}  // namespace
}  // namespace fairlead::hooks
