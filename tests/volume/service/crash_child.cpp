// One verb in a process of its own, to be killed at a fault point: volume_crash_child <folder>
// <verb> [<option>=<value>,...]. The options are those of `create`. Exit code: 0, 1 for not found,
// 3 for exists, 4 for unsupported, 5 for any other error.
#include <fcntl.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xfs/xfs.h>

#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "base/state/sqlite_store.h"
#include "tests/volume/service/crash_backends.h"
#include "tests/volume/spec.h"
#include "volume/kernel/btrfs.h"
#include "volume/service/groups.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume {
namespace {

using Options = std::map<std::string, std::string>;

constexpr std::uint64_t kLarger = 24U << 20;

Options parse(const std::string& text) {
  Options options;
  for (std::size_t at = 0; at < text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, comma - at);
    if (const auto equals = part.find('='); equals != std::string::npos)
      options[part.substr(0, equals)] = part.substr(equals + 1);
    at = comma + 1;
  }
  return options;
}

constexpr auto kNothing = [](const auto&) {};
bool go_on(std::uint64_t, std::uint64_t) { return true; }

Status make(VolumeService& service, const std::string& name, const Options& options) {
  return testing::create_volume(service, name, options, go_on).map(kNothing);
}

Status write_to(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return fail_errno(errno, "open goods");
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(file.get()) != 0)
    return fail_errno(errno, "write goods");
  return {};
}

// What a container does: mounts, writes, makes it last, goes. Also into subvolumes of its own.
Status write_goods(VolumeService& service, const std::string& text) {
  TRY(const auto volume, service.mount("shop", "test", "writer"));
  for (const std::string folder : {"/", "/x/", "/x/y/"})
    if (::access((volume.mountpoint + folder).c_str(), F_OK) == 0)
      TRY_STATUS(write_to(volume.mountpoint + folder + "goods", text));
  return service.unmount("shop", "test", "writer");
}

Status make_subvolumes(VolumeService& service, const std::string& name) {
  TRY(const auto volume, service.mount(name, "test", "writer"));
  TRY(const auto data, Folder::open(volume.mountpoint));
  TRY_STATUS(btrfs::create(data, "x"));
  TRY(const auto inner, data.folder("x"));
  TRY_STATUS(btrfs::create(inner, "y"));
  return service.unmount(name, "test", "writer");
}

// As when a write of its log fails on a disk below that is full.
Status shut_down(VolumeService& service) {
  TRY(const auto volume, service.mount("shop", "docker", "a"));
  const UniqueFd top(::open(volume.mountpoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::uint32_t how = XFS_FSOP_GOING_FLAGS_NOLOGFLUSH;
  if (::ioctl(top.get(), XFS_IOC_GOINGDOWN, &how) != 0) return fail_errno(errno, "shut xfs down");
  return {};
}

// What a container has run before and after a snapshot: a line in a file each.
class NotedHooks : public ContainerHooks {
 public:
  explicit NotedHooks(std::string path) : path_(std::move(path)) {}
  Result<std::unique_ptr<Run>> find(const HookedMoment&) override {
    return std::make_unique<Noted>(path_);
  }

 private:
  class Noted : public Run {
   public:
    explicit Noted(std::string path) : path_(std::move(path)) {}
    Status before(const Progress&) override { return note("before\n"); }
    void after(Outcome) override { (void)note("after\n"); }

   private:
    Status note(const std::string& line) {
      const UniqueFd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
      if (::write(file.get(), line.data(), line.size()) < 0) return fail_errno(errno, "note");
      return {};
    }
    std::string path_;
  };
  std::string path_;
};

// Two volumes with one label.
Status each_of_two(const std::function<Status(const std::string& name)>& act) {
  for (const char* const name : {"one", "two"}) TRY_STATUS(act(name));
  return {};
}

using GroupVerb = std::function<Status(VolumeGroups&)>;

const std::map<std::string, GroupVerb>& group_verbs() {
  static const std::map<std::string, GroupVerb> all{
      {"group", [](VolumeGroups& g) { return status_of(g.take("stall", "monday", go_on)); }},
      {"group-drop", [](VolumeGroups& g) { return status_of(g.drop("stall", "monday")); }},
      {"group-rollback",
       [](VolumeGroups& g) { return status_of(g.roll_back("stall", "monday", go_on)); }},
  };
  return all;
}

using Verb = std::function<Status(VolumeService&, const Options&)>;

const std::map<std::string, Verb>& verbs() {
  static const std::map<std::string, Verb> all{
      {"create", [](VolumeService& s, const Options& o) { return make(s, "shop", o); }},
      {"create-two",
       [](VolumeService& s, const Options& o) {
         Options grouped = o;
         grouped["label.group"] = "stall";
         return each_of_two([&](const std::string& name) { return make(s, name, grouped); });
       }},
      {"mount-two",
       [](VolumeService& s, const Options&) {
         return each_of_two(
             [&](const std::string& name) { return status_of(s.mount(name, "docker", "a")); });
       }},
      {"remove", [](VolumeService& s, const Options&) { return s.remove("shop"); }},
      {"mount", [](VolumeService& s,
                   const Options&) { return s.mount("shop", "docker", "a").map(kNothing); }},
      {"unmount",
       [](VolumeService& s, const Options&) { return s.unmount("shop", "docker", "a"); }},
      {"mount-snapshot",
       [](VolumeService& s, const Options&) {
         return s.mount_snapshot("shop", "monday", "docker", "a").map(kNothing);
       }},
      {"unmount-snapshot",
       [](VolumeService& s, const Options&) {
         return s.unmount_snapshot("shop", "monday", "docker", "a");
       }},
      {"reconcile", [](VolumeService& s, const Options&) { return s.reconcile().map(kNothing); }},
      {"nest", [](VolumeService& s, const Options&) { return make_subvolumes(s, "shop"); }},
      {"nest-two",
       [](VolumeService& s, const Options&) {
         return each_of_two([&](const std::string& name) { return make_subvolumes(s, name); });
       }},
      {"mount-and-stop", [](VolumeService& s, const Options&) { return shut_down(s); }},
      {"write-old", [](VolumeService& s, const Options&) { return write_goods(s, "old"); }},
      {"write-new", [](VolumeService& s, const Options&) { return write_goods(s, "new"); }},
      {"snapshot",
       [](VolumeService& s, const Options&) {
         return s.take_snapshot("shop", "monday", {}).map(kNothing);
       }},
      {"snapshot-one",
       [](VolumeService& s, const Options&) {
         return s.take_snapshot("one", "monday", {}).map(kNothing);
       }},
      {"drop", [](VolumeService& s, const Options&) { return s.drop_snapshot("shop", "monday"); }},
      {"rollback", [](VolumeService& s,
                      const Options&) { return s.roll_back("shop", "monday", {}).map(kNothing); }},
      {"resize",
       [](VolumeService& s, const Options&) { return s.resize("shop", kLarger).map(kNothing); }},
      {"clone",
       [](VolumeService& s, const Options&) {
         return make(s, "copy", {{"from", "shop"}});
       }},
      {"clone-snapshot",
       [](VolumeService& s, const Options&) {
         return make(s, "copy", {{"from", "shop@monday"}});
       }},
      {"rename",
       [](VolumeService& s, const Options&) { return s.rename("shop", "bazaar").map(kNothing); }},
      {"label",
       [](VolumeService& s, const Options&) {
         return s.set_labels("shop", {{"a", "1"}}).map(kNothing);
       }},
      {"set",
       [](VolumeService& s, const Options&) {
         return s.set_options("shop", {{"retain", "1d"}}).map(kNothing);
       }},
      {"restore",
       [](VolumeService& s, const Options&) {
         return s.restore_from_trash("shop", "bazaar").map(kNothing);
       }},
      {"empty", [](VolumeService& s, const Options&) { return s.empty_trash("").map(kNothing); }},
      {"recover", [](VolumeService& s, const Options&) { return s.recover({}).map(kNothing); }},
      {"schedule",
       [](VolumeService& s, const Options&) { return s.keep_schedules().map(kNothing); }},
  };
  return all;
}

int exit_code(Code code) {
  switch (code) {
    case Code::kNotFound:
      return 1;
    case Code::kExists:
      return 3;
    case Code::kUnsupported:
      return 4;
    default:
      return 5;
  }
}

int main_of(const std::string& folder, const std::string& verb, const std::string& options) {
  if (verb == "lose-database") {
    for (const char* file : {"/state.db", "/state.db-wal", "/state.db-shm"})
      ::unlink((folder + file).c_str());
    return 0;
  }
  const auto found = verbs().find(verb);
  const auto of_group = group_verbs().find(verb);
  if (found == verbs().end() && of_group == group_verbs().end()) return 2;
  auto store = state::open_sqlite_store(folder + "/state.db");
  if (!store) return std::fprintf(stderr, "%s\n", store.error().text.c_str()), 2;
  NamedLocks locks(folder + "/locks");
  const auto backends = testing::make_crash_backends(folder + "/volumes");
  NotedHooks hooks(folder + "/hooks");
  Environment environment;
  environment.hooks = &hooks;
  const auto service = make_volume_service(**store, locks, *backends, environment);
  const auto groups = make_volume_groups(**store, locks, *backends, environment);
  const auto done = of_group != group_verbs().end() ? of_group->second(*groups)
                                                    : found->second(*service, parse(options));
  if (!done)
    return std::fprintf(stderr, "%s\n", done.error().text.c_str()), exit_code(done.error().code);
  return 0;
}

}  // namespace
}  // namespace fairlead::volume

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  return fairlead::volume::main_of(argv[1], argv[2], argc > 3 ? argv[3] : "");
}
