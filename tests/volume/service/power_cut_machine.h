// A machine whose power is cut at random moments under the verbs of the volume service, and what its
// user may expect of it: the volumes of dir and image with their snapshots, and a folder of backups.
//
// Each verb runs in a process of its own: SQLite maps its index of the log, and a page of it that
// cannot be read any more ends the process (SIGBUS), as the power cut would have.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/support/power_cut.h"
#include "tests/volume/service/archive_world.h"
#include "volume/service/groups.h"

namespace fairlead::volume::testing {

// What a volume or a snapshot holds, as a user sees it.
struct Held {
  std::string text;        // of the file in it
  std::uint64_t size = 0;  // bytes, of an image
  bool operator==(const Held&) const = default;
};

// The name of the snapshot that a roll-back has left, whose own name has the time in it.
inline constexpr const char* kReplaced = "replaced";

struct View {
  std::string backend;
  Held now;
  std::map<std::string, Held> snapshots;  // by name
  bool operator==(const View&) const = default;
};
using Views = std::map<std::string, View>;

void PrintTo(const View& view, std::ostream* out);

// What a backup holds.
struct BackedUp {
  std::string volume, backend;
  Held held;
};
using Backups = std::map<std::string, BackedUp>;  // by id

class Machine;

// One verb with its arguments.
struct Round {
  // Runs in the child: what it returned as text (the id of a backup), or why it failed.
  using Act = std::function<Result<std::string>()>;
  Act act;
  Views after;  // what its user may expect once it has succeeded
  // Backups that may be gone afterwards, and those that are when it has succeeded.
  std::set<std::string> may_go, must_go;
  bool makes_backup = false;
  std::function<void()> after_reboot = {};  // what its user does then; empty: nothing
};

struct Verb {
  std::string name;
  unsigned often;  // against the others
  std::function<bool(Machine&)> fits;
  std::function<void(Machine&, Round&)> plan;
};
using Verbs = std::vector<Verb>;

Verbs volume_verbs();
Verbs snapshot_verbs();
Verbs backup_verbs();

class Machine {
 public:
  Machine(fairlead::testing::PowerCutDisk& disk, unsigned seed);

  // One verb with a cut at a random moment of it; then a reboot, a reconcile and a comparison.
  void round();
  unsigned cuts() const;
  const std::map<std::string, unsigned>& cuts_of_verbs() const { return cuts_; }

  // --- for verbs
  static constexpr std::size_t kMostVolumes = 4, kMostSnapshots = 3;
  static constexpr std::uint64_t kMiB = 1 << 20;

  VolumeService& service() { return *world_->service; }
  VolumeArchives& archives() { return *world_->archives; }
  std::unique_ptr<VolumeGroups> groups();
  const Views& views() const { return views_; }
  const Backups& backups() const { return backups_; }
  const std::string& name() const { return name_; }  // of the volume that the verb is about
  const View& view() const { return views_.at(name_); }
  bool has_room() const { return views_.size() < kMostVolumes; }
  std::string fresh(const std::string& kind) { return fmt::format("{}{}", kind, ++names_); }
  std::size_t random(std::size_t below) { return random_() % below; }
  std::string disk() const { return disk_.path(); }
  std::string backup_folder() const { return disk_.path() + "/backup"; }
  void next_day() { now_ += 86400; }
  Result<std::string> write(const std::string& text);
  // What the service does between two rounds, in this process.
  void with_service(const std::function<void()>& act);
  void reconcile();

 private:
  struct Outcome {
    bool was_cut = true, done = false, acknowledged = false;
    std::chrono::microseconds took{0};
    std::array<char, 200> text{};
  };

  const Verb& choose();
  void open();
  Environment environment() const;
  // A child that dies was cut: nobody heard its answer.
  Outcome in_child(const Round::Act& act, std::chrono::microseconds moment);
  Outcome cut_while(const Round::Act& act, std::chrono::microseconds moment);
  void compare(const Round& round, const Outcome& outcome);
  Views look();
  View look_at(const Volume& volume);
  Held look_at(const Volume& volume, const Snapshot& snapshot);
  void compare_disk();
  void compare_backups(const Round& round, const Outcome& outcome);

  fairlead::testing::PowerCutDisk& disk_;
  std::mt19937 random_;
  Verbs verbs_;
  std::unique_ptr<ArchiveWorld> world_;
  Views views_;      // what is there
  Backups backups_;  // those that were seen, or acknowledged
  std::string name_;
  std::map<std::string, std::chrono::microseconds> usual_;
  std::map<std::string, unsigned> cuts_;
  unsigned names_ = 0, boots_ = 0;
  long long now_ = unix_time();
};

}  // namespace fairlead::volume::testing
