#include "tests/volume/service/power_cut_machine.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <iterator>
#include <ostream>

namespace fairlead::volume::testing {

namespace {

using fairlead::testing::PowerCut;
using ::testing::AnyOf;
using ::testing::Eq;
using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

bool write_durably(const std::string& folder, const std::string& text) {
  const UniqueFd above(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd file(
      ::openat(above.get(), "file.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  return file &&
         ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
         ::fsync(file.get()) == 0 &&
         ::renameat(above.get(), "file.new", above.get(), "file") == 0 && ::fsync(above.get()) == 0;
}

}  // namespace

void PrintTo(const View& view, std::ostream* out) {
  const auto print = [&](const Held& held) {
    *out << fmt::format("\"{}\" {} MiB", held.text, held.size / Machine::kMiB);
  };
  *out << "{" << view.backend << " ";
  print(view.now);
  for (const auto& [name, held] : view.snapshots) {
    *out << ", " << name << " ";
    print(held);
  }
  *out << "}";
}

Machine::Machine(fairlead::testing::PowerCutDisk& disk, unsigned seed)
    : disk_(disk), random_(seed) {
  for (const Verbs& some : {volume_verbs(), snapshot_verbs(), backup_verbs()})
    verbs_.insert(verbs_.end(), some.begin(), some.end());
}

void Machine::open() { world_ = std::make_unique<ArchiveWorld>(disk_.path(), environment()); }

Environment Machine::environment() const {
  Environment around;
  around.now = [now = now_] { return now; };
  around.boot = fmt::format("boot-{}", boots_);
  around.backup_roots = [] { return BackupRoots{.targets = {}, .anywhere = true}; };
  return around;
}

std::unique_ptr<VolumeGroups> Machine::groups() {
  return make_volume_groups(*world_->store, world_->locks, *world_->backends, environment());
}

void Machine::with_service(const std::function<void()>& act) {
  open();
  act();
  world_.reset();
}

void Machine::round() {
  const Verb& verb = choose();
  SCOPED_TRACE(verb.name);
  ++now_;
  Round round{.act = {}, .after = views_, .may_go = {}, .must_go = {}};
  verb.plan(*this, round);
  // A verb on an image takes many times as long as on a folder: by one time for both it would be
  // cut each time, and nothing would ever become of it.
  auto& usual = usual_[views_.contains(name_) ? view().backend + " " + verb.name : verb.name];
  const bool is_first = usual.count() == 0;  // not cut: how long does it take here?
  const microseconds moment =
      is_first ? microseconds(std::chrono::hours(1))
               : microseconds(random(static_cast<std::size_t>(1 + usual.count() * 5 / 4)));
  const Outcome outcome = in_child(round.act, moment);
  if (outcome.was_cut) {
    ++cuts_[verb.name];
    usual += usual / 8;  // on a machine that has become slow it would be cut each time
  } else {
    EXPECT_TRUE(outcome.done) << "a failure without a cut: " << outcome.text.data();
    usual = is_first ? outcome.took : (usual * 3 + outcome.took) / 4;
  }
  ASSERT_TRUE(disk_.restore());
  ++boots_;
  if (disk_.is_broken()) return;
  with_service([&] { compare(round, outcome); });
}

unsigned Machine::cuts() const {
  unsigned sum = 0;
  for (const auto& [verb, count] : cuts_) sum += count;
  return sum;
}

const Verb& Machine::choose() {
  name_ = views_.empty()
              ? ""
              : std::next(views_.begin(), static_cast<long>(random(views_.size())))->first;
  std::vector<std::string> names;
  std::map<std::string, const Verb*> by_name;
  for (const Verb& verb : verbs_) {
    by_name[verb.name] = &verb;
    if (verb.fits(*this)) names.insert(names.end(), verb.often, verb.name);
  }
  fairlead::testing::prefer_uncut(names, cuts_);
  return *by_name.at(names[random(names.size())]);
}

Machine::Outcome Machine::in_child(const Round::Act& act, microseconds moment) {
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

Machine::Outcome Machine::cut_while(const Round::Act& act, microseconds moment) {
  open();
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

Result<std::string> Machine::write(const std::string& text) {
  TRY(const auto mounted, service().mount(name_, "test", "writer"));
  if (!write_durably(mounted.mountpoint, text)) return fail(Code::kIo, "write {}", text);
  TRY_STATUS(service().unmount(name_, "test", "writer"));
  return text;
}

void Machine::reconcile() {
  const auto report = service().reconcile();
  ASSERT_TRUE(report) << report.error().text;
  for (const std::string& failure : report->failures) ADD_FAILURE() << failure;
}

void Machine::compare(const Round& round, const Outcome& outcome) {
  if (round.after_reboot) round.after_reboot();
  reconcile();
  const Views now = look();
  if (outcome.acknowledged)
    EXPECT_THAT(now, Eq(round.after));
  else
    EXPECT_THAT(now, AnyOf(Eq(views_), Eq(round.after)));
  views_ = now;
  compare_disk();
  compare_backups(round, outcome);
}

Views Machine::look() {
  Views now;
  const auto volumes = service().list().value();
  for (const Volume& volume : volumes) now[volume.name.str()] = look_at(volume);
  return now;
}

View Machine::look_at(const Volume& volume) {
  const std::string& name = volume.name.str();
  View view{.backend = volume.backend, .now = {}, .snapshots = {}};
  const auto status = service().status(volume);
  EXPECT_EQ(status->health, "ok") << name;
  view.now.size = volume.backend == "image" ? status->size.value_or(0) : 0;
  for (const Snapshot& snapshot : volume.snapshots)
    view.snapshots[snapshot.origin == SnapshotOrigin::kRollback ? kReplaced : snapshot.name.str()] =
        look_at(volume, snapshot);
  const auto mounted = service().mount(name, "test", "reader");
  EXPECT_TRUE(mounted) << mounted.error().text;
  if (!mounted) return view;
  view.now.text = read_text(mounted->mountpoint + "/file");
  EXPECT_TRUE(service().unmount(name, "test", "reader"));
  return view;
}

Held Machine::look_at(const Volume& volume, const Snapshot& snapshot) {
  Held held{.text = {}, .size = snapshot.size.value_or(0)};
  const std::string &name = volume.name.str(), &of = snapshot.name.str();
  const auto mounted = service().mount_snapshot(name, of, "test", "reader");
  EXPECT_TRUE(mounted) << mounted.error().text;
  if (!mounted) return held;
  held.text = read_text(mounted->mountpoint + "/file");
  EXPECT_TRUE(service().unmount_snapshot(name, of, "test", "reader"));
  return held;
}

void Machine::compare_disk() {
  const std::string volumes = disk_.path() + "/volumes";
  if (!is_there(volumes + "/vol")) {
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

void Machine::compare_backups(const Round& round, const Outcome& outcome) {
  if (!is_there(backup_folder() + "/fairlead-backup.json")) {
    EXPECT_TRUE(backups_.empty());
    return;
  }
  const auto there = archives().backups(backup_folder());
  ASSERT_TRUE(there) << there.error().text;
  Backups now;
  bool is_new = false;
  for (const BackupInfo& info : *there) {
    if (const auto known = backups_.find(info.id); known != backups_.end()) {
      now.insert(*known);
      continue;
    }
    is_new = true;
    EXPECT_TRUE(round.makes_backup) << info.id;
    const View& view = views_.at(info.volume);
    now[info.id] = {.volume = info.volume, .backend = view.backend, .held = view.now};
  }
  for (const auto& [id, content] : backups_)
    EXPECT_TRUE(now.contains(id) || round.may_go.contains(id)) << "lost backup " << id;
  if (outcome.acknowledged) {
    EXPECT_EQ(is_new, round.makes_backup);
    for (const std::string& id : round.must_go) EXPECT_FALSE(now.contains(id)) << "not removed";
  }
  backups_ = std::move(now);
  if (backups_.empty()) return;
  const auto verified = archives().verify(backup_folder(), "", {});
  ASSERT_TRUE(verified) << verified.error().text;
  EXPECT_TRUE(verified->clean) << ::testing::PrintToString(verified->findings);
}

}  // namespace fairlead::volume::testing
