#include <fcntl.h>

#include <fstream>

#include "tests/volume/service/power_cut_machine.h"

namespace fairlead::volume::testing {

namespace {

constexpr std::size_t kMostBackups = 8;

Result<std::string> id_of(const Result<BackupInfo>& made) {
  if (!made) return fail(made.error());
  return made->id;
}

bool has_backup(Machine& m) { return !m.backups().empty(); }
bool may_be_backed_up(Machine& m) {
  return !m.views().empty() && m.backups().size() < kMostBackups;
}

// Ids sort by time.
std::set<std::string> older_backups(Machine& m, const std::string& volume) {
  std::set<std::string> ids;
  for (const auto& [id, content] : m.backups())
    if (content.volume == volume) ids.insert(id);
  return ids;
}

// All but the newest of each volume.
std::set<std::string> not_the_newest(Machine& m) {
  std::map<std::string, std::string> newest;
  std::set<std::string> ids;
  for (const auto& [id, content] : m.backups()) {
    if (const auto before = newest.find(content.volume); before != newest.end())
      ids.insert(before->second);
    newest[content.volume] = id;
  }
  return ids;
}

void back_up(Machine& m, Round& round) {
  round.makes_backup = true;
  round.act = [&m] { return id_of(m.archives().back_up(m.name(), m.backup_folder(), {})); };
}

void back_up_and_keep(Machine& m, Round& round) {
  round.makes_backup = true;
  round.may_go = round.must_go = older_backups(m, m.name());
  round.may_go.merge(not_the_newest(m));  // under a name that the volume had before
  round.act = [&m] {
    return id_of(m.archives().back_up(m.name(), m.backup_folder(),
                                      {.excludes = {}, .keep = Retention{.last = 1, .periods = {}}},
                                      {}));
  };
}

// The option stays when the power is cut, so that the next day's call makes the backups of several.
void keep_plans(Machine& m, Round& round) {
  m.next_day();
  round.makes_backup = true;
  round.may_go = not_the_newest(m);
  for (const auto& [name, view] : m.views()) round.may_go.merge(older_backups(m, name));
  round.act = [&m]() -> Result<std::string> {
    auto& service = m.service();
    TRY_STATUS(
        status_of(service.set_options(m.name(), {{"backup", "daily:1@" + m.backup_folder()}})));
    TRY(const auto report, m.archives().keep_backups({}));
    if (!report.failures.empty()) return fail(Code::kIo, "{}", report.failures.front());
    TRY_STATUS(status_of(service.set_options(m.name(), {{"backup", std::nullopt}})));
    return std::string();
  };
}

void remove_one(Machine& m, Round& round) {
  const auto which =
      std::next(m.backups().begin(), static_cast<long>(m.random(m.backups().size())));
  round.may_go = round.must_go = {which->first};
  round.act = [&m, id = which->first]() -> Result<std::string> {
    TRY_STATUS(status_of(m.archives().remove_backups(m.backup_folder(), {id}, {}, {})));
    return id;
  };
}

void prune(Machine& m, Round& round) {
  round.may_go = round.must_go = not_the_newest(m);
  round.act = [&m]() -> Result<std::string> {
    TRY_STATUS(status_of(
        m.archives().prune(m.backup_folder(), "", Retention{.last = 1, .periods = {}}, {}, {})));
    return std::string();
  };
}

void restore(Machine& m, Round& round) {
  const auto which =
      std::next(m.backups().begin(), static_cast<long>(m.random(m.backups().size())));
  const std::string to = m.fresh("v");
  round.after[to] = {.backend = which->second.backend, .now = which->second.held, .snapshots = {}};
  round.act = [=, &m, id = which->first]() -> Result<std::string> {
    TRY_STATUS(status_of(m.archives().restore(ArchiveWorld::spec(to), m.backup_folder(), id, {})));
    return std::string();
  };
}

// ---- repair

void damage_a_pack(Machine& m) {
  std::vector<std::string> packs;
  for (const auto& pack : std::filesystem::directory_iterator(m.backup_folder() + "/packs"))
    packs.push_back(pack.path());
  if (packs.empty()) return;
  std::ranges::sort(packs);
  const std::string pack = packs[m.random(packs.size())];
  const auto middle = std::filesystem::file_size(pack) / 2;
  const UniqueFd file(::open(pack.c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(::pwrite(file.get(), "damage", 6, static_cast<off_t>(middle)), 6);
  EXPECT_EQ(::fsync(file.get()), 0);
}

std::set<std::string> whole_backups(Machine& m) {
  std::set<std::string> ids;
  for (const auto& [id, content] : m.backups()) {
    const auto verified = m.archives().verify(m.backup_folder(), id, {});
    if (verified && verified->clean) ids.insert(id);
  }
  return ids;
}

// What was whole stays whole while a damaged folder is repaired; what is lost is removed then.
void repair(Machine& m, Round& round) {
  damage_a_pack(m);
  std::set<std::string> whole;
  m.with_service([&] { whole = whole_backups(m); });
  for (const auto& [id, content] : m.backups())
    if (!whole.contains(id)) round.may_go.insert(id);
  round.act = [&m]() -> Result<std::string> {
    TRY_STATUS(status_of(m.archives().repair(m.backup_folder(), {})));
    return std::string();
  };
  round.after_reboot = [&m, whole] {
    const auto now = whole_backups(m);
    EXPECT_TRUE(std::ranges::includes(now, whole));
    const auto repaired = m.archives().repair(m.backup_folder(), {});
    ASSERT_TRUE(repaired) << repaired.error().text;
    std::vector<std::string> lost;
    const auto mended = whole_backups(m);
    for (const auto& [id, content] : m.backups())
      if (!mended.contains(id)) lost.push_back(id);
    EXPECT_EQ(lost.empty(), repaired->findings.empty())
        << ::testing::PrintToString(repaired->findings);
    if (lost.empty()) return;
    const auto removed = m.archives().remove_backups(m.backup_folder(), lost, {}, {});
    ASSERT_TRUE(removed) << removed.error().text;
  };
}

}  // namespace

Verbs backup_verbs() {
  const auto has_room = [](Machine& m) { return has_backup(m) && m.has_room(); };
  return {
      {"back_up", 2, may_be_backed_up, back_up},
      {"back_up_and_keep", 1, [](Machine& m) { return !m.views().empty(); }, back_up_and_keep},
      {"keep_plans", 1, [](Machine& m) { return !m.views().empty(); }, keep_plans},
      {"remove_backup", 1, has_backup, remove_one},
      {"prune", 1, has_backup, prune},
      {"repair", 1, has_backup, repair},
      {"restore", 2, has_room, restore},
  };
}

}  // namespace fairlead::volume::testing
