#include "network/dns/host_servers.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"

namespace fairlead::dns {

namespace {

constexpr std::chrono::seconds kPeriod{2};
constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;

// The beginning of a regular file; empty where there is none.
std::string read_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  std::string text(kMostResolvConf, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t size = ::read(fd.get(), text.data() + have, text.size() - have);
    if (size <= 0) break;
    have += static_cast<std::size_t>(size);
  }
  text.resize(have);
  return text;
}

// The folders in which a change of the file would be seen: its own, and that of what it links to.
void add_folders(const std::string& path, std::set<std::string>& folders) {
  std::error_code ignored;
  folders.insert(std::filesystem::path(path).parent_path());
  const auto target = std::filesystem::canonical(path, ignored);
  if (!ignored) folders.insert(target.parent_path());
}

class WatchedFiles final : public HostServers {
 public:
  WatchedFiles(Loop& loop, std::string resolv_conf, std::string resolved_conf,
               std::function<void(const std::vector<HostServer>&)> on_change)
      : resolv_conf_(std::move(resolv_conf)),
        resolved_conf_(std::move(resolved_conf)),
        on_change_(std::move(on_change)),
        inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
        timer_(loop, [this] { look(); }) {
    // Without it (fs.inotify.max_user_instances) the timer has to do.
    if (!inotify_) return;
    auto watch = loop.watch(inotify_.get(), EPOLLIN, [this](std::uint32_t) {
      drain();
      look();
    });
    if (watch) watch_ = std::move(*watch);
  }

  const std::vector<HostServer>& servers() const override { return servers_; }

  void look() {
    timer_.set_in(kPeriod);
    watch_folders();
    auto servers = choose_servers(parse_resolv_conf(read_file(resolv_conf_)),
                                  parse_resolv_conf(read_file(resolved_conf_)));
    if (servers == servers_) return;
    servers_ = std::move(servers);
    on_change_(servers_);
  }

 private:
  void drain() {
    alignas(inotify_event) std::array<char, 4096> events;
    while (::read(inotify_.get(), events.data(), events.size()) > 0) {
    }
  }

  // A folder that is watched already stays as it is (inotify(7)). Those that no file is in any more are few.
  void watch_folders() {
    if (!inotify_) return;
    std::set<std::string> folders;
    add_folders(resolv_conf_, folders);
    add_folders(resolved_conf_, folders);
    for (const std::string& folder : folders)
      (void)::inotify_add_watch(inotify_.get(), folder.c_str(), kChanges | IN_ONLYDIR);
  }

  const std::string resolv_conf_, resolved_conf_;
  const std::function<void(const std::vector<HostServer>&)> on_change_;
  const UniqueFd inotify_;
  Loop::Watch watch_;
  Loop::Timer timer_;
  std::vector<HostServer> servers_;
};

}  // namespace

std::unique_ptr<HostServers> watch_host_servers(
    Loop& loop, std::string resolv_conf, std::string resolved_conf,
    std::function<void(const std::vector<HostServer>&)> on_change) {
  auto files = std::make_unique<WatchedFiles>(loop, std::move(resolv_conf),
                                              std::move(resolved_conf), std::move(on_change));
  files->look();
  return files;
}

}  // namespace fairlead::dns
