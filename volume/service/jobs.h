// Long verbs as jobs, which any process can list, stop and start again.
//
//   volume-job/<id>       {"verb":"clone","volume":"shop","arguments":{…},"state":"running",
//                          "done":1048576,"total":4194304,"started":1767225600}
//   volume-job-stop/<id>  {}   somebody asked the job to stop
//
// The id is the time of the start and four random digits: "20260131-120000-3f9a". A job is alive
// while its process holds the lock "volume.job-<id>": no process id is trusted, and when the lock
// can be taken the job was interrupted. (Names of volumes do not begin with a dot, so this is no
// volume's lock.) Only the job's own process writes the first record, which is why there is the
// second one.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/host.h"
#include "base/lock.h"
#include "base/state/store.h"
#include "volume/api/service.h"

namespace fairlead::volume {

// The jobs in the store. Thread-safe; borrows the store and the locks.
class JobRecords {
 public:
  JobRecords(state::Store& store, NamedLocks& locks, std::function<long long()> now = unix_time)
      : store_(store), locks_(locks), now_(std::move(now)) {}

  // All jobs, newest first; those that died are kInterrupted. Also deletes jobs that ended a week
  // ago.
  Result<std::vector<Job>> all();
  Result<Job> find(const std::string& id);  // kNotFound
  // The running job of this volume; std::nullopt when there is none.
  std::optional<Job> running(const std::string& volume);
  Status put(const Job& job);
  Status erase(const std::string& id);
  Status ask_to_stop(const std::string& id);
  bool is_asked_to_stop(const std::string& id);
  Status forget_stop(const std::string& id);
  // Takes the lock that whoever runs the job holds.
  Result<NamedLocks::Guard> claim(const std::string& id, std::chrono::milliseconds deadline);
  std::string new_id() const;
  long long now() const { return now_(); }

 private:
  bool is_alive(const std::string& id);

  state::Store& store_;
  NamedLocks& locks_;
  std::function<long long()> now_;
};

// When a job gets its record in the store.
enum class JobSeen {
  kAtOnce,
  kWhenLong,  // after half a second with progress, which most snapshots and clones never reach
};

// One long verb while it runs, on the thread that runs it:
//
//   JobRun run(jobs, {.verb = "backup", .volume = "shop"}, progress);
//   return run.end(back_up_now(..., run.progress()));
//
// Without end() the job counts as failed. Trouble with the store is logged and never stops the
// work.
class JobRun {
 public:
  struct Task {
    std::string verb, volume;
    std::map<std::string, std::string> arguments;  // enough to start the job again
  };
  // `outer` receives all progress too; it may be empty.
  JobRun(JobRecords& jobs, Task task, Progress outer, JobSeen seen = JobSeen::kAtOnce);
  JobRun(const JobRun&) = delete;
  ~JobRun();

  // The Progress to pass to the verb; valid as long as this object. It writes the record at most
  // twice a second, and stops the verb when somebody asked for that.
  Progress progress();
  template <class T>
  Result<T> end(Result<T> result) {
    if constexpr (requires { result->left_out.count; })
      if (result) job_.left_out = result->left_out.count;
    end_with(result ? nullptr : &result.error());
    return result;
  }

 private:
  bool tell(std::uint64_t done, std::uint64_t total);
  void appear();
  void write();
  void end_with(const Error* error);

  JobRecords& jobs_;
  Job job_;
  Progress outer_;
  std::optional<NamedLocks::Guard> alive_;
  std::chrono::steady_clock::time_point begun_, written_;
  bool visible_ = false, ended_ = false, stopped_ = false;
};

// Starts a job again with its arguments, and returns what it could not keep. The first JobRun that
// the verb makes, on the same thread, is this job: it keeps the id.
using JobVerb = std::function<Result<LeftOut>(const Job& job, const Progress& progress)>;

// The verbs of the service: clone, snapshot, rollback, check.
std::map<std::string, JobVerb> service_job_verbs(VolumeService& service);

// `verbs` are those that resume() can start again. Everything borrowed must outlive the result.
std::unique_ptr<VolumeJobs> make_volume_jobs(state::Store& store, NamedLocks& locks,
                                             std::map<std::string, JobVerb> verbs,
                                             std::function<long long()> now = unix_time);

}  // namespace fairlead::volume
