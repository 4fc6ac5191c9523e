#include "volume/service/jobs.h"

#include "base/log.h"
#include "base/text.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr auto kLongAfter = 500ms, kWriteEvery = 500ms;
constexpr auto kClaimDeadline = 1s;

// A job that is started again, between Jobs::resume() and the JobRun of its verb, which is made by
// a call through interfaces that know no jobs.
struct Resumed {
  std::string id;
  NamedLocks::Guard alive;
};
thread_local std::optional<Resumed> resumed;

class Jobs : public VolumeJobs {
 public:
  Jobs(state::Store& store, NamedLocks& locks, std::map<std::string, JobVerb> verbs,
       std::function<long long()> now)
      : records_(store, locks, std::move(now)), verbs_(std::move(verbs)) {}

  Result<std::vector<Job>> list() override { return records_.all(); }
  Status stop(const std::string& id) override;
  Result<LeftOut> resume(const std::string& id, const Progress& progress) override;

 private:
  JobRecords records_;
  std::map<std::string, JobVerb> verbs_;
};

Status Jobs::stop(const std::string& id) {
  const auto run = [&]() -> Status {
    TRY(const auto job, records_.find(id));
    if (job.state != JobState::kRunning)
      return fail(Code::kConflict, "it is not running: it is {}", to_string(job.state));
    return records_.ask_to_stop(id);
  };
  auto done = run();
  if (!done) return fail(with_context(done.error(), fmt::format("stop job \"{}\"", shown(id))));
  return {};
}

Result<LeftOut> Jobs::resume(const std::string& id, const Progress& progress) {
  const auto run = [&]() -> Result<LeftOut> {
    TRY(const auto job, records_.find(id));
    if (job.state == JobState::kDone || job.state == JobState::kRunning)
      return fail(Code::kConflict, "it is {}", to_string(job.state));
    const auto verb = verbs_.find(job.verb);
    if (verb == verbs_.end())
      return fail(Code::kUnsupported,
                  "a job of verb {} cannot be started again; give the command again",
                  shown(job.verb));
    TRY(auto claimed, records_.claim(id, kClaimDeadline));
    TRY_STATUS(records_.forget_stop(id));
    resumed.emplace(Resumed{id, std::move(claimed)});
    auto done = verb->second(job, progress);
    const bool never_began = std::exchange(resumed, std::nullopt).has_value();
    if (done && never_began) (void)records_.erase(id);  // if this fails, it is removed after a week
    return done;
  };
  auto done = run();
  if (!done) return fail(with_context(done.error(), fmt::format("resume job \"{}\"", shown(id))));
  return done;
}

}  // namespace

JobRun::JobRun(JobRecords& jobs, Task task, Progress outer, JobSeen seen)
    : jobs_(jobs),
      job_{.id = jobs.new_id(),
           .verb = std::move(task.verb),
           .volume = std::move(task.volume),
           .arguments = std::move(task.arguments),
           .started = jobs.now()},
      outer_(std::move(outer)),
      begun_(std::chrono::steady_clock::now()) {
  if (auto again = std::exchange(resumed, std::nullopt)) {
    job_.id = again->id;
    alive_ = std::move(again->alive);
    appear();
  } else if (seen == JobSeen::kAtOnce) {
    appear();
  }
}

JobRun::~JobRun() {
  const Error gave_up{Code::kInternal, 0, "it ended without a result"};
  end_with(&gave_up);
}

Progress JobRun::progress() {
  return [this](std::uint64_t done, std::uint64_t total) { return tell(done, total); };
}

// The lock is taken first, because a record without it would be an interrupted job.
void JobRun::appear() {
  auto claimed =
      alive_ ? Result<NamedLocks::Guard>(std::move(*alive_)) : jobs_.claim(job_.id, kClaimDeadline);
  if (claimed)
    alive_ = std::move(*claimed);
  else
    log::warn("a job runs without its lock", {{"job", job_.id}, {"error", claimed.error().text}});
  visible_ = true;
  write();
}

void JobRun::write() {
  written_ = std::chrono::steady_clock::now();
  if (const auto put = jobs_.put(job_); !put)
    log::warn("the progress of a job is not recorded",
              {{"job", job_.id}, {"error", put.error().text}});
}

bool JobRun::tell(std::uint64_t done, std::uint64_t total) {
  job_.done = done;
  job_.total = total;
  const auto now = std::chrono::steady_clock::now();
  if (!visible_ && now - begun_ >= kLongAfter) {
    appear();
  } else if (visible_ && now - written_ >= kWriteEvery) {
    write();
    stopped_ = stopped_ || jobs_.is_asked_to_stop(job_.id);
  }
  if (outer_ && !outer_(done, total)) stopped_ = true;
  return !stopped_;
}

void JobRun::end_with(const Error* error) {
  if (std::exchange(ended_, true) || !visible_) return;
  const bool by_request = error != nullptr && stopped_ && error->code == Code::kUnavailable;
  job_.state = error == nullptr ? JobState::kDone
               : by_request     ? JobState::kStopped
                                : JobState::kFailed;
  if (job_.state == JobState::kDone && job_.total > 0) job_.done = job_.total;
  if (job_.state == JobState::kFailed) job_.error = error->text;
  job_.ended = jobs_.now();
  write();
  alive_.reset();
}

std::map<std::string, JobVerb> service_job_verbs(VolumeService& service) {
  const auto argument = [](const Job& job, const std::string& key) {
    const auto found = job.arguments.find(key);
    return found == job.arguments.end() ? std::string() : found->second;
  };
  const auto nothing = [](const auto&) { return LeftOut{}; };
  return {
      {"clone",
       [&service, nothing](const Job& job, const Progress& progress) -> Result<LeftOut> {
         VolumeSpec spec;
         TRY(spec.name, VolumeName::parse(job.volume));
         TRY(spec.options, parse_options(job.arguments));
         return service.create(spec, progress).map(nothing);
       }},
      {"snapshot",
       [&service, nothing, argument](const Job& job, const Progress& progress) -> Result<LeftOut> {
         return service.take_snapshot(job.volume, argument(job, "snapshot"), progress).map(nothing);
       }},
      {"rollback",
       [&service, nothing, argument](const Job& job, const Progress& progress) -> Result<LeftOut> {
         return service.roll_back(job.volume, argument(job, "snapshot"), progress).map(nothing);
       }},
      {"check",
       [&service, nothing, argument](const Job& job, const Progress& progress) -> Result<LeftOut> {
         return service.check(job.volume, argument(job, "repair") == "true", progress).map(nothing);
       }},
  };
}

std::unique_ptr<VolumeJobs> make_volume_jobs(state::Store& store, NamedLocks& locks,
                                             std::map<std::string, JobVerb> verbs,
                                             std::function<long long()> now) {
  return std::make_unique<Jobs>(store, locks, std::move(verbs), std::move(now));
}

}  // namespace fairlead::volume
