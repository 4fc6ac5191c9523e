#include "plugin-api/hooks/container_hooks.h"

#include <fmt/ranges.h>

#include <atomic>
#include <functional>
#include <future>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "plugin-api/hooks/hook_labels.h"
#include "plugin-api/hooks/marked_processes.h"

namespace fairlead::hooks {

namespace {

using Clock = std::chrono::steady_clock;
using volume::ContainerHooks;
using volume::HookedMoment;
using volume::Progress;

constexpr const char* kMark = "FAIRLEAD_HOOK";
std::atomic<bool> all_end{false};  // of the process
constexpr std::chrono::milliseconds kLook{100};
constexpr std::size_t kMostHooks = 32;   // containers with hooks, of one snapshot
constexpr std::size_t kMostShown = 300;  // bytes of what a command said

struct Hook {
  Runtime* runtime = nullptr;
  Container container;
  HookSpec spec;
};

std::string name_of(const Hook& hook) {
  return fmt::format("container \"{}\" ({})", shown(hook.container.name), hook.runtime->name());
}

// The end, which is where a command says why it failed.
std::string said(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.size() > kMostShown) text = "..." + text.substr(text.size() - kMostShown);
  return text.empty() ? "it said nothing" : fmt::format("it said: {}", shown(text));
}

// One command while it runs, in a thread of its own.
class Running {
 public:
  Running(const Hook& hook, std::string label, std::vector<std::string> words,
          std::map<std::string, std::string> environment)
      : hook_(hook), label_(std::move(label)), mark_(random_hex(32)) {
    environment[kMark] = mark_;
    Command command{
        .words = std::move(words), .user = hook.spec.user, .environment = std::move(environment)};
    ended_ = std::async(std::launch::async,
                        [this, command = std::move(command)] { return run(command); });
  }
  bool has_ended() const { return ended_.wait_for(kLook) == std::future_status::ready; }
  void kill() const { kill_marked(kMark, mark_); }
  const Hook& hook() const { return hook_; }
  Status result() { return ended_.get(); }

 private:
  Status run(const Command& command) const {
    const auto answer =
        hook_.runtime->run(hook_.container, command, Clock::now() + hook_.spec.timeout);
    if (!answer && answer.error().code == Code::kUnavailable) {
      kill();
      return fail(Code::kConflict, "{}: {} took longer than {} s and was ended", name_of(hook_),
                  label_, hook_.spec.timeout.count());
    }
    if (!answer)
      return fail(Code::kConflict, "{}: {} could not be run: {}", name_of(hook_), label_,
                  answer.error().text);
    if (answer->exit_code != 0)
      return fail(Code::kConflict, "{}: {} ended with {}; {}", name_of(hook_), label_,
                  answer->exit_code, said(answer->output));
    log::info(
        "hook",
        {{"container", hook_.container.name}, {"label", label_}, {"output", said(answer->output)}});
    return {};
  }

  const Hook& hook_;
  const std::string label_, mark_;
  std::future<Status> ended_;
};

class AroundMoment : public ContainerHooks::Run {
 public:
  AroundMoment(std::vector<Hook> hooks, HookedMoment moment)
      : hooks_(std::move(hooks)), moment_(std::move(moment)) {}

  Status before(const Progress& progress) override {
    auto running = start(&HookSpec::pre, "fairlead.snapshot.pre", {});
    const bool stopped = await(running, [&] { return progress && !progress(0, 0); });
    Status all;
    for (const auto& one : running) {
      const auto ended = one->result();
      if (ended) continue;
      if (one->hook().spec.on_error == OnError::kContinue)
        log::warn("a hook failed; the snapshot goes on", {{"error", ended.error().text}});
      else if (all)
        all = ended;
    }
    if (stopped || all_end) return fail(Code::kUnavailable, "stopped while hooks ran");
    if (all) return {};
    return fail(Code::kConflict,
                "{}; mend it, or leave hooks out (--no-hooks, or fairlead.hook.on_error=continue)",
                all.error().text);
  }

  void after(Outcome outcome) override {
    auto running = start(&HookSpec::post, "fairlead.snapshot.post",
                         outcome == Outcome::kTaken ? "taken" : "failed");
    (void)await(running, [] { return false; });
    for (const auto& one : running)
      if (const auto ended = one->result(); !ended)
        log::warn("a hook failed", {{"error", ended.error().text}});
  }

 private:
  using All = std::vector<std::unique_ptr<Running>>;

  // Returns whether they were stopped.
  static bool await(const All& running, const std::function<bool()>& is_asked_to_stop) {
    bool stopped = false;
    for (const auto& one : running)
      while (!one->has_ended()) {
        stopped = stopped || all_end || is_asked_to_stop();
        if (!stopped) continue;
        for (const auto& any : running) any->kill();
      }
    return stopped;
  }

  All start(std::vector<std::string> HookSpec::*words, const char* label,
            const std::string& result) const {
    All running;
    for (const Hook& hook : hooks_) {
      if (all_end || (hook.spec.*words).empty()) continue;
      std::map<std::string, std::string> environment{
          {"FAIRLEAD_VOLUME", fmt::format("{}", fmt::join(hook.container.volumes, ","))},
          {"FAIRLEAD_VERB", moment_.verb},
          {"FAIRLEAD_SNAPSHOT", moment_.snapshot}};
      if (!result.empty()) environment["FAIRLEAD_RESULT"] = result;
      running.push_back(
          std::make_unique<Running>(hook, label, hook.spec.*words, std::move(environment)));
    }
    return running;
  }

  const std::vector<Hook> hooks_;
  const HookedMoment moment_;
};

class AllHooks : public ContainerHooks {
 public:
  explicit AllHooks(std::vector<std::unique_ptr<Runtime>> runtimes)
      : runtimes_(std::move(runtimes)) {}

  Result<std::unique_ptr<ContainerHooks::Run>> find(const HookedMoment& moment) override {
    std::vector<std::string> names;
    for (const volume::Volume& volume : moment.volumes) names.push_back(volume.name.str());
    std::vector<Hook> hooks;
    for (const auto& runtime : runtimes_) TRY_STATUS(add_hooks(*runtime, names, hooks));
    if (hooks.empty()) return std::unique_ptr<ContainerHooks::Run>();
    if (hooks.size() > kMostHooks)
      return fail(Code::kExhausted, "{} containers have hooks, more than {}", hooks.size(),
                  kMostHooks);
    return std::make_unique<AroundMoment>(std::move(hooks), moment);
  }

 private:
  static Status add_hooks(Runtime& runtime, const std::vector<std::string>& volumes,
                          std::vector<Hook>& hooks) {
    auto containers = runtime.using_volumes(volumes);
    if (!containers)
      return fail(with_context(
          containers.error(),
          fmt::format("ask {} for the hooks of containers (--no-hooks does not)", runtime.name())));
    for (Container& container : *containers) {
      auto spec = parse_hooks(container.labels);
      if (!spec)
        return fail(with_context(spec.error(), fmt::format("container \"{}\" ({})",
                                                           shown(container.name), runtime.name())));
      if (!*spec) continue;
      TRY_STATUS(forget_user_of_image(runtime, container, **spec));
      hooks.push_back({&runtime, std::move(container), std::move(**spec)});
    }
    return {};
  }

  // Who made an image has no say in as whom it is run: somebody may have chosen another user for
  // the container.
  static Status forget_user_of_image(Runtime& runtime, const Container& container, HookSpec& spec) {
    if (spec.user.empty()) return {};
    TRY(const auto labels, runtime.labels_of_image(container.image));
    const auto found = labels.find(kUserLabel);
    if (found == labels.end() || found->second != spec.user) return {};
    log::warn("a label of an image is not heeded: only the container's own may choose the user",
              {{"container", container.name}, {"label", kUserLabel}, {"user", spec.user}});
    spec.user.clear();
    return {};
  }

  const std::vector<std::unique_ptr<Runtime>> runtimes_;
};

}  // namespace

void end_hooks() { all_end = true; }

std::unique_ptr<ContainerHooks> make_container_hooks(
    std::vector<std::unique_ptr<Runtime>> runtimes) {
  return std::make_unique<AllHooks>(std::move(runtimes));
}

}  // namespace fairlead::hooks
