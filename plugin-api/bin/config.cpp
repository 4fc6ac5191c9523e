#include "plugin-api/bin/config.h"

#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>

#include "base/json/fields.h"
#include "base/names.h"
#include "base/text.h"
#include "volume/api/backup_target.h"

namespace fairlead {

using json::defaulted;
using json::fields;
using json::object;
using json::Range;
using json::Slot;

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

constexpr std::array<std::pair<std::string_view, bool>, 2> kForeignFirewalls{
    {{"open", true}, {"report", false}}};

Result<std::string> parse_folder(std::string_view path) {
  if (path.starts_with('/')) return std::string(path);
  return fail(Code::kInvalid, "\"{}\" is not an absolute path", path);
}

// A path that may be missing from the configuration.
Result<std::string> parse_path(std::string_view path) {
  return path.empty() ? std::string() : parse_folder(path);
}

constexpr auto kFolder = json::text<&parse_folder>();
constexpr auto kPath = json::text<&parse_path>();

// A folder, or a target on another host.
Result<std::string> parse_backup_root(std::string_view text) {
  if (!volume::is_far_target(text)) return parse_folder(text);
  TRY_STATUS(status_of(volume::parse_backup_target(text)));
  if (volume::has_dots(text))
    return fail(Code::kInvalid, "\"{}\" must have no . and .. in its path", text);
  return std::string(text);
}

// A path, or the same as DOCKER_HOST has it.
Result<std::string> parse_docker_socket(std::string_view text) {
  constexpr std::string_view kUnix = "unix://";
  if (text.starts_with(kUnix)) text.remove_prefix(kUnix.size());
  if (text.find("://") != std::string_view::npos)
    return fail(Code::kInvalid,
                "\"{}\" is not a Unix socket: dockerd is asked on this host only, as in "
                "unix:///run/docker.sock; \"\" asks nobody",
                text);
  return parse_path(text);
}

Result<std::string> parse_cluster_name(std::string_view text) {
  return NetworkName::parse(text).map([](const NetworkName& name) { return name.str(); });
}

using state::EtcdConfig;
constexpr auto kCluster = fields(
    defaulted<&ClusterConfig::etcd, &EtcdConfig::endpoints>("etcd"),
    defaulted<&ClusterConfig::name>("name", json::text<&parse_cluster_name>()),
    defaulted<&ClusterConfig::address>("address"), defaulted<&ClusterConfig::host>("host"),
    defaulted<&ClusterConfig::etcd, &EtcdConfig::ca_file>("ca_file", kPath),
    defaulted<&ClusterConfig::etcd, &EtcdConfig::certificate_file>("certificate_file", kPath),
    defaulted<&ClusterConfig::etcd, &EtcdConfig::key_file>("key_file", kPath),
    defaulted<&ClusterConfig::etcd, &EtcdConfig::user>("user"),
    defaulted<&ClusterConfig::etcd, &EtcdConfig::password_file>("password_file", kPath),
    defaulted<&ClusterConfig::wireguard_port>("wireguard_port", Range{1, 65535}));

Status check_cluster(const Slot& slot, void* value) {
  ClusterConfig& cluster = *static_cast<ClusterConfig*>(value);
  if (cluster.etcd.endpoints.empty())
    return fail(Code::kInvalid,
                "field {}: name the members of etcd, as in [\"https://10.0.0.1:2379\"]",
                slot.member("etcd", nullptr).path());
  cluster.etcd.prefix = fmt::format("/fairlead/v1/{}/", cluster.name);
  return {};
}

// Bits that are adjacent, so that the numbers in them can be counted.
Result<std::uint32_t> parse_uplink_mask(std::string_view text) {
  std::uint32_t mask = 0;
  const std::string_view digits = text.starts_with("0x") ? text.substr(2) : std::string_view();
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), mask, 16);
  const bool read = error == std::errc{} && end == digits.data() + digits.size();
  if (!read || mask == 0 ||
      !std::has_single_bit((mask >> std::countr_zero(mask)) + std::uint64_t{1}))
    return fail(Code::kInvalid, "must be adjacent bits of a mark, as 0xf0000000, not {}",
                shown(text));
  return mask;
}

Result<std::uint32_t> read_uplink_mask(const Slot& slot) {
  if (!slot.value().is_string()) return slot.wrong("a text");
  auto mask = parse_uplink_mask(slot.value().string());
  return mask ? std::move(mask) : fail(slot.located(std::move(mask.error())));
}

Result<double> read_ratio(const Slot& slot) {
  if (!slot.value().is_number()) return slot.wrong("a number");
  const double ratio = slot.value().real();
  if (ratio >= 0 && ratio <= 1000) return ratio;
  return fail(slot.located({Code::kInvalid, 0, "must be 0 to 1000"}));
}

// "" takes back what the configuration says.
Result<std::optional<IpPort>> parse_place(std::string_view text) {
  if (text.empty()) return std::optional<IpPort>();
  return IpPort::parse(text).map([](const IpPort& place) { return std::optional(place); });
}

// What is sent to the page and from it is not encrypted.
Status check_ui(const UiConfig& ui) {
  if (!ui.place || ui.anywhere || ui.place->address.is_loopback()) return {};
  return fail(
      Code::kInvalid,
      "the page at {}: whoever is on the way would see what it shows and the token that opens "
      "it. Use a loopback address, as in 127.0.0.1:{} (from elsewhere: ssh -L), or say "
      "\"ui_anywhere\": true in the configuration",
      ui.place->to_string(), ui.place->port);
}

// A configuration, and its words as they are written: an empty one leaves what was there.
struct File {
  Config config;
  std::string log_level, log_format, foreign_firewalls;
  std::optional<std::string> ui;
  std::optional<std::string> metrics_address = std::nullopt;
};
constexpr auto kFile = fields(
    defaulted<&File::config, &Config::paths, &Paths::run_dir>("run_dir", kFolder),
    defaulted<&File::config, &Config::paths, &Paths::state_dir>("state_dir", kFolder),
    defaulted<&File::config, &Config::paths, &Paths::volume_dir>("volume_dir", kPath),
    defaulted<&File::config, &Config::paths, &Paths::plugin_dir>("plugin_dir", kFolder),
    defaulted<&File::config, &Config::paths, &Paths::bind_roots>("bind_roots", kFolder),
    defaulted<&File::config, &Config::paths, &Paths::overcommit>("overcommit",
                                                                 json::custom<&read_ratio>()),
    defaulted<&File::config, &Config::paths, &Paths::allow_forwarding>("allow_forwarding"),
    defaulted<&File::config, &Config::paths, &Paths::count_traffic>("counters"),
    defaulted<&File::config, &Config::paths, &Paths::uplink_mask>(
        "uplink_mask", json::custom<&read_uplink_mask>()),
    defaulted<&File::config, &Config::paths, &Paths::backup_roots>(
        "backup_roots", json::text<&parse_backup_root>()),
    defaulted<&File::config, &Config::paths, &Paths::device_roots>("device_roots", kFolder),
    defaulted<&File::foreign_firewalls>("foreign_firewalls"),
    defaulted<&File::config, &Config::restart_docker_containers>("restart_docker_containers"),
    defaulted<&File::config, &Config::api_group>("api_group"),
    defaulted<&File::config, &Config::dns_port>("dns_port", Range{0, 65535}),
    defaulted<&File::config, &Config::docker_socket>("docker_socket",
                                                     json::text<&parse_docker_socket>()),
    defaulted<&File::log_level>("log_level"), defaulted<&File::log_format>("log_format"),
    defaulted<&File::config, &Config::reconcile_seconds>("reconcile_seconds", Range{1, 86400}),
    defaulted<&File::ui>("ui"), defaulted<&File::config, &Config::ui, &UiConfig::write>("ui_write"),
    defaulted<&File::config, &Config::ui, &UiConfig::anywhere>("ui_anywhere"),
    defaulted<&File::metrics_address>("metrics_address"),
    defaulted<&File::config, &Config::cluster>("cluster", object(kCluster, check_cluster)));

// `source`: the variable or the flag.
Status set_folder(std::string_view source, const std::optional<std::string>& path,
                  std::string& into) {
  if (!path) return {};
  auto folder = parse_folder(*path);
  if (!folder) return fail(with_context(folder.error(), source));
  into = std::move(*folder);
  return {};
}

}  // namespace

Result<Config> parse_config(std::string_view text, Config base) {
  TRY(const auto json, json::parse(text));
  File file{.config = std::move(base),
            .log_level = {},
            .log_format = {},
            .foreign_firewalls = {},
            .ui = {}};
  TRY_STATUS(json::read_into(Slot(json, {.refuse_unknown = true}), kFile, file));
  Config& config = file.config;
  if (!file.log_level.empty()) {
    TRY(config.log_level, choose("field log_level", file.log_level, kLevels));
  }
  if (!file.log_format.empty()) {
    TRY(config.log_format, choose("field log_format", file.log_format, kFormats));
  }
  if (file.ui) {
    auto place = parse_place(*file.ui);
    if (!place) return fail(with_context(place.error(), "field ui"));
    config.ui.place = *place;
  }
  if (file.metrics_address) {
    auto place = parse_place(*file.metrics_address);
    if (!place) return fail(with_context(place.error(), "field metrics_address"));
    config.metrics_address = *place;
  }
  if (!file.foreign_firewalls.empty()) {
    TRY(config.paths.open_foreign_firewalls,
        choose("field foreign_firewalls", file.foreign_firewalls, kForeignFirewalls));
  }
  return std::move(config);
}

std::vector<std::string> config_keys() {
  std::vector<std::string> keys;
  for (const json::Field& field : kFile.rows) {
    keys.emplace_back(field.key);
    for (const json::Field& inner : field.form.table)
      keys.push_back(fmt::format("{}.{}", field.key, inner.key));
  }
  return keys;
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
  if (flags.ui) {
    auto place = parse_place(*flags.ui);
    if (!place) return fail(with_context(place.error(), "--ui"));
    config.ui.place = *place;
  }
  config.ui.write = config.ui.write || flags.ui_write;
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
  if (file) config.file = *file;
  Paths& paths = config.paths;
  for (const auto& [name, folder] : {std::pair("FAIRLEAD_RUN_DIR", &paths.run_dir),
                                     std::pair("FAIRLEAD_STATE_DIR", &paths.state_dir),
                                     std::pair("FAIRLEAD_VOLUME_DIR", &paths.volume_dir)})
    TRY_STATUS(set_folder(name, said(name), *folder));
  TRY_STATUS(apply_flags(flags, config));
  TRY_STATUS(check_ui(config.ui));
  paths.docker_socket = config.docker_socket;
  return config;
}

}  // namespace fairlead
