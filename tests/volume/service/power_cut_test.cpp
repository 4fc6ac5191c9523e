// The whole service on a disk whose power is cut at random moments under its verbs: the store, the
// volumes of dir and image, and a folder of backups. What was acknowledged before the cut is there
// afterwards; what was not is done or not done, and nothing between. xfs and ext4 share the cuts:
// tests/support/power_cut.h says how, and how to make more of them.
//
// Each verb runs in a process of its own: SQLite maps its index of the log, and a page of it that
// cannot be read any more ends the process (SIGBUS), as the power cut would have.
#include "tests/support/power_cut.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <map>
#include <ostream>
#include <random>
#include <set>

#include "tests/volume/service/archive_world.h"

namespace fairlead::volume {
namespace {

using fairlead::testing::PowerCut;
using fairlead::testing::PowerCutDisk;
using ::testing::AnyOf;
using testing::ArchiveWorld;
using testing::entries_in;
using ::testing::Eq;
using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::size_t kMostVolumes = 4, kMostSnapshots = 3;
constexpr unsigned kMostMounts = 100;

// One volume as its user sees it.
struct View {
  std::string backend, text;  // of the file in it
  std::uint64_t size = 0;
  std::set<std::string> snapshots;

  bool operator==(const View&) const = default;
};
using MountViews = std::map<std::string, View>;

void PrintTo(const View& view, std::ostream* out) {
  *out << fmt::format("{{{} \"{}\" {} MiB, {} snapshots}}", view.backend, view.text,
                      view.size / kMiB, view.snapshots.size());
}

bool write_durably(const std::string& folder, const std::string& text) {
  const UniqueFd above(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd file(
      ::openat(above.get(), "file.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  return file &&
         ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
         ::fsync(file.get()) == 0 &&
         ::renameat(above.get(), "file.new", above.get(), "file") == 0 && ::fsync(above.get()) == 0;
}

class Machine {
 public:
  Machine(PowerCutDisk& disk, unsigned seed) : disk_(disk), random_(seed) {}

  // One verb with a cut at a random moment of it; then a reboot, a reconcile and a comparison.
  void round() {
    const std::string verb = choose();
    SCOPED_TRACE(verb);
    // A verb on an image takes many times as long as on a folder: by one time for both it would
    // be cut each time, and nothing would ever become of it.
    const bool is_new = verb.starts_with("create");
    auto& usual = usual_[is_new ? verb : fmt::format("{} {}", views_.at(name_).backend, verb)];
    const bool is_first = usual.count() == 0;  // not cut: how long does it take here?
    const microseconds moment =
        is_first ? microseconds(std::chrono::hours(1))
                 : microseconds(random_() % static_cast<unsigned>(1 + usual.count() * 5 / 4));
    MountViews after = views_;
    const Act act = plan(verb, after);
    const Outcome outcome = in_child(act, moment);
    if (outcome.was_cut) {
      ++cuts_[verb];
      usual += usual / 8;  // on a machine that has become slow it would be cut each time
    } else {
      EXPECT_TRUE(outcome.done) << "a failure without a cut: " << outcome.text.data();
      usual = is_first ? outcome.took : (usual * 3 + outcome.took) / 4;
    }
    if (outcome.acknowledged && verb == "backup") backups_.insert(outcome.text.data());
    ASSERT_TRUE(disk_.restore());
    if (disk_.is_broken()) return;
    world_ = std::make_unique<ArchiveWorld>(disk_.path());
    compare(outcome.acknowledged, after);
    world_.reset();
  }
  unsigned cuts() const {
    unsigned sum = 0;
    for (const auto& [verb, count] : cuts_) sum += count;
    return sum;
  }
  const std::map<std::string, unsigned>& cuts_of_verbs() const { return cuts_; }

 private:
  // A verb: what it returned as text (the id of a backup), or why it failed.
  using Act = std::function<Result<std::string>()>;
  struct Outcome {
    bool was_cut = true, done = false, acknowledged = false;
    microseconds took{0};
    std::array<char, 200> text{};
  };
  // A child that dies was cut: nobody heard its answer.
  Outcome in_child(const Act& act, microseconds moment) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::signal(SIGBUS, SIG_DFL);  // AddressSanitizer's would make it look as a bug of ours
      const Outcome outcome = cut_while(act, moment);
      ::_exit(::write(ends[1], &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
    }
    ::close(ends[1]);
    Outcome outcome;
    const UniqueFd answer(ends[0]);
    const bool told = ::read(answer.get(), &outcome, sizeof outcome) == sizeof outcome;
    int status = 0;
    ::waitpid(child, &status, 0);
    if (told) return outcome;
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) << "it died of " << status;
    return {};
  }
  Outcome cut_while(const Act& act, microseconds moment) {
    world_ = std::make_unique<ArchiveWorld>(disk_.path());
    Outcome outcome;
    PowerCut cut(disk_, moment);
    const auto begin = Clock::now();
    const auto done = act();
    outcome.done = done.has_value();
    outcome.acknowledged = done && !cut.has_begun();
    outcome.took = std::chrono::duration_cast<microseconds>(Clock::now() - begin);
    outcome.was_cut = cut.call_off();
    const std::string& text = done ? *done : done.error().text;
    text.copy(outcome.text.data(), outcome.text.size() - 1);
    return outcome;
  }
  VolumeService& service() { return *world_->service; }
  std::string backup_folder() const { return disk_.path() + "/backup"; }

  std::string choose() {
    std::vector<std::string> verbs;
    if (views_.size() < kMostVolumes) verbs.insert(verbs.end(), {"create_dir", "create_image"});
    if (!views_.empty()) {
      name_ = std::next(views_.begin(), static_cast<long>(random_() % views_.size()))->first;
      verbs.insert(verbs.end(), {"write", "write", "rename", "backup", "label"});
      const View& view = views_.at(name_);
      if (view.backend == "image") verbs.insert(verbs.end(), {"resize", "resize"});
      if (view.snapshots.size() < kMostSnapshots)
        verbs.insert(verbs.end(), {"snapshot", "snapshot"});
      if (!view.snapshots.empty()) verbs.emplace_back("drop");
      if (views_.size() < kMostVolumes) verbs.emplace_back("clone");
      if (views_.size() > 1) verbs.emplace_back("remove");
    }
    fairlead::testing::prefer_uncut(verbs, cuts_);
    return verbs[random_() % verbs.size()];
  }
  template <class Value>
  static Result<std::string> plain(const Result<Value>& result) {
    if (!result) return fail(result.error());
    return std::string();
  }
  std::string fresh() { return fmt::format("v{}", ++names_); }

  // What the verb does; `after` becomes what its user may expect from then on.
  Act plan(const std::string& verb, MountViews& after) {
    if (verb.starts_with("create")) return create(after, verb == "create_image");
    if (verb == "clone") return clone(after);
    View& view = after[name_];
    if (verb == "write") {
      view.text = fmt::format("text {}", ++names_);
      return [this, text = view.text] { return write(text); };
    }
    if (verb == "snapshot") {
      const std::string snapshot = fresh();
      view.snapshots.insert(snapshot);
      return [=, this] { return plain(service().take_snapshot(name_, snapshot, {})); };
    }
    if (verb == "drop") {
      const std::string snapshot = *view.snapshots.begin();
      view.snapshots.erase(snapshot);
      return [=, this] { return plain(service().drop_snapshot(name_, snapshot)); };
    }
    if (verb == "resize") {
      const std::uint64_t size = (24 + random_() % 4 * 8) * kMiB;
      view.size = size;
      return [=, this] {
        unmount_all();
        return plain(service().resize(name_, size));
      };
    }
    if (verb == "rename") {
      const std::string to = fresh();
      after[to] = view;
      after.erase(name_);
      return [=, this] { return plain(service().rename(name_, to)); };
    }
    if (verb == "remove") {
      after.erase(name_);
      return [this] { return plain(service().remove(name_)); };
    }
    if (verb == "label") return [this] { return plain(service().set_labels(name_, {{"a", "b"}})); };
    return [this] {
      return world_->archives->back_up(name_, backup_folder(), {}).map([](const BackupInfo& info) {
        return info.id;
      });
    };
  }
  Act create(MountViews& after, bool image) {
    const std::string to = fresh();
    std::map<std::string, std::string> options{{"backend", image ? "image" : "dir"}};
    if (image) options["size"] = "24m";
    after[to] = {.backend = options["backend"], .size = image ? 24 * kMiB : 0};
    return [=, this] { return plain(service().create(ArchiveWorld::spec(to, options))); };
  }
  Act clone(MountViews& after) {
    const std::string to = fresh();
    after[to] = after.at(name_);
    after[to].snapshots.clear();
    // A clone that takes long goes on behind the answer; with a progress it is waited for.
    const Progress wait = [](std::uint64_t, std::uint64_t) { return true; };
    return [=, this] {
      unmount_all();
      return plain(service().create(ArchiveWorld::spec(to, {{"from", name_}}), wait));
    };
  }
  // Each cut under "write" may leave a mount counted. A mounted volume does not shrink, and cannot
  // be cloned everywhere.
  void unmount_all() {
    for (unsigned k = 0; k < kMostMounts && service().unmount(name_, "test", "writer"); ++k) {
      const auto volume = service().inspect(name_);
      if (volume && volume->mounts.empty()) return;
    }
  }
  Result<std::string> write(const std::string& text) {
    TRY(const auto mounted, service().mount(name_, "test", "writer"));
    if (!write_durably(mounted.mountpoint, text)) return fail(Code::kIo, "write {}", text);
    TRY_STATUS(service().unmount(name_, "test", "writer"));
    return text;
  }

  void compare(bool acknowledged, const MountViews& after) {
    const auto report = service().reconcile();
    ASSERT_TRUE(report) << report.error().text;
    for (const std::string& failure : report->failures) ADD_FAILURE() << failure;
    const MountViews now = look();
    if (acknowledged)
      EXPECT_THAT(now, Eq(after));
    else
      EXPECT_THAT(now, AnyOf(Eq(views_), Eq(after)));
    views_ = now;
    compare_disk();
    compare_backups();
  }
  MountViews look() {
    MountViews now;
    const auto volumes = service().list().value();
    for (const Volume& volume : volumes) {
      const std::string& name = volume.name.str();
      View& view = now[name];
      view.backend = volume.backend;
      const auto status = service().status(volume);
      EXPECT_EQ(status->health, "ok") << name;
      view.size = volume.backend == "image" ? status->size.value_or(0) : 0;
      for (const Snapshot& snapshot : volume.snapshots) view.snapshots.insert(snapshot.name.str());
      const auto mounted = service().mount(name, "test", "reader");
      EXPECT_TRUE(mounted) << mounted.error().text;
      if (!mounted) continue;
      view.text = testing::read_text(mounted->mountpoint + "/file");
      EXPECT_TRUE(service().unmount(name, "test", "reader"));
    }
    return now;
  }
  void compare_disk() {
    const std::string volumes = disk_.path() + "/volumes";
    if (!testing::is_there(volumes + "/vol")) {
      EXPECT_TRUE(views_.empty());
      return;
    }
    for (int k = 0; k < 500 && entries_in(volumes + "/trash") > 0; ++k)
      ::usleep(10000);  // removed behind the answer
    EXPECT_EQ(entries_in(volumes + "/trash"), 0U);
    EXPECT_EQ(entries_in(volumes + "/tmp"), 0U);
    EXPECT_EQ(entries_in(volumes + "/vol"), views_.size());
    EXPECT_EQ(world_->store->list("volume/")->size(), views_.size());
    EXPECT_EQ(world_->store->list("volume-name/")->size(), views_.size());
  }
  void compare_backups() {
    if (!testing::is_there(backup_folder() + "/fairlead-backup.json")) {
      EXPECT_TRUE(backups_.empty());
      return;
    }
    const auto there = world_->archives->backups(backup_folder());
    ASSERT_TRUE(there) << there.error().text;
    std::set<std::string> ids;
    for (const BackupInfo& info : *there) ids.insert(info.id);
    for (const std::string& id : backups_) EXPECT_TRUE(ids.contains(id)) << "lost backup " << id;
    if (ids.empty()) return;
    const auto verified = world_->archives->verify(backup_folder(), "", {});
    ASSERT_TRUE(verified) << verified.error().text;
    EXPECT_TRUE(verified->clean) << ::testing::PrintToString(verified->findings);
  }

  PowerCutDisk& disk_;
  std::mt19937 random_;
  std::unique_ptr<ArchiveWorld> world_;
  MountViews views_;               // what is there
  std::set<std::string> backups_;  // acknowledged ones
  std::string name_;               // of the volume that the verb is about
  std::map<std::string, microseconds> usual_;
  std::map<std::string, unsigned> cuts_;
  unsigned names_ = 0;
};

constexpr unsigned kMostDisks = 3;

void cut_again_and_again(const std::string& type, unsigned all) {
  const unsigned wanted = fairlead::testing::power_cuts(all);
  unsigned seed = fairlead::testing::power_cut_seed(type);
  unsigned cuts = 0;
  std::map<std::string, unsigned> of_verbs;
  for (unsigned disks = 0; cuts < wanted && !::testing::Test::HasFailure(); ++disks, ++seed) {
    ASSERT_LT(disks, kMostDisks) << "each of them broke";
    PowerCutDisk disk(type, 1ULL << 30);
    if (!disk.ok()) GTEST_SKIP() << disk.why();
    Machine machine(disk, seed);
    for (unsigned round = 0; cuts + machine.cuts() < wanted && !disk.is_broken(); ++round) {
      SCOPED_TRACE(fmt::format("seed {}, round {}", seed, round));
      machine.round();
      if (::testing::Test::HasFailure()) break;
    }
    cuts += machine.cuts();
    for (const auto& [verb, count] : machine.cuts_of_verbs()) of_verbs[verb] += count;
  }
  for (const auto& [verb, count] : of_verbs)
    ::testing::Test::RecordProperty("cuts_under_" + verb, static_cast<int>(count));
}

TEST(ServicePowerCut, StoreAndDiskAgreeOverXfs) { cut_again_and_again("xfs", 120); }
TEST(ServicePowerCut, StoreAndDiskAgreeOverExt4) { cut_again_and_again("ext4", 120); }

}  // namespace
}  // namespace fairlead::volume
