#include "plugin-api/netavark/plugins.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin-api/netavark/specs.h"

namespace fairlead::netavark {

namespace {

bool is_program(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

Result<std::string> find_plugin(const std::string& driver,
                                const std::vector<std::string>& folders) {
  if (driver.empty() || driver == "." || driver == ".." || driver.find('/') != std::string::npos)
    return fail(Code::kInvalid, "\"{}\" is not the name of a driver", driver.substr(0, 64));
  for (const std::string& folder : folders)
    if (std::string path = fmt::format("{}/{}", folder, driver); is_program(path)) return path;
  return fail(
      Code::kNotFound, "no plugin of netavark's for the driver \"{}\" is in {}",
      driver.substr(0, 64),
      folders.empty() ? "a folder: none was named" : fmt::format("{}", fmt::join(folders, ", ")));
}

std::string error_in(const std::string& out) {
  const auto parsed = json::parse(out);
  if (parsed && parsed->is_object() && (*parsed)["error"].is_string())
    return (*parsed)["error"].string();
  return out.substr(0, 512);
}

}  // namespace

bool is_plugins(const std::string& driver) {
  return driver != "bridge" && driver != "macvlan" && driver != "ipvlan" && driver != kOwnDriver;
}

Result<std::string> ask_plugin(const std::string& driver, const std::vector<std::string>& folders,
                               const std::vector<std::string>& arguments, const std::string& input,
                               const RunPlugin& run) {
  TRY(const std::string program, find_plugin(driver, folders));
  std::vector<std::string> argv{program};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  TRY(auto outcome, run(argv, input));
  if (outcome.exit_code == 0) return std::move(outcome.out);
  return fail(Code::kIo, "plugin \"{}\" failed: exit code {}, message: {}", driver,
              outcome.exit_code, error_in(outcome.out));
}

std::string plugin_input(const Connections& call, const Connection& connection) {
  json::Json document{{"container_id", call.container.id}, {"container_name", call.container.name}};
  document["port_mappings"] = call.ports_document;
  document["network"] = connection.network_document;
  json::Json options = connection.options_document;
  options.erase("name");  // netavark 2's own
  document["network_options"] = std::move(options);
  return json::dump(document);
}

}  // namespace fairlead::netavark
