#include <algorithm>

#include "tests/volume/service/power_cut_machine.h"

namespace fairlead::volume::testing {

namespace {

constexpr std::uint64_t kMiB = Machine::kMiB;

template <class Value>
Result<std::string> plain(const Result<Value>& result) {
  if (!result) return fail(result.error());
  return std::string();
}

// A clone that takes long goes on behind the answer; with a progress it is waited for.
bool go_on(std::uint64_t, std::uint64_t) { return true; }

bool always(Machine&) { return true; }
bool has_room(Machine& m) { return m.has_room(); }
bool has_volume(Machine& m) { return !m.views().empty(); }
bool has_room_and_volume(Machine& m) { return has_room(m) && has_volume(m); }
bool has_another(Machine& m) { return m.views().size() > 1; }
bool is_image(Machine& m) { return has_volume(m) && m.view().backend == "image"; }
bool may_have_snapshot(const View& view) { return view.snapshots.size() < Machine::kMostSnapshots; }

// ---- volumes

void create(Machine& m, Round& round, const std::string& backend) {
  const std::string to = m.fresh("v");
  std::map<std::string, std::string> options{{"backend", backend}};
  if (backend == "image") options["size"] = "24m";
  round.after[to] = {.backend = backend,
                     .now = {.text = {}, .size = backend == "image" ? 24 * kMiB : 0},
                     .snapshots = {}};
  round.act = [=, &m] { return plain(m.service().create(ArchiveWorld::spec(to, options))); };
}

void write(Machine& m, Round& round) {
  const std::string text = round.after[m.name()].now.text = m.fresh("text ");
  round.act = [=, &m] { return m.write(text); };
}

void resize(Machine& m, Round& round) {
  const std::uint64_t size = round.after[m.name()].now.size = (24 + m.random(4) * 8) * kMiB;
  round.act = [=, &m] { return plain(m.service().resize(m.name(), size)); };
}

void rename(Machine& m, Round& round) {
  const std::string to = m.fresh("v");
  round.after[to] = m.view();
  round.after.erase(m.name());
  round.act = [=, &m] { return plain(m.service().rename(m.name(), to)); };
}

void label(Machine& m, Round& round) {
  round.act = [&m] { return plain(m.service().set_labels(m.name(), {{"a", "b"}})); };
}

void remove(Machine& m, Round& round) {
  round.after.erase(m.name());
  round.act = [&m]() -> Result<std::string> {
    TRY_STATUS(m.service().remove(m.name()));
    return std::string();
  };
}

void clone(Machine& m, Round& round) {
  const std::string to = m.fresh("v");
  round.after[to] = m.view();
  round.after[to].snapshots.clear();
  round.act = [=, &m] {
    return plain(m.service().create(ArchiveWorld::spec(to, {{"from", m.name()}}), go_on));
  };
}

// The database is lost before the machine starts, and the power again while it is made anew.
void recover(Machine& m, Round& round) {
  for (const char* const file : {"state.db", "state.db-wal", "state.db-shm"})
    std::filesystem::remove(m.disk() + "/" + file);
  const UniqueFd folder(::open(m.disk().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(::fsync(folder.get()), 0);
  round.act = [&m] { return plain(m.service().recover({})); };
  round.after_reboot = [&m] {
    EXPECT_TRUE(m.service().reconcile());  // which says that there is something to recover
    const auto again = m.service().recover({});
    ASSERT_TRUE(again) << again.error().text;
    for (const std::string& failure : again->failures) ADD_FAILURE() << failure;
  };
}

// ---- snapshots

void snapshot(Machine& m, Round& round) {
  const std::string name = m.fresh("s");
  round.after[m.name()].snapshots[name] = m.view().now;
  round.act = [=, &m] { return plain(m.service().take_snapshot(m.name(), name, {})); };
}

Status drop_one(Machine& m, const std::string& key) {
  TRY(const auto volume, m.service().inspect(m.name()));
  for (const Snapshot& snapshot : volume.snapshots)
    if (snapshot.name.str() == key ||
        (key == kReplaced && snapshot.origin == SnapshotOrigin::kRollback))
      return m.service().drop_snapshot(m.name(), snapshot.name.str());
  return fail(Code::kNotFound, "no snapshot {}", key);
}

// What a roll-back has replaced goes first, so that the next one can be.
void drop(Machine& m, Round& round) {
  auto& snapshots = round.after[m.name()].snapshots;
  const auto any = std::next(snapshots.begin(), static_cast<long>(m.random(snapshots.size())));
  const std::string key = snapshots.contains(kReplaced) ? kReplaced : any->first;
  snapshots.erase(key);
  round.act = [=, &m]() -> Result<std::string> {
    TRY_STATUS(drop_one(m, key));
    return std::string();
  };
}

void go_back(View& view, const std::string& snapshot) {
  const Held replaced = view.now;
  view.now.text = view.snapshots.at(snapshot).text;  // the size stays
  view.snapshots[kReplaced] = replaced;
}

// Whose name says itself, unlike that of what a roll-back has replaced: so there is at most one of
// those.
bool can_go_back(const View& view) {
  return !view.snapshots.empty() && !view.snapshots.contains(kReplaced);
}

void roll_back(Machine& m, Round& round) {
  const std::string name = m.view().snapshots.begin()->first;
  go_back(round.after[m.name()], name);
  round.act = [=, &m] { return plain(m.service().roll_back(m.name(), name, go_on)); };
}

// ---- groups

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ","));
}

std::vector<std::string> may_be_taken(Machine& m) {
  std::vector<std::string> names;
  for (const auto& [name, view] : m.views())
    if (may_have_snapshot(view)) names.push_back(name);
  return names;
}

void take_group(Machine& m, Round& round) {
  auto names = may_be_taken(m);
  while (names.size() > 2) names.erase(names.begin() + static_cast<long>(m.random(names.size())));
  const std::string snapshot = m.fresh("g");
  for (const std::string& name : names)
    round.after[name].snapshots[snapshot] = m.views().at(name).now;
  round.act = [=, &m] { return plain(m.groups()->take(joined(names), snapshot, go_on)); };
}

struct Moment {
  std::string snapshot;
  std::vector<std::string> volumes;
};
std::vector<Moment> moments(Machine& m, const std::function<bool(const View&)>& fits) {
  std::map<std::string, std::vector<std::string>> found;
  for (const auto& [name, view] : m.views())
    for (const auto& [snapshot, held] : view.snapshots)
      if (snapshot.starts_with("g") && fits(view)) found[snapshot].push_back(name);
  std::vector<Moment> all;
  for (const auto& [snapshot, volumes] : found)
    if (volumes.size() > 1) all.push_back({snapshot, volumes});
  return all;
}

bool any(const View&) { return true; }

void drop_group(Machine& m, Round& round) {
  const Moment moment = moments(m, any).front();
  for (const std::string& name : moment.volumes) round.after[name].snapshots.erase(moment.snapshot);
  round.act = [=, &m] { return plain(m.groups()->drop(joined(moment.volumes), moment.snapshot)); };
}

void roll_group_back(Machine& m, Round& round) {
  const Moment moment = moments(m, can_go_back).front();
  for (const std::string& name : moment.volumes) go_back(round.after[name], moment.snapshot);
  round.act = [=, &m] {
    return plain(m.groups()->roll_back(joined(moment.volumes), moment.snapshot, go_on));
  };
}

}  // namespace

Verbs volume_verbs() {
  using namespace std::placeholders;
  return {
      {"create_dir", 1, has_room, std::bind(create, _1, _2, "dir")},
      {"create_image", 1, has_room, std::bind(create, _1, _2, "image")},
      {"write", 2, has_volume, write},
      {"resize", 2, is_image, resize},
      {"rename", 1, has_volume, rename},
      {"label", 1, has_volume, label},
      {"clone", 1, has_room_and_volume, clone},
      {"remove", 2, has_another, remove},
      {"recover", 1, always, recover},
  };
}

Verbs snapshot_verbs() {
  const auto has_snapshot = [](Machine& m) { return has_volume(m) && !m.view().snapshots.empty(); };
  const auto may_have_one = [](Machine& m) { return has_volume(m) && may_have_snapshot(m.view()); };
  return {
      {"snapshot", 2, may_have_one, snapshot},
      {"drop", 2, has_snapshot, drop},
      {"roll_back", 2, [](Machine& m) { return has_volume(m) && can_go_back(m.view()); },
       roll_back},
      {"take_group", 1, [](Machine& m) { return may_be_taken(m).size() > 1; }, take_group},
      {"drop_group", 1, [](Machine& m) { return !moments(m, any).empty(); }, drop_group},
      {"roll_group_back", 2, [](Machine& m) { return !moments(m, can_go_back).empty(); },
       roll_group_back},
  };
}

}  // namespace fairlead::volume::testing
