// One verb of the archives in a process of its own, to be killed at a fault point:
// archive_crash_child <folder> <verb>.
#include <cstdio>

#include "base/state/sqlite_store.h"
#include "tests/volume/service/archive_world.h"
#include "tests/volume/sftp_server.h"

namespace fairlead::volume {
namespace {

constexpr auto kNothing = [](const auto&) {};

Status fill(testing::ArchiveWorld& world, std::map<std::string, std::string> options = {}) {
  TRY_STATUS(
      world.service->create(testing::ArchiveWorld::spec("shop", std::move(options))).map(kNothing));
  TRY(const auto mounted, world.service->mount("shop", "test", "fill"));
  std::filesystem::create_directories(mounted.mountpoint + "/a/b");
  testing::write_text(mounted.mountpoint + "/a/one", "one");
  testing::write_text(mounted.mountpoint + "/a/b/two", testing::noise(100'000, 2));
  std::filesystem::create_symlink("one", mounted.mountpoint + "/a/link");
  return world.service->unmount("shop", "test", "fill");
}

Status change(testing::ArchiveWorld& world) {
  TRY(const auto mounted, world.service->mount("shop", "test", "change"));
  testing::write_text(mounted.mountpoint + "/a/three", testing::noise(50'000, 3));
  return world.service->unmount("shop", "test", "change");
}

// In the place of ssh, without a network: a program that ignores what it is told.
void replace_ssh(const std::string& folder) {
  const std::string program = folder + "/ssh";
  testing::write_text(program, fmt::format("#!/bin/sh\nexec {}\n", testing::kSftpServer));
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  ::setenv("FAIRLEAD_SSH", program.c_str(), 1);
}

// The content is another one; but for a little, or altogether.
enum class Replaced { kMost, kAll };
Status replace(testing::ArchiveWorld& world, Replaced how) {
  TRY(const auto mounted, world.service->mount("shop", "test", "replace"));
  if (how == Replaced::kAll) testing::write_text(mounted.mountpoint + "/a/one", "another");
  testing::write_text(mounted.mountpoint + "/a/b/two", testing::noise(100'000, 4));
  return world.service->unmount("shop", "test", "replace");
}

// The oldest backup goes; where it is gone already, what is left of it.
Status remove_oldest(testing::ArchiveWorld& world, const BackupPlace& backup) {
  TRY(const auto backups, world.archives->backups(backup));
  if (backups.size() > 1)
    return world.archives->remove_backups(backup, {backups.front().id}, {}, {}).map(kNothing);
  return world.archives->prune(backup, "", {}, {}, {}).map(kNothing);
}

Status lose(const std::string& backup) {
  std::filesystem::remove_all(backup + "/packs");
  std::filesystem::create_directory(backup + "/packs");
  return {};
}

Status seal(const std::string& key) {
  testing::write_text(key, testing::noise(64, 5));
  std::filesystem::permissions(key, std::filesystem::perms::owner_read);
  return {};
}

Status keep_newest(testing::ArchiveWorld& world, const BackupPlace& backup) {
  return world.archives->back_up("shop", backup, {.keep = Retention{.last = 1}}, {}).map(kNothing);
}

Status restore(testing::ArchiveWorld& world, const BackupPlace& backup) {
  TRY(const auto backups, world.archives->backups(backup));
  return world.archives->restore(testing::ArchiveWorld::spec("copy"), backup, backups.back().id, {})
      .map(kNothing);
}

Status damage(const std::string& backup) {
  for (const auto& pack : std::filesystem::directory_iterator(backup + "/packs")) {
    std::fstream file(pack.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(50'000);
    file.write("damage", 6);
  }
  return {};
}

Status repair(testing::ArchiveWorld& world, const BackupPlace& backup) {
  TRY(const auto report, world.archives->repair(backup, {}));
  if (report.findings.empty()) return {};
  return fail(Code::kInvalid, "{}", report.findings.front());
}

Status keep_plans(testing::ArchiveWorld& world) {
  TRY(const auto report, world.archives->keep_backups({}));
  if (report.failures.empty()) return {};
  return fail(Code::kIo, "{}", report.failures.front());
}

Status run(testing::ArchiveWorld& world, const std::string& folder, const std::string& verb) {
  const std::string file = folder + "/archive", backup = folder + "/backup";
  const BackupPlace here = testing::backup_place(folder);
  const BackupPlace far = testing::backup_place(folder, "sftp:nas:" + backup);
  if (verb == "seal") return seal(folder + "/key");
  if (verb == "fill") return fill(world);
  if (verb == "fill-image") return fill(world, {{"backend", "image"}, {"size", "64m"}});
  if (verb == "fill-plan") return fill(world, {{"backup", "daily:1@" + backup}});
  if (verb == "change") return change(world);
  if (verb == "replace") return replace(world, Replaced::kMost);
  if (verb == "replace-all") return replace(world, Replaced::kAll);
  if (verb == "lose") return lose(backup);
  if (verb == "free") return world.archives->prune(here, "", {}, {}, {}).map(kNothing);
  if (verb == "damage") return damage(backup);
  if (verb == "rm") return remove_oldest(world, here);
  if (verb == "prune")
    return world.archives->prune(here, "shop", Retention{.last = 1}, {}, {}).map(kNothing);
  if (verb == "keep") return keep_newest(world, here);
  if (verb == "keep-far") return keep_newest(world, far);
  if (verb == "repair") return repair(world, here);
  if (verb == "plan") return keep_plans(world);
  if (verb == "export") return world.export_to("shop", file).map(kNothing);
  if (verb == "import")
    return world.import_from(testing::ArchiveWorld::spec("copy"), file).map(kNothing);
  if (verb == "backup") return world.archives->back_up("shop", here, {}).map(kNothing);
  if (verb == "backup-far") return world.archives->back_up("shop", far, {}).map(kNothing);
  if (verb == "restore") return restore(world, here);
  if (verb == "restore-far") return restore(world, far);
  return fail(Code::kInvalid, "unknown verb {}", verb);
}

}  // namespace
}  // namespace fairlead::volume

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string folder = argv[1];
  fairlead::volume::replace_ssh(folder);
  fairlead::volume::testing::ArchiveWorld world(
      folder, {.backup_roots = [] { return fairlead::volume::BackupRoots{.targets = {"/"}}; }});
  const auto done = fairlead::volume::run(world, folder, argv[2]);
  if (!done) std::fprintf(stderr, "%s\n", done.error().text.c_str());
  return done ? 0 : 1;
}
