// Times CNI plugins as a runtime calls them: exec to exit, one process per plugin and verb.
//
//   cni_timer CONFLIST BIN_DIR FIRST COUNT KEEP PORTS
//
// Attaches containers FIRST..FIRST+COUNT-1 in network namespaces /run/netns/bench-<n> (made by the
// caller), each with PORTS published ports from 20000+n*PORTS on. KEEP = "keep" leaves them
// attached; "cycle" deletes each before the next. Prints {"add_us":[...],"del_us":[...]}: the sum
// over the plugins of the chain for each container.
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/json/json.h"
#include "base/unique_fd.h"

namespace fairlead {
namespace {

using json::Json;

[[noreturn]] void die(const std::string& text) {
  fmt::print(stderr, "cni_timer: {}\n", text);
  std::exit(1);
}

struct Chain {
  std::string name, version, bin_dir;
  std::vector<Json> plugins;
};

Chain read_chain(const char* path, const char* bin_dir) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  auto list = json::parse(text.str());
  if (!list) die(list.error().text);
  Chain chain{list->at("name").string(), list->at("cniVersion").string(), bin_dir, {}};
  for (const Json& plugin : (*list)["plugins"]) chain.plugins.push_back(plugin);
  return chain;
}

UniqueFd memory_file(const std::string& content) {
  UniqueFd fd(memfd_create("stdin", MFD_CLOEXEC));
  if (!fd ||
      write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    die("memfd");
  lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

struct Ran {
  long micros = 0;
  std::string out;
};

// What is read back lies in a memory file, so that reading it takes none of the measured time.
Ran run_plugin(const std::string& path, std::vector<std::string> environment,
               const std::string& input) {
  const UniqueFd in = memory_file(input), out = memory_file("");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.get(), 1);
  std::vector<char*> env;
  for (std::string& variable : environment) env.push_back(variable.data());
  env.push_back(nullptr);
  std::string name = path;
  char* argv[] = {name.data(), nullptr};
  const auto start = std::chrono::steady_clock::now();
  pid_t pid = 0;
  if (posix_spawn(&pid, path.c_str(), &actions, nullptr, argv, env.data()) != 0)
    die("cannot run " + path);
  int status = 0;
  waitpid(pid, &status, 0);
  const auto end = std::chrono::steady_clock::now();
  posix_spawn_file_actions_destroy(&actions);
  std::string text(static_cast<std::size_t>(lseek(out.get(), 0, SEEK_END)), '\0');
  if (pread(out.get(), text.data(), text.size(), 0) < 0) die("read the answer");
  if (status != 0) die(fmt::format("{} failed: {}", path, text));
  return {std::chrono::duration_cast<std::chrono::microseconds>(end - start).count(), text};
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> environment_of(const Chain& chain, const char* verb, long number) {
  return {fmt::format("CNI_COMMAND={}", verb),
          fmt::format("CNI_CONTAINERID=bench-{}", number),
          fmt::format("CNI_NETNS=/run/netns/bench-{}", number),
          "CNI_IFNAME=eth0",
          "CNI_PATH=" + chain.bin_dir,
          "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
          fmt::format("FAIRLEAD_RUN_DIR={}", variable("FAIRLEAD_RUN_DIR")),
          fmt::format("FAIRLEAD_STATE_DIR={}", variable("FAIRLEAD_STATE_DIR")),
          fmt::format("FAIRLEAD_LIBEXEC={}", chain.bin_dir)};
}

std::string config_of(const Chain& chain, const Json& plugin, const Json& previous, long number,
                      long ports) {
  Json config = plugin;
  config["name"] = chain.name;
  config["cniVersion"] = chain.version;
  if (!previous.is_null()) config["prevResult"] = previous;
  if (plugin.contains("capabilities")) {
    for (long port = 0; port < ports; ++port)
      config["runtimeConfig"]["portMappings"].push_back(
          {{"hostPort", 20000 + number * ports + port},
           {"containerPort", 80 + port},
           {"protocol", "tcp"}});
  }
  return json::dump(config);
}

long attach(const Chain& chain, long number, long ports, Json& result) {
  long micros = 0;
  result = Json();
  for (const Json& plugin : chain.plugins) {
    const Ran ran = run_plugin(chain.bin_dir + "/" + plugin["type"].get<std::string>(),
                               environment_of(chain, "ADD", number),
                               config_of(chain, plugin, result, number, ports));
    micros += ran.micros;
    auto answer = json::parse(ran.out);
    if (!answer) die("ADD: " + answer.error().text);
    result = std::move(*answer);
  }
  return micros;
}

long detach(const Chain& chain, long number, long ports, const Json& result) {
  long micros = 0;
  for (auto plugin = chain.plugins.rbegin(); plugin != chain.plugins.rend(); ++plugin)
    micros += run_plugin(chain.bin_dir + "/" + (*plugin)["type"].get<std::string>(),
                         environment_of(chain, "DEL", number),
                         config_of(chain, *plugin, result, number, ports))
                  .micros;
  return micros;
}

}  // namespace
}  // namespace fairlead

int main(int argc, char** argv) {
  using namespace fairlead;
  if (argc != 7) die("cni_timer CONFLIST BIN_DIR FIRST COUNT keep|cycle PORTS");
  const Chain chain = read_chain(argv[1], argv[2]);
  const long first = std::atol(argv[3]), count = std::atol(argv[4]), ports = std::atol(argv[6]);
  const bool keep = std::string_view(argv[5]) == "keep";
  Json figures{{"add_us", Json::array()}, {"del_us", Json::array()}};
  for (long number = first; number < first + count; ++number) {
    Json result;
    figures["add_us"].push_back(attach(chain, number, ports, result));
    if (!keep) figures["del_us"].push_back(detach(chain, number, ports, result));
  }
  fmt::print("{}\n", json::dump(figures));
}
