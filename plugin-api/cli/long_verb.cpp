#include "plugin-api/cli/long_verb.h"

#include <ostream>

#include "plugin-api/cli/text.h"

namespace fairlead::cli {

namespace {

constexpr unsigned kUsualWidth = 80;  // of a terminal that does not report its width

// Its file or pipe belongs to the process that started the job, so no other process can resume it.
bool needs_its_caller(const volume::Job& job) {
  return job.verb == "export" || job.verb == "import";
}

}  // namespace

LongVerb::LongVerb(Session& session, std::string action, std::string volume)
    : session_(session), action_(std::move(action)), volume_(std::move(volume)) {
  const CliContext& context = session.context;
  if (context.err_is_tty && context.clock && !session.quiet())
    bar_.emplace(action_, context.err, context.width == 0 ? kUsualWidth : context.width,
                 context.clock);
  if (context.interrupted) stopped_ = context.interrupted();
}

bool LongVerb::go_on(std::uint64_t done, std::uint64_t total) {
  if (bar_) bar_->show(done, total);
  if (session_.context.interrupted && session_.context.interrupted()) stopped_ = true;
  return !stopped_;
}

volume::Progress LongVerb::progress() {
  return [this](std::uint64_t done, std::uint64_t total) { return go_on(done, total); };
}

void LongVerb::clear_bar() {
  if (bar_) bar_->clear();
}

// The job that this process began and that has just been stopped: its id, or an empty text where it
// can only be started anew.
std::optional<std::string> LongVerb::stopped_job() {
  const auto core = session_.services();
  const auto jobs = core ? core->jobs->list() : Result<std::vector<volume::Job>>();
  if (jobs)
    for (const volume::Job& job : *jobs)
      if (job.volume == volume_ && job.state == volume::JobState::kStopped &&
          job.started >= session_.context.now)
        return needs_its_caller(job) ? std::string() : job.id;
  return std::nullopt;
}

int LongVerb::conclude(const Result<volume::LeftOut>& done) {
  if (!done) return finish(Status(fail(done.error())));
  clear_bar();
  if (done->count == 0) return kDone;
  std::ostream& err = session_.context.err;
  err << "fairlead: " << printable(action_) << ": incomplete, "
      << (done->count == 1 ? "1 entry was" : fmt::format("{} entries were", done->count))
      << " left out\n";
  for (const std::string& note : done->notes) err << "  " << printable(note) << '\n';
  if (done->count > done->notes.size() && !done->notes.empty())
    err << "  and " << done->count - done->notes.size() << " more\n";
  return kIncomplete;
}

int LongVerb::finish(const Status& status) {
  clear_bar();
  if (status) return kDone;
  // Ctrl-C also reaches the tools that a verb runs, so their messages are not the reason.
  if (session_.context.interrupted && session_.context.interrupted()) stopped_ = true;
  const bool may_be_stopped = stopped_ || status.error().code == Code::kUnavailable;
  const auto job = may_be_stopped ? stopped_job() : std::nullopt;
  if (!stopped_ && !job) return session_.failed(action_, status.error());
  const std::string how = job && !job->empty()
                              ? "go on with: fairlead jobs resume " + *job
                              : "nothing is left half done: run the same command again";
  session_.context.err << "fairlead: " << printable(fmt::format("{}: stopped; {}", action_, how))
                       << '\n';
  return stopped_ ? kInterrupted : kFailed;
}

}  // namespace fairlead::cli
