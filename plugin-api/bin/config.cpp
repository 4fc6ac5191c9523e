#include "plugin-api/bin/config.h"

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/json/json.h"
#include "base/names.h"

namespace fairlead {

namespace {

template <class T, std::size_t N>
Result<T> choose(std::string_view key, std::string_view text,
                 const std::array<std::pair<std::string_view, T>, N>& values) {
  std::string known;
  for (const auto& [name, value] : values) {
    if (name == text) return value;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  return fail(Code::kInvalid, "{}: \"{}\" is not one of {}", key, text, known);
}

constexpr std::array<std::pair<std::string_view, log::Level>, 4> kLevels{
    {{"debug", log::Level::kDebug},
     {"info", log::Level::kInfo},
     {"warn", log::Level::kWarn},
     {"error", log::Level::kError}}};
constexpr std::array<std::pair<std::string_view, log::Format>, 2> kFormats{
    {{"text", log::Format::kText}, {"json", log::Format::kJson}}};

// A file that may be missing from the configuration.
Status take_path(const json::Object& object, std::string_view key, std::string& into) {
  TRY(auto path, object.string_or(key, into));
  if (!path.empty() && path.front() != '/')
    return fail(Code::kInvalid, "{}: \"{}\" is not an absolute path", key, path);
  into = std::move(path);
  return {};
}

// `source`: the key, the variable or the flag.
Status set_folder(std::string_view source, const std::optional<std::string>& path,
                  std::string& into) {
  if (!path) return {};
  if (path->empty() || path->front() != '/')
    return fail(Code::kInvalid, "{}: \"{}\" is not an absolute path", source, *path);
  into = *path;
  return {};
}

Status take_folder(const json::Object& object, std::string_view key, std::string& into) {
  if (object.find(key) == nullptr) return {};
  TRY(const auto path, object.string(key));
  return set_folder(key, path, into);
}

Status take_paths(const json::Object& object, std::string_view key,
                  std::vector<std::string>& into) {
  if (object.find(key) == nullptr) return {};
  TRY(auto paths, object.strings_or_empty(key));
  for (const std::string& path : paths)
    if (path.empty() || path.front() != '/')
      return fail(Code::kInvalid, "{}: \"{}\" is not an absolute path", key, path);
  into = std::move(paths);
  return {};
}

Result<ClusterConfig> parse_cluster(const json::Object& object) {
  TRY_STATUS(object.only({"etcd", "name", "address", "host", "ca_file", "certificate_file",
                          "key_file", "user", "password_file", "wireguard_port"}));
  ClusterConfig cluster;
  TRY(cluster.etcd.endpoints, object.strings_or_empty("etcd"));
  if (cluster.etcd.endpoints.empty())
    return fail(Code::kInvalid,
                "cluster.etcd: name the members of etcd, as in [\"https://10.0.0.1:2379\"]");
  TRY(const auto name, object.string_or("name", cluster.name));
  const auto checked = NetworkName::parse(name);
  if (!checked) return fail(with_context(checked.error(), "cluster.name"));
  cluster.name = name;
  cluster.etcd.prefix = fmt::format("/fairlead/v1/{}/", name);
  TRY(cluster.address, object.string_or("address", ""));
  TRY(cluster.host, object.string_or("host", ""));
  TRY_STATUS(take_path(object, "ca_file", cluster.etcd.ca_file));
  TRY_STATUS(take_path(object, "certificate_file", cluster.etcd.certificate_file));
  TRY_STATUS(take_path(object, "key_file", cluster.etcd.key_file));
  TRY(cluster.etcd.user, object.string_or("user", ""));
  TRY_STATUS(take_path(object, "password_file", cluster.etcd.password_file));
  TRY(const auto port, object.integer_or("wireguard_port", 1, 65535, cluster.wireguard_port));
  cluster.wireguard_port = static_cast<std::uint16_t>(port);
  return cluster;
}

}  // namespace

Result<Config> parse_config(std::string_view text, Config config) {
  TRY(auto json, json::parse(text));
  TRY(auto object, json::Object::of(json));
  TRY_STATUS(
      object.only({"run_dir", "state_dir", "volume_dir", "plugin_dir", "api_group", "log_level",
                   "log_format", "reconcile_seconds", "bind_roots", "cluster"}));
  TRY(const auto cluster, object.object_or_none("cluster"));
  if (cluster) {
    TRY(config.cluster, parse_cluster(*cluster));
  }
  TRY_STATUS(take_paths(object, "bind_roots", config.paths.bind_roots));
  TRY_STATUS(take_folder(object, "run_dir", config.paths.run_dir));
  TRY_STATUS(take_folder(object, "state_dir", config.paths.state_dir));
  TRY_STATUS(take_path(object, "volume_dir", config.paths.volume_dir));
  TRY_STATUS(take_folder(object, "plugin_dir", config.paths.plugin_dir));
  TRY(config.api_group, object.string_or("api_group", config.api_group));
  TRY(auto level, object.string_or("log_level", ""));
  if (!level.empty()) {
    TRY(config.log_level, choose("log_level", level, kLevels));
  }
  TRY(auto format, object.string_or("log_format", ""));
  if (!format.empty()) {
    TRY(config.log_format, choose("log_format", format, kFormats));
  }
  TRY(auto seconds, object.integer_or("reconcile_seconds", 1, 86400, config.reconcile_seconds));
  config.reconcile_seconds = static_cast<unsigned>(seconds);
  return config;
}

Result<Config> read_config(const std::string& path, Presence presence, Config base) {
  std::ifstream file(path);
  if (!file) {
    if (presence == Presence::kOptional && errno == ENOENT) return base;
    return fail_errno(errno, fmt::format("read the configuration {}", path));
  }
  std::stringstream text;
  text << file.rdbuf();
  auto config = parse_config(text.str(), std::move(base));
  if (!config) return fail(with_context(config.error(), fmt::format("configuration {}", path)));
  return config;
}

namespace {

Status apply_flags(const Flags& flags, Config& config) {
  TRY_STATUS(set_folder("--run-dir", flags.run_dir, config.paths.run_dir));
  TRY_STATUS(set_folder("--state-dir", flags.state_dir, config.paths.state_dir));
  TRY_STATUS(set_folder("--volume-dir", flags.volume_dir, config.paths.volume_dir));
  TRY_STATUS(set_folder("--plugin-dir", flags.plugin_dir, config.paths.plugin_dir));
  if (flags.log_level) {
    TRY(config.log_level, choose("--log-level", *flags.log_level, kLevels));
  }
  if (flags.log_format) {
    TRY(config.log_format, choose("--log-format", *flags.log_format, kFormats));
  }
  return {};
}

}  // namespace

Result<Config> load_config(const Flags& flags, const GetVariable& variable) {
  const auto said = [&](const char* name) -> std::optional<std::string> {
    const char* value = variable(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
  const auto file = flags.config ? flags.config : said("FAIRLEAD_CONFIG");
  TRY(auto config, read_config(file.value_or(kConfigFile),
                               file ? Presence::kRequired : Presence::kOptional, {}));
  Paths& paths = config.paths;
  for (const auto& [name, folder] : {std::pair("FAIRLEAD_RUN_DIR", &paths.run_dir),
                                     std::pair("FAIRLEAD_STATE_DIR", &paths.state_dir),
                                     std::pair("FAIRLEAD_VOLUME_DIR", &paths.volume_dir)})
    TRY_STATUS(set_folder(name, said(name), *folder));
  TRY_STATUS(apply_flags(flags, config));
  return config;
}

}  // namespace fairlead
