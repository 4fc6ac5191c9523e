#include "volume/service/far_storage.h"

#include <algorithm>
#include <cstdlib>

#include "volume/service/remote_storage.h"

namespace fairlead::volume {

namespace {

using Kind = BackupTarget::Kind;
using namespace std::chrono_literals;

// What rclone may remember of folders that nobody else writes to while their lock is held.
constexpr unsigned kWhileLocked = 3600;
constexpr auto kAgain = 10s;  // to connect once more, for giving a lock back

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::vector<std::string> ssh_command(const BackupTarget& target, std::string_view ssh) {
  std::vector<std::string> command = words_of(ssh);
  if (command.empty()) command = {"ssh"};
  // Never a question: there may be no one to answer. A line that is dead ends after a minute. What
  // the configuration says for people at a terminal is off, as sftp(1) has it.
  for (const char* option :
       {"BatchMode=yes", "ConnectTimeout=30", "ServerAliveInterval=15", "ServerAliveCountMax=4",
        "ForwardAgent=no", "ForwardX11=no", "ClearAllForwardings=yes", "PermitLocalCommand=no",
        "RemoteCommand=none", "RequestTTY=no"}) {
    command.emplace_back("-o");
    command.emplace_back(option);
  }
  if (!target.port.empty()) command.insert(command.end(), {"-p", target.port});
  if (!target.user.empty()) command.insert(command.end(), {"-l", target.user});
  command.insert(command.end(), {"-s", "--", target.host, "sftp"});
  return command;
}

const char* variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<std::unique_ptr<SftpClient>> connect(const BackupTarget& target, unsigned remembers,
                                            SftpSettings settings) {
  const bool is_ssh = target.kind == Kind::kSsh;
  settings.host = is_ssh ? target.host : "rclone";
  // rclone answers only when an object store has all of a file, after attempts of its own.
  if (!is_ssh) settings.silence = 15min;
  TRY(auto process,
      RemoteProcess::start(target_command(target, variable("FAIRLEAD_SSH"), remembers),
                           is_ssh ? "openssh-client" : "rclone"));
  return SftpClient::start(std::move(process), std::move(settings));
}

}  // namespace

std::vector<std::string> target_command(const BackupTarget& target, std::string_view ssh,
                                        unsigned remembers) {
  if (target.kind == Kind::kSsh) return ssh_command(target, ssh);
  return {
      "rclone", "serve", "sftp", "--stdio",
      "--vfs-cache-mode=off",  // nothing is kept on this host; files are written in order
      "--vfs-write-wait=60s",  // writes that overtook each other wait for each other
      fmt::format("--dir-cache-time={}s", remembers), "--poll-interval=0",
      // Times of files cost a request for each. Only locks need them, and by the server's clock.
      remembers > 0 ? "--no-modtime" : "--use-server-modtime", "--", target.remote};
}

Result<std::unique_ptr<BackupStorage>> open_far_storage(const BackupTarget& target,
                                                        std::function<bool()> stopped) {
  const SftpSettings settings{.host = {}, .stopped = std::move(stopped)};
  RemotePlace place{.name = target.name, .path = target.path};
  TRY(place.data, connect(target, kWhileLocked, settings));
  if (target.kind == Kind::kRclone) {
    TRY(place.locks, connect(target, 0, settings));
  }
  place.reconnect = [target] {
    return connect(target, 0, {.host = {}, .silence = kAgain, .opening = kAgain, .stopped = {}});
  };
  return make_remote_storage(std::move(place));
}

}  // namespace fairlead::volume
