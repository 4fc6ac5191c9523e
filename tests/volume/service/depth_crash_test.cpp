// SIGKILL at every fault point of snapshots, clones, sizes, rollbacks, renames and the trash, over
// each backend: the same call again succeeds, store and disk agree, what was written is there,
// nothing stays mounted or attached.
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <array>
#include <filesystem>
#include <set>

#include "tests/volume/service/crash_backends.h"
#include "tests/volume/service/crash_process.h"
#include "tests/volume/service/disk_world.h"

namespace fairlead::volume {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using testing::entries_in;
using ::testing::IsEmpty;
using testing::kKilled;
using testing::read_text;
using testing::run_program;
using testing::Scratch;
using testing::Where;

constexpr int kUnsupportedExit = 4;

struct Case {
  std::string name, verb;
  std::vector<std::string> before;
  std::set<int> again = {0};  // exit codes of the same call after the crash
  std::string options = "";
};

struct Place {
  std::string backend, options;
};

struct Plan {
  Place place;
  Case verb;
};

void PrintTo(const Plan& plan, std::ostream* out) {
  *out << plan.place.backend << ' ' << plan.verb.verb;
}

std::string options_of(const Plan& plan) {
  std::string text = "backend=" + plan.place.backend;
  for (const std::string& more : {plan.place.options, plan.verb.options})
    if (!more.empty()) text += "," + more;
  return text;
}

// The file behind a loop device; empty for any other, and for one that is being freed while we
// look.
std::string shown_by(const std::string& device) {
  const UniqueFd file(::open((device + "/loop/backing_file").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> text{};
  const auto length = file ? ::read(file.get(), text.data(), text.size()) : -1;
  return length > 0 ? std::string(text.data(), static_cast<std::size_t>(length)) : std::string();
}

// One machine: a folder, and what a process that looks at it sees.
class Machine {
 public:
  explicit Machine(const Plan& plan) : plan_(plan) {}
  ~Machine() { unmount_all(); }

  int run(const std::string& verb, const std::string& fault = "") {
    return run_program({CRASH_CHILD, folder_.path(), verb, options_of(plan_)}, fault);
  }
  // The first time all that comes before the verb; later that is brought back, but for what
  // mounts.
  int prepare() {
    const auto& before = plan_.verb.before;
    const auto mounts = std::ranges::find_if(
        before, [](const std::string& verb) { return verb.starts_with("mount"); });
    if (!is_kept_) {
      if (const int code = run_all(before.begin(), mounts); code != 0) return code;
      folder_.keep();
      is_kept_ = true;
    } else {
      unmount_all();
      folder_.bring_back();
    }
    return run_all(mounts, before.end());
  }
  std::string path() const { return folder_.path(); }

  // Mounts below our folder, the deepest last.
  std::vector<std::string> mounts() const {
    std::vector<std::string> found;
    std::ifstream table("/proc/self/mountinfo");
    for (std::string line; std::getline(table, line);)
      if (const auto at = line.find(path()); at != std::string::npos)
        found.push_back(line.substr(at, line.find(' ', at) - at));
    return found;
  }
  std::vector<std::string> loops() const {
    std::vector<std::string> found;
    for (const auto& device : fs::directory_iterator("/sys/block")) {
      const std::string file = shown_by(device.path().string());
      if (file.find(path()) != std::string::npos) found.push_back(file);
    }
    return found;
  }
  void unmount_all() {
    const auto found = mounts();
    for (auto mount = found.rbegin(); mount != found.rend(); ++mount)
      ::umount2(mount->c_str(), MNT_DETACH);
    for (int k = 0; k < 300 && !loops().empty(); ++k) ::usleep(10000);
  }

 private:
  int run_all(auto verb, auto end) {
    for (; verb != end; ++verb)
      if (const int code = run(*verb); code != 0) return code;
    return 0;
  }

  Plan plan_;
  Scratch scratch_{Where::kMemory};
  testing::CrashFolder folder_{scratch_.path()};
  bool is_kept_ = false;
};

// The same with a service in it.
struct World {
  explicit World(const std::string& folder)
      : store(state::open_sqlite_store(folder + "/state.db").value()),
        locks(folder + "/locks"),
        backends(testing::make_crash_backends(folder + "/volumes")),
        service(make_volume_service(*store, locks, *backends)) {}
  std::unique_ptr<state::Store> store;
  NamedLocks locks;
  std::unique_ptr<BackendRegistry> backends;
  std::unique_ptr<VolumeService> service;
};

// The files of a volume's snapshots agree with its record (backend image keeps them as files).
void expect_snapshots(const std::string& folder, const Volume& volume) {
  const std::string place = folder + "/volumes/vol/" + volume.id + "/snapshots";
  const std::size_t there = testing::is_there(place) ? entries_in(place) : 0;
  EXPECT_EQ(there, volume.snapshots.size()) << volume.name.str();
}

// What was written last is in the volume, or in the snapshot that a rollback kept.
void expect_goods(VolumeService& service, const Volume& volume, bool written) {
  const auto mounted = service.mount(volume.name.str(), "test", "reader");
  ASSERT_TRUE(mounted) << mounted.error().text;
  const std::string goods = read_text(mounted->mountpoint + "/goods");
  EXPECT_TRUE(service.unmount(volume.name.str(), "test", "reader"));
  if (!written) return;
  EXPECT_THAT(goods, AnyOf("new", "old"));
  if (goods == "new" || volume.name.str() == "copy") return;
  const bool kept = std::ranges::any_of(volume.snapshots, [](const Snapshot& snapshot) {
    return snapshot.origin == SnapshotOrigin::kRollback;
  });
  EXPECT_TRUE(kept) << "the newest content is nowhere";
}

void expect_agreement(World& world, const std::string& folder, bool written) {
  const auto volumes = world.service->list().value();
  EXPECT_EQ(world.store->list("volume/")->size(), volumes.size());
  EXPECT_EQ(world.store->list("volume-name/")->size(), volumes.size());
  EXPECT_EQ(entries_in(folder + "/volumes/vol"), volumes.size());
  EXPECT_EQ(entries_in(folder + "/volumes/tmp"), 0U);
  EXPECT_EQ(entries_in(folder + "/volumes/trash"), world.service->trash()->size());
  for (const Volume& volume : volumes) {
    EXPECT_FALSE(volume.change) << volume.name.str();
    expect_snapshots(folder, volume);
    expect_goods(*world.service, volume, written);
    EXPECT_EQ(world.service->status(volume)->health, "ok");
  }
}

class DepthCrash : public ::testing::TestWithParam<Plan> {
 protected:
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "mounts need root";
    if (prepare_and_list() == kUnsupportedExit)
      GTEST_SKIP() << "backend " << GetParam().place.backend << " cannot do it here";
    ASSERT_FALSE(points.empty());
    written = std::ranges::count(GetParam().verb.before, "write-new") != 0;
  }
  int prepare_and_list() {
    if (const int code = machine.prepare(); code != 0) return code;
    const std::string list = machine.path() + "/points";
    const int code = machine.run(GetParam().verb.verb, "list:" + list);
    if (code == 0) points = testing::read_points(list);
    return code;
  }
  bool dies_at(const std::string& point) {
    EXPECT_EQ(machine.prepare(), 0);
    return machine.run(GetParam().verb.verb, point) == kKilled;
  }
  void heal() const {
    World world(machine.path());
    const auto report = world.service->reconcile();
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_THAT(report->failures, IsEmpty());
    EXPECT_THAT(world.service->reconcile()->actions, IsEmpty());  // once is enough
    expect_agreement(world, machine.path(), written);
  }
  void call_again() {
    EXPECT_TRUE(GetParam().verb.again.contains(machine.run(GetParam().verb.verb)));
  }
  void expect_no_leaks() const {
    {
      World world(machine.path());
      for (int k = 0; k < 2; ++k) {  // where a container stays, or was counted twice
        EXPECT_TRUE(world.service->unmount("shop", "docker", "a"));
        EXPECT_TRUE(world.service->unmount_snapshot("shop", "monday", "docker", "a"));
      }
    }
    for (int k = 0; k < 300 && !machine.loops().empty(); ++k) ::usleep(10000);
    EXPECT_THAT(machine.loops(), IsEmpty());
    EXPECT_THAT(machine.mounts(), IsEmpty());
  }

  Machine machine{GetParam()};
  std::vector<std::string> points;
  bool written = false;
};

TEST_P(DepthCrash, TheSameCallAgainSucceedsAndSoDoesAReconcileFirst) {
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    if (!dies_at(point)) continue;
    call_again();
    heal();
    expect_no_leaks();
    if (!dies_at(point)) continue;
    heal();
    call_again();
    heal();
    expect_no_leaks();
  }
}

std::vector<Plan> plans() {
  const std::vector<Place> places{{"dir", ""}, {"image", "size=16m"}};
  const std::vector<Case> cases{
      {"create", "create", {}},
      {"remove", "remove", {"create", "write-new"}, {0, 1}, "retain=1d"},
      {"mount", "mount", {"create", "write-new"}},
      {"unmount", "unmount", {"create", "write-new", "mount"}},
      {"snapshot", "snapshot", {"create", "write-new"}, {0, 3}},
      {"drop", "drop", {"create", "write-new", "snapshot"}, {0, 1}},
      {"mount_snapshot", "mount-snapshot", {"create", "write-new", "snapshot"}},
      {"unmount_snapshot",
       "unmount-snapshot",
       {"create", "write-new", "snapshot", "mount-snapshot"}},
      {"rollback", "rollback", {"create", "write-old", "snapshot", "write-new"}},
      {"resize", "resize", {"create", "write-new"}},
      {"clone", "clone", {"create", "write-new"}},
      {"clone_of_a_snapshot", "clone-snapshot", {"create", "write-old", "snapshot", "write-new"}},
      {"rename", "rename", {"create", "write-new"}},
      {"label", "label", {"create", "write-new"}},
      {"set", "set", {"create", "write-new"}},
      {"restore", "restore", {"create", "write-new", "remove"}, {0, 1}, "retain=1d"},
      {"empty", "empty", {"create", "write-new", "remove"}, {0}, "retain=1d"},
      {"schedule", "schedule", {"create", "write-new"}, {0}, "snapshots=hourly:2"},
  };
  std::vector<Plan> all{
      // an image whose file system has stopped, as on a disk that was full, goes on
      {{"image", "size=300m,fstype=xfs"},
       {"heal", "reconcile", {"create", "write-new", "mount-and-stop"}}},
      // mounts that only these have
      {{"dir", "idmap=0-100000-65536"}, {"mount_of_a_view", "mount", {"create"}}},
      {{"tmpfs", "size=16m"}, {"mount", "mount", {"create"}}},
      {{"nfs", "type=nfs,device=:/srv,o=addr=nas"}, {"mount", "mount", {"create"}}},
  };
  for (const Place& place : places)
    for (const Case& verb : cases) all.push_back({place, verb});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Verbs, DepthCrash, ::testing::ValuesIn(plans()), [](const auto& plan) {
  return plan.param.place.backend + "_" + plan.param.verb.name;
});

}  // namespace
}  // namespace fairlead::volume
