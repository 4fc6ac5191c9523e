#include "plugin-api/cni/plugin_process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "base/piped_process.h"

namespace fairlead::cni {

namespace {

bool is_program(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

std::vector<std::string> environment_for(const PluginVerb& verb) {
  constexpr std::string_view kCommand = "CNI_COMMAND=", kIfname = "CNI_IFNAME=";
  std::vector<std::string> variables{fmt::format("{}{}", kCommand, verb.command)};
  if (!verb.ifname.empty()) variables.push_back(fmt::format("{}{}", kIfname, verb.ifname));
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (text.starts_with(kCommand) || (text.starts_with(kIfname) && !verb.ifname.empty())) continue;
    variables.emplace_back(text);
  }
  return variables;
}

}  // namespace

Result<std::string> find_plugin(std::string_view folders, std::string_view name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos)
    return fail(Code::kInvalid, "\"{}\" is not the name of a plugin", name.substr(0, 64));
  std::string_view rest = folders;
  while (!rest.empty()) {
    const std::size_t end = rest.find(':');
    const std::string_view folder = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (folder.empty()) continue;
    if (std::string path = fmt::format("{}/{}", folder, name); is_program(path)) return path;
  }
  return fail(
      Code::kNotFound,
      "plugin \"{}\" is in none of the folders of CNI_PATH ({}); Debian has those of the CNI "
      "project in the package containernetworking-plugins, in /usr/lib/cni",
      name, folders.empty() ? "which is empty" : folders);
}

Result<PluginOutcome> run_plugin(const PluginCall& call) {
  TRY(auto outcome, run_piped({.argv = {call.program},
                               .environment = environment_for(call.verb),
                               .input = call.input}));
  return PluginOutcome{outcome.exit_code, std::move(outcome.out)};
}

}  // namespace fairlead::cni
