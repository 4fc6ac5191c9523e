// Backend image on a disk whose power is cut at random moments under every verb. The test is the
// service: it keeps what was acknowledged, and after a cut does what the service does with an open
// intent (undoes a create or a snapshot, finishes everything else). xfs and ext4 share the cuts:
// tests/support/power_cut.h says how, and how to make more of them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <map>
#include <random>

#include "base/hash.h"
#include "tests/support/power_cut.h"
#include "tests/volume/backends/a_volume.h"
#include "volume/backends/image.h"

namespace fairlead::volume {
namespace {

using fairlead::testing::PowerCut;
using fairlead::testing::PowerCutDisk;
using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::size_t kMostVolumes = 3, kMostSnapshots = 3;

// Flushed, as far as the one who writes can tell.
bool write_durably(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const std::string folder = path.substr(0, path.rfind('/'));
  const UniqueFd above(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return file && above &&
         ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
         ::fsync(file.get()) == 0 && ::fsync(above.get()) == 0;
}

std::string read_durable(int data) {
  const UniqueFd file(::openat(data, "file", O_RDONLY | O_CLOEXEC));
  std::string text(64, '\0');
  const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : -1;
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

// What was acknowledged of one volume.
struct Known {
  Volume volume;
  std::uint64_t size = 0;
  std::string text;                                                   // of the file in it
  std::map<std::string, std::pair<Snapshot, std::string>> snapshots;  // with the text at that time
};

class Machine {
 public:
  Machine(PowerCutDisk& disk, bool reflink, unsigned seed)
      : disk_(disk), reflink_(reflink), random_(seed), backend_(make_image_backend(root())) {}

  // One verb with a cut at a random moment of it; what it left is repaired and compared.
  void round() {
    auto verbs = possible();
    fairlead::testing::prefer_uncut(verbs, cuts_);
    const std::string verb = verbs.at(random_() % verbs.size());
    SCOPED_TRACE(verb);
    auto& usual = usual_[verb];
    const bool is_first = usual.count() == 0;  // not cut: how long does it take here?
    PowerCut cut(disk_, is_first ? microseconds(std::chrono::hours(1))
                                 : microseconds(random_() %
                                                static_cast<unsigned>(1 + usual.count() * 5 / 4)));
    cut_ = &cut;
    const auto begin = Clock::now();
    const Repair repair = run(verb);
    const auto took = std::chrono::duration_cast<microseconds>(Clock::now() - begin);
    if (cut.call_off()) {
      ++cuts_[verb];
      usual += usual / 8;  // on a machine that has become slow it would be cut each time
    } else {
      usual = is_first ? took : (usual * 3 + took) / 4;
    }
    ASSERT_TRUE(disk_.restore());
    if (disk_.is_broken()) return;
    backend_ = make_image_backend(root());
    if (repair) repair();
    compare();
  }
  unsigned cuts() const {
    unsigned sum = 0;
    for (const auto& [verb, count] : cuts_) sum += count;
    return sum;
  }
  const std::map<std::string, unsigned>& cuts_of_verbs() const { return cuts_; }
  std::map<std::string, microseconds> usual() const { return usual_; }

 private:
  using Repair = std::function<void()>;  // empty: the verb was acknowledged
  std::string root() const { return disk_.path() + "/root"; }

  std::vector<std::string> possible() {
    std::vector<std::string> verbs;
    if (known_.size() < kMostVolumes) verbs.insert(verbs.end(), {"create", "create"});
    if (known_.empty()) return verbs;
    verbs.insert(verbs.end(), {"write", "write", "resize", "snapshot"});
    if (known_.size() < kMostVolumes) verbs.emplace_back("clone");
    if (known_.size() > 1) verbs.emplace_back("remove");
    if (!some().snapshots.empty()) verbs.insert(verbs.end(), {"rollback", "drop"});
    return verbs;
  }
  Known& some() {
    auto at = known_.begin();
    std::advance(at, chosen_ % known_.size());
    return at->second;
  }
  Repair run(const std::string& verb) {
    if (verb == "create") return create();
    Known& known = some();
    if (verb == "write") return write(known);
    if (verb == "resize") return resize(known);
    if (verb == "snapshot") return snapshot(known);
    if (verb == "clone") return clone(known);
    if (verb == "remove") return remove(known);
    if (verb == "rollback") return roll_back(known);
    return drop(known);
  }

  Volume a_volume(std::uint64_t size) {
    return testing::a_volume("image", {{"size", fmt::format("{}m", size / kMiB)}});
  }
  // Somebody has heard that it was done.
  bool acknowledged(const Status& done) const { return done && !cut_->has_begun(); }
  template <class Value>
  static void must(const Result<Value>& result, const char* what) {
    EXPECT_TRUE(result) << what << ": " << result.error().text;
  }
  Repair create() {
    Known made{.volume = a_volume(24 * kMiB), .size = 24 * kMiB};
    Rollback undo;
    const auto done = backend_->create(made.volume, undo);
    undo.commit();  // the process died
    if (!acknowledged(done))
      return [this, volume = made.volume] { must(backend_->discard(volume), "discard"); };
    known_[made.volume.id] = made;
    return {};
  }
  Repair clone(Known& source) {
    Known made{.volume = a_volume(source.size), .size = source.size, .text = source.text};
    Rollback undo;
    const auto done = backend_->clone(made.volume, source.volume, "", undo, {});
    undo.commit();
    if (!acknowledged(done))
      return [this, volume = made.volume] { must(backend_->discard(volume), "discard"); };
    known_[made.volume.id] = made;
    return {};
  }
  Repair write(Known& known) {
    const auto path = backend_->mount(known.volume);
    if (!path) return [] {};
    const std::string text = fmt::format("text {}", ++writes_);
    if (!write_durably(*path + "/file.new", text)) return [] {};
    const bool renamed = ::rename((*path + "/file.new").c_str(), (*path + "/file").c_str()) == 0;
    const UniqueFd data(::open(path->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (renamed && data && ::fsync(data.get()) == 0 && acknowledged({})) {
      known.text = text;
      return {};
    }
    // Not acknowledged: either of the two is right, and from now on the one that is there.
    return [this, &known, text] {
      if (const auto now = content(known.volume, ""); now == text) known.text = text;
    };
  }
  Repair resize(Known& known) {
    const std::uint64_t size = (20 + random_() % 5 * 8) * kMiB;
    const auto act = [this, &known, size] {
      (void)backend_->unmount(known.volume);
      return backend_->resize(known.volume, size);
    };
    known.size = size;
    if (acknowledged(act())) return {};
    return [act] { must(act(), "resize again"); };
  }
  Repair snapshot(Known& known) {
    if (!reflink_) (void)backend_->unmount(known.volume);
    const Snapshot taken{.id = random_hex(32), .name = SnapshotName::parse("monday").value()};
    if (acknowledged(backend_->take_snapshot(known.volume, taken, {}))) {
      known.snapshots[taken.id] = {taken, known.text};
      return {};
    }
    return [this, &known, taken] { must(backend_->drop_snapshot(known.volume, taken.id), "undo"); };
  }
  Repair drop(Known& known) {
    const std::string id = known.snapshots.begin()->first;
    known.snapshots.erase(id);
    const auto act = [this, &known, id] { return backend_->drop_snapshot(known.volume, id); };
    if (acknowledged(act())) return {};
    return [act] { must(act(), "drop again"); };
  }
  Repair roll_back(Known& known) {
    const auto [from, text] = known.snapshots.begin()->second;
    const Snapshot kept{.id = random_hex(32), .name = SnapshotName::parse("before").value()};
    const auto act = [this, &known, from = from, kept] {
      return backend_->roll_back(known.volume, from, kept, {});
    };
    known.snapshots[kept.id] = {kept, known.text};
    known.text = text;
    const bool done = acknowledged(act());
    // The size is that of the snapshot; whichever it was.
    return [this, &known, act, done] {
      if (!done) must(act(), "roll back again");
      const auto status = backend_->status(known.volume);
      if (status && status->size) known.size = *status->size;
    };
  }
  Repair remove(Known& known) {
    Volume volume = known.volume;
    volume.deleted = 2000;
    known_.erase(volume.id);
    const auto act = [this, volume]() -> Status {
      TRY_STATUS(backend_->remove(volume));
      return status_of(backend_->purge(volume, {}));
    };
    if (acknowledged(act())) return {};
    return [act] { must(act(), "remove again"); };
  }

  std::string content(const Volume& volume, const std::string& snapshot_id) {
    const auto data = backend_->open_data(volume, snapshot_id);
    must(data, "open the data");
    return data ? read_durable(data->get()) : "(it cannot be read)";
  }
  void compare() {
    const auto is_known = [this](const std::string& id) -> Result<bool> {
      return known_.contains(id);
    };
    const auto report = backend_->sweep(3000, is_known, {});
    for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
    for (const char* part : {"/tmp", "/trash"})
      EXPECT_EQ(testing::entries_in(root() + part), 0U) << part;
    EXPECT_EQ(testing::entries_in(root() + "/vol"), known_.size());
    for (const auto& [id, known] : known_) compare(known);
    ++chosen_;
    forget_some();
  }
  void compare(const Known& known) {
    EXPECT_EQ(content(known.volume, ""), known.text);
    const auto status = backend_->status(known.volume);
    EXPECT_EQ(status->size, known.size);
    EXPECT_EQ(status->health, "ok");
    const std::string snapshots = root() + "/vol/" + known.volume.id + "/snapshots";
    EXPECT_EQ(testing::entries_in(snapshots), known.snapshots.size());
    for (const auto& [id, snapshot] : known.snapshots)
      EXPECT_EQ(content(known.volume, id), snapshot.second);
  }
  void forget_some() {
    for (auto& [id, known] : known_)
      while (known.snapshots.size() > kMostSnapshots) {
        must(backend_->drop_snapshot(known.volume, known.snapshots.begin()->first), "drop");
        known.snapshots.erase(known.snapshots.begin());
      }
  }

  PowerCutDisk& disk_;
  PowerCut* cut_ = nullptr;
  bool reflink_;
  std::mt19937 random_;
  std::unique_ptr<Backend> backend_;
  std::map<std::string, Known> known_;
  std::map<std::string, microseconds> usual_;
  std::size_t chosen_ = 0;
  std::map<std::string, unsigned> cuts_;
  unsigned writes_ = 0;
};

constexpr unsigned kMostDisks = 3;

void cut_again_and_again(const std::string& type, bool reflink, unsigned all) {
  const unsigned wanted = fairlead::testing::power_cuts(all);
  unsigned seed = fairlead::testing::power_cut_seed(type);
  unsigned cuts = 0;
  std::map<std::string, unsigned> of_verbs;
  for (unsigned disks = 0; cuts < wanted && !::testing::Test::HasFailure(); ++disks, ++seed) {
    ASSERT_LT(disks, kMostDisks) << "each of them broke";
    PowerCutDisk disk(type, 1ULL << 30);
    if (!disk.ok()) GTEST_SKIP() << disk.why();
    Machine machine(disk, reflink, seed);
    for (unsigned round = 0; cuts + machine.cuts() < wanted && !disk.is_broken(); ++round) {
      SCOPED_TRACE(fmt::format("seed {}, round {}", seed, round));
      machine.round();
      if (::testing::Test::HasFailure()) break;
    }
    cuts += machine.cuts();
    for (const auto& [verb, count] : machine.cuts_of_verbs()) of_verbs[verb] += count;
    for (const auto& [verb, usual] : machine.usual())
      ::testing::Test::RecordProperty(verb + "_us", static_cast<int>(usual.count()));
  }
  for (const auto& [verb, count] : of_verbs)
    ::testing::Test::RecordProperty("cuts_under_" + verb, static_cast<int>(count));
}

TEST(ImagePowerCut, NothingAcknowledgedIsLostOverXfs) { cut_again_and_again("xfs", true, 100); }
TEST(ImagePowerCut, NothingAcknowledgedIsLostOverExt4) { cut_again_and_again("ext4", false, 100); }

}  // namespace
}  // namespace fairlead::volume
