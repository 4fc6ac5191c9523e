#include <algorithm>
#include <ctime>

#include "base/hash.h"
#include "base/json/fields.h"
#include "base/log.h"
#include "base/text.h"
#include "volume/service/jobs.h"

namespace fairlead::volume {

using json::defaulted;
using json::required;
using json::sparse;

namespace {

using namespace std::chrono_literals;

constexpr std::string_view kJobPrefix = "volume-job/", kStopPrefix = "volume-job-stop/";
constexpr long long kKeptFor = 7 * 86400;
// Another process may be trying the same lock for the same reason.
constexpr auto kAliveDeadline = 20ms;
constexpr std::size_t kLongestId = 64;

std::string job_key(const std::string& id) { return fmt::format("{}{}", kJobPrefix, id); }
std::string stop_key(const std::string& id) { return fmt::format("{}{}", kStopPrefix, id); }

constexpr auto kState = json::one_of<JobState::kRunning, JobState::kDone, JobState::kFailed,
                                     JobState::kStopped, JobState::kInterrupted>();
constexpr auto kJob =
    json::fields(required<&Job::verb>("verb"), required<&Job::volume>("volume"),
                 defaulted<&Job::arguments>("arguments"), required<&Job::state>("state", kState),
                 defaulted<&Job::done>("done"), defaulted<&Job::total>("total"),
                 required<&Job::started>("started"), sparse<&Job::ended>("ended"),
                 sparse<&Job::error>("error"), sparse<&Job::left_out>("left_out"));

Result<Job> read_job(const state::Record& record) {
  TRY(const auto document, json::parse(record.value));
  TRY(auto job, json::read(document, kJob));
  job.id = record.key.substr(kJobPrefix.size());
  return job;
}

Result<Job> parse_job(const state::Record& record) {
  auto job = read_job(record);
  if (!job)
    return fail(Code::kInternal, "the record {} of a job cannot be read: {}", record.key,
                job.error().text);
  return job;
}

std::string to_text(const Job& job) { return json::dump(json::write(job, kJob)); }

bool is_job_id(std::string_view text) {
  return !text.empty() && text.size() <= kLongestId && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-';
  });
}

tl::unexpected<Error> no_such_job(const std::string& id) {
  return fail(Code::kNotFound, "job \"{}\" does not exist", shown(id));
}

}  // namespace

std::string JobRecords::new_id() const {
  const std::time_t now = now_();
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  return fmt::format("{:04}{:02}{:02}-{:02}{:02}{:02}-{}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, random_hex(4));
}

Result<NamedLocks::Guard> JobRecords::claim(const std::string& id,
                                            std::chrono::milliseconds deadline) {
  return locks_.lock("volume.job-" + id, deadline);
}

bool JobRecords::is_alive(const std::string& id) {
  const auto claimed = claim(id, kAliveDeadline);
  return !claimed && claimed.error().code == Code::kUnavailable;
}

Result<Job> JobRecords::find(const std::string& id) {
  if (!is_job_id(id)) return no_such_job(id);
  TRY(const auto record, store_.get(job_key(id)));
  if (!record) return no_such_job(id);
  TRY(auto job, parse_job(*record));
  if (job.state == JobState::kRunning && !is_alive(id)) {
    // It may have ended between the two looks.
    TRY(const auto again, store_.get(job_key(id)));
    if (!again) return no_such_job(id);
    TRY(job, parse_job(*again));
    if (job.state == JobState::kRunning) job.state = JobState::kInterrupted;
  }
  return job;
}

Result<std::vector<Job>> JobRecords::all() {
  TRY(const auto records, store_.list(kJobPrefix));
  std::vector<Job> jobs;
  for (const state::Record& record : records) {
    auto job = find(record.key.substr(kJobPrefix.size()));
    if (!job && job.error().code != Code::kNotFound)
      log::error("a job is left out of the list", {{"error", job.error().text}});
    if (!job) continue;
    const bool over =
        job->state != JobState::kRunning && std::max(job->started, job->ended) + kKeptFor <= now_();
    if (over)
      (void)erase(job->id);  // or next time
    else
      jobs.push_back(std::move(*job));
  }
  std::ranges::sort(jobs, std::greater(), &Job::id);
  return jobs;
}

std::optional<Job> JobRecords::running(const std::string& volume) {
  const auto jobs = all();
  if (!jobs) return std::nullopt;
  const auto found = std::ranges::find_if(*jobs, [&](const Job& job) {
    return job.volume == volume && job.state == JobState::kRunning;
  });
  return found == jobs->end() ? std::nullopt : std::optional(*found);
}

// Of this boot or of an earlier one: what a job had done by then is a hint.
Status JobRecords::put(const Job& job) {
  return status_of(store_.commit({.preconditions = {},
                                  .puts = {{job_key(job.id), to_text(job)}},
                                  .deletes = {},
                                  .durability = state::Durability::kBoot}));
}

Status JobRecords::erase(const std::string& id) {
  return status_of(store_.commit({.preconditions = {},
                                  .puts = {},
                                  .deletes = {job_key(id), stop_key(id)},
                                  .durability = state::Durability::kBoot}));
}

Status JobRecords::ask_to_stop(const std::string& id) {
  return status_of(store_.commit({.preconditions = {},
                                  .puts = {{stop_key(id), "{}"}},
                                  .deletes = {},
                                  .durability = state::Durability::kBoot}));
}

Status JobRecords::forget_stop(const std::string& id) {
  return status_of(store_.commit({.preconditions = {},
                                  .puts = {},
                                  .deletes = {stop_key(id)},
                                  .durability = state::Durability::kBoot}));
}

bool JobRecords::is_asked_to_stop(const std::string& id) {
  const auto asked = store_.get(stop_key(id));
  return asked && *asked;
}

}  // namespace fairlead::volume
