#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>

#include "base/process.h"
#include "base/unique_fd.h"
#include "plugin-api/doctor/reading.h"

namespace fairlead::doctor {

namespace {

namespace fs = std::filesystem;

std::string trimmed(std::string text) {
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\t'; };
  while (!text.empty() && blank(text.back())) text.pop_back();
  text.erase(text.begin(), std::ranges::find_if_not(text, blank));
  return text;
}

// What is behind "Addr": in a file of JSON.
std::string address_in_json(const std::string& text) {
  const auto key = text.find("\"Addr\"");
  if (key == std::string::npos) return {};
  const auto colon = text.find(':', key);
  const auto start = colon == std::string::npos ? colon : text.find('"', colon);
  if (start == std::string::npos) return {};
  return text.substr(start + 1, text.find('"', start + 1) - start - 1);
}

bool leads_to(std::string address, const std::string& socket) {
  constexpr std::string_view kUnix = "unix://";
  if (address.starts_with(kUnix)) address.erase(0, kUnix.size());
  std::error_code failed;
  return address == socket ||
         fs::weakly_canonical(address, failed) == fs::weakly_canonical(socket, failed);
}

// kYes for a socket with a full backlog: somebody is there.
Answers answers_of(int error) {
  switch (error) {
    case 0:
    case EAGAIN:
      return Answers::kYes;
    case ECONNREFUSED:
      return Answers::kRefused;
    case ENOENT:
    case ENOTDIR:
      return Answers::kNothing;
    default:
      return Answers::kNobody;
  }
}

std::string systemctl(const std::string& verb, const std::string& unit) {
  constexpr std::chrono::seconds kPatience{5};
  const auto said = run_process(std::array<std::string, 3>{"systemctl", verb, unit}, kPatience);
  return said ? trimmed(said->out) : std::string();
}

}  // namespace

Answer ask_socket(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) return {};
  path.copy(name.sun_path, path.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return {Answers::kNobody};
  const int done = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
  Answer answer{answers_of(done == 0 ? 0 : errno)};
  ucred listener{};
  socklen_t size = sizeof listener;
  if (done == 0 && ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) == 0)
    answer.listener = listener.pid;
  return answer;
}

std::optional<Fill> open_files_of(pid_t process, std::string_view name) {
  const std::string folder = "/proc/" + std::to_string(process);
  if (process == 0 || trimmed(text_of_file(folder + "/comm")) != name) return std::nullopt;
  const auto most = open_files_limit(text_of_file(folder + "/limits"));
  std::error_code failed;
  const fs::directory_iterator files(folder + "/fd", failed);
  if (!most || failed) return std::nullopt;
  return Fill{static_cast<std::uint64_t>(std::distance(begin(files), end(files))), *most};
}

std::vector<PluginSpec> read_plugin_specs(const std::string& plugin_socket) {
  std::vector<PluginSpec> specs;
  for (const std::string folder : {"/etc/docker/plugins", "/usr/lib/docker/plugins"})
    for (const std::string ending : {".spec", ".json"}) {
      const std::string file = folder + "/fairlead" + ending;
      const std::string text = text_of_file(file);
      if (text.empty()) continue;
      const std::string address = ending == ".json" ? address_in_json(text) : trimmed(text);
      specs.push_back({file, address, leads_to(address, plugin_socket)});
    }
  return specs;
}

SystemdFacts read_systemd() {
  std::error_code failed;
  SystemdFacts systemd{.running = fs::is_directory("/run/systemd/system", failed)};
  if (!systemd.running) return systemd;
  for (const std::string unit : {"fairleadd.service", "fairleadd.socket"})
    systemd.units.push_back({unit, systemctl("is-enabled", unit), systemctl("is-active", unit)});
  return systemd;
}

bool names_plugin(std::string_view text, std::string_view key) {
  std::string without;
  std::ranges::copy_if(text, std::back_inserter(without),
                       [](char c) { return c != ' ' && c != '\n' && c != '\t' && c != '\r'; });
  return without.find("\"" + std::string(key) + "\":\"fairlead\"") != std::string::npos;
}

PluginFacts read_plugin(const std::string& program, const std::vector<std::string>& folders,
                        const std::string& configurations, std::string_view key) {
  PluginFacts plugin{.program = program, .folders = {}};
  std::error_code failed;
  const std::string wanted = text_of_file(program);
  for (const std::string& folder : folders) {
    if (fs::is_directory(folder, failed)) plugin.folders.push_back(folder);
    const std::string path = folder + "/fairlead";
    if (!fs::is_regular_file(path, failed)) continue;
    plugin.found.push_back(path);
    if (!wanted.empty() && text_of_file(path) != wanted) plugin.other.push_back(path);
  }
  for (const auto& file : fs::directory_iterator(configurations, failed))
    if (file.is_regular_file(failed) && plugin.used_by.empty() &&
        names_plugin(text_of_file(file.path()), key))
      plugin.used_by = file.path();
  return plugin;
}

}  // namespace fairlead::doctor
