#include "volume/service/remote_lock.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <optional>
#include <thread>

#include "base/hash.h"
#include "base/host.h"
#include "base/json/fields.h"
#include "base/log.h"
#include "base/text.h"
#include "volume/kernel/process_id.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;
using Use = BackupStorage::Use;

constexpr int kAttempts = 4;            // where two want it at the same time
constexpr std::int64_t kJustNow = 5;    // seconds: a lock that is so young may be given up again
constexpr std::size_t kLongest = 4096;  // bytes of a lock's file

// --- what a lock's file says

// (Not "Holder": g++ 12 takes tables of fields of equally named structs of two files for one.)
struct LockOwner {
  std::string host, verb;
  std::int64_t since = 0;
  std::string boot, pid_namespace;
  std::int64_t pid = 0, started = 0;
};
constexpr auto kLockOwner = json::fields(
    json::required<&LockOwner::host>("host"), json::required<&LockOwner::verb>("verb"),
    json::required<&LockOwner::since>("since"), json::required<&LockOwner::boot>("boot"),
    json::required<&LockOwner::pid_namespace>("pid_namespace"),
    json::required<&LockOwner::pid>("pid"), json::required<&LockOwner::started>("started"));

std::string describe_self(const std::string& verb) {
  const ProcessId self = own_process();
  const LockOwner holder{host_name(),        verb,     unix_time(), self.boot,
                         self.pid_namespace, self.pid, self.started};
  return json::dump(json::write(holder, kLockOwner)) + "\n";
}

std::optional<LockOwner> parse_holder(const std::string& text) {
  const auto document = json::parse(text);
  if (!document) return std::nullopt;
  auto holder = json::read(*document, kLockOwner);
  return holder ? std::optional(std::move(*holder)) : std::nullopt;
}

bool is_holder_dead(const LockOwner& holder) {
  return is_dead({holder.boot, holder.pid_namespace, holder.pid, holder.started});
}

// --- names

struct LockName {
  std::string owner;  // 16 hex digits
  Use use = Use::kRead;
};

std::string lock_name(const LockName& lock, unsigned number) {
  return fmt::format("lock.{}.{}.{}", lock.owner, lock.use == Use::kWrite ? 'w' : 'r', number);
}

std::optional<LockName> parse_lock_name(std::string_view name) {
  constexpr std::string_view kStart = "lock.";
  constexpr std::size_t kOwner = 16;
  if (!name.starts_with(kStart)) return std::nullopt;
  name.remove_prefix(kStart.size());
  if (name.size() < kOwner + 4 || name[kOwner] != '.' || name[kOwner + 2] != '.' ||
      (name[kOwner + 1] != 'r' && name[kOwner + 1] != 'w') ||
      name.substr(0, kOwner).find_first_not_of("0123456789abcdef") != name.npos ||
      name.substr(kOwner + 3).find_first_not_of("0123456789") != name.npos)
    return std::nullopt;
  return LockName{std::string(name.substr(0, kOwner)),
                  name[kOwner + 1] == 'w' ? Use::kWrite : Use::kRead};
}

// --- the locks of others

struct Other {
  Use use = Use::kRead;
  std::int64_t age = 0;  // seconds since the last renewal, by the server's clock
  std::vector<std::string> files;
};

// Seconds that pass while the host sleeps too.
std::int64_t boot_milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

class RemoteLock : public BackupStorage::Lock {
 public:
  RemoteLock(LockPlace place, Use use, const std::string& verb)
      : place_(std::move(place)),
        own_{random_hex(16), use},
        text_(describe_self(verb)),
        renewed_(boot_milliseconds()) {}
  ~RemoteLock() override;

  Status acquire();
  Status check() override;

 private:
  std::string file() const { return place_.path + "/" + lock_name(own_, number_); }
  Status write_file(SftpClient& client, const std::string& path);
  Result<std::map<std::string, Other>> others();
  Result<bool> is_void(const Other& other, std::optional<LockOwner>& holder);
  Status refuse(const Other& other, const std::optional<LockOwner>& holder) const;
  Result<bool> try_once(Status& refusal);
  void give_back();
  void run();
  void renew();

  LockPlace place_;
  const LockName own_;
  const std::string text_;
  unsigned number_ = 0;
  bool is_written_ = false;

  std::atomic<bool> lost_ = false;
  std::atomic<std::int64_t> renewed_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::thread thread_;
};

Status RemoteLock::write_file(SftpClient& client, const std::string& path) {
  const std::string what = fmt::format("lock {}", place_.name);
  auto open = client.open(path, sftp::Open::kNew);
  TRY(const auto handle, client.wait_handle(open, what));
  auto write = client.write(handle, 0, text_);
  auto close = client.close(handle);
  TRY_STATUS(client.wait(write, what));
  return client.wait(close, what);
}

Result<std::map<std::string, Other>> RemoteLock::others() {
  TRY(const auto entries, list_remote(*place_.client, place_.path.empty() ? "/" : place_.path));
  std::optional<std::int64_t> now;
  std::map<std::string, Other> found;
  std::map<std::string, std::int64_t> renewed;
  for (const sftp::Entry& entry : entries) {
    const auto lock = parse_lock_name(entry.name);
    if (!lock) continue;
    const std::int64_t modified = entry.attributes.modified.value_or(0);
    if (lock->owner == own_.owner) {
      now = std::max(now.value_or(0), modified);
      continue;
    }
    Other& other = found[lock->owner];
    other.use = lock->use;
    other.files.push_back(entry.name);
    renewed[lock->owner] = std::max(renewed[lock->owner], modified);
  }
  if (!now && is_written_)
    return fail(Code::kUnavailable, "lock {}: what was written there is not to be seen",
                place_.name);
  for (auto& [owner, other] : found) other.age = now ? *now - renewed[owner] : 0;
  return found;
}

// Whether nobody has this lock any more.
Result<bool> RemoteLock::is_void(const Other& other, std::optional<LockOwner>& holder) {
  if (other.age > place_.times.stale.count()) return true;
  const std::string path = place_.path + "/" + other.files.front();
  auto file = open_remote(place_.client, path);
  if (!file && file.error().code == Code::kNotFound)
    return false;  // renewed just now, or given back
  if (!file) return fail(file.error());
  std::string text(std::min<std::uint64_t>((*file)->size(), kLongest), '\0');
  const BackupRange all{.offset = 0, .into = text};
  if (!text.empty()) TRY_STATUS((*file)->read({&all, 1}));
  holder = parse_holder(text);
  return holder && is_holder_dead(*holder);
}

Status RemoteLock::refuse(const Other& other, const std::optional<LockOwner>& holder) const {
  if (!holder)
    return fail(Code::kUnavailable,
                "the backup folder {} is in use by somebody else; try again when he has ended",
                place_.name);
  return fail(Code::kUnavailable,
              "the backup folder {} is in use by {} on {} (process {}, since {} s; renewed {} s "
              "ago); try again when it has ended",
              place_.name, shown(holder->verb), shown(holder->host), holder->pid,
              std::max<std::int64_t>(0, unix_time() - holder->since), other.age);
}

// Whether it is ours. Otherwise the refusal; empty when the other one has just come as well.
Result<bool> RemoteLock::try_once(Status& refusal) {
  TRY(const auto found, others());
  for (const auto& [owner, other] : found) {
    if (own_.use == Use::kRead && other.use == Use::kRead) continue;
    std::optional<LockOwner> holder;
    TRY(const bool gone, is_void(other, holder));
    if (!gone) {
      refusal = refuse(other, holder);
      if (other.age <= kJustNow) return false;
      return fail(refusal.error());
    }
    for (const std::string& name : other.files) {
      auto removed = place_.client->remove(place_.path + "/" + name);
      const auto done = place_.client->wait(removed, fmt::format("take over the lock {}", name));
      if (!done && done.error().code != Code::kNotFound) return fail(done.error());
    }
    log::info("a lock that nobody held any more was taken away",
              {{"folder", place_.name}, {"renewed_seconds_ago", std::to_string(other.age)}});
  }
  return true;
}

Status RemoteLock::acquire() {
  Status refusal;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto written = write_file(*place_.client, file());
    is_written_ = written.has_value();
    if (!written && own_.use == Use::kWrite) return written;
    const auto ours = try_once(refusal);
    if (ours && *ours) {
      renewed_ = boot_milliseconds();
      if (is_written_) thread_ = std::thread([this] { run(); });
      return {};
    }
    give_back();
    if (!ours) return fail(ours.error());
    std::this_thread::sleep_for(std::chrono::milliseconds(50 + random_word() % 400));
  }
  return refusal;
}

Status RemoteLock::check() {
  const auto lost = [&](std::string_view why) {
    return fail(Code::kUnavailable, "the lock of the backup folder {} is lost: {}", place_.name,
                why);
  };
  if (lost_) return lost("somebody else has taken it over");
  if (is_written_ && boot_milliseconds() - renewed_ > place_.times.doubt.count())
    return lost("it could not be renewed");
  return {};
}

void RemoteLock::renew() {
  const std::string before = file();
  ++number_;
  if (const auto written = write_file(*place_.client, file()); !written) {
    --number_;
    log::warn("a lock could not be renewed",
              {{"folder", place_.name}, {"error", written.error().text}});
    return;
  }
  auto removed = place_.client->remove(before);
  const auto done = place_.client->wait(removed, "renew the lock");
  if (done) renewed_ = boot_milliseconds();
  if (!done && done.error().code == Code::kNotFound) lost_ = true;  // others take it away only then
}

void RemoteLock::run() {
  std::unique_lock hold(mutex_);
  while (!ending_ && !lost_) {
    changed_.wait_for(hold, place_.times.renew);
    if (ending_) return;
    hold.unlock();
    renew();
    hold.lock();
  }
}

void RemoteLock::give_back() {
  if (!std::exchange(is_written_, false)) return;
  const auto remove = [&](SftpClient& client) {
    auto removed = client.remove(file());
    return client.wait(removed, "give the lock back", SftpClient::Patience::kLast);
  };
  const auto removed = remove(*place_.client);
  if (removed || removed.error().code == Code::kNotFound || !place_.reconnect) return;
  if (const auto again = place_.reconnect()) {
    if (remove(**again)) return;
  }
  log::warn("a lock could not be given back; it is void in a while",
            {{"folder", place_.name}, {"error", removed.error().text}});
}

RemoteLock::~RemoteLock() {
  {
    const std::scoped_lock hold(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  give_back();
}

}  // namespace

bool is_lock_name(std::string_view name) { return parse_lock_name(name).has_value(); }

Result<std::shared_ptr<BackupStorage::Lock>> take_remote_lock(LockPlace place, Use use,
                                                              const std::string& verb) {
  auto lock = std::make_shared<RemoteLock>(std::move(place), use, verb);
  TRY_STATUS(lock->acquire());
  return std::shared_ptr<BackupStorage::Lock>(std::move(lock));
}

}  // namespace fairlead::volume
