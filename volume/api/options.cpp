#include "volume/api/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "base/names.h"
#include "base/options/table.h"
#include "base/options/values.h"
#include "base/text.h"
#include "volume/api/option_values.h"

namespace fairlead::volume {

namespace {

constexpr std::string_view kNoun = "volume option";
constexpr std::string_view kLabelPrefix = "label.";

// ---- values

Result<std::string> parse_text(std::string_view text) {
  if (text.empty()) return fail(Code::kInvalid, "it must not be empty");
  return std::string(text);
}

Result<std::uint64_t> parse_limit(std::string_view text) {
  TRY(const auto size, parse_size(text));
  if (size == 0) return fail(Code::kInvalid, "it must be above 0; leave it out for no limit");
  return size;
}

Result<Access> parse_access(std::string_view text) {
  for (const Access access : {Access::kShared, Access::kSingle, Access::kReadOnly})
    if (text == to_string(access)) return access;
  return fail(Code::kInvalid, "\"{}\" is none of shared, single, read-only", shown(text));
}

// readonly=true is another spelling of access=read-only. A map is read in the order of its keys, so
// `access` was read before.
Status set_readonly(VolumeOptions& options, std::string_view text) {
  TRY(const bool readonly, parse_bool(text));
  if (readonly == (options.access == Access::kReadOnly)) return {};
  if (options.access != Access::kShared)
    return fail(Code::kInvalid, "it contradicts access={}; give one of them",
                to_string(options.access));
  options.access = Access::kReadOnly;
  return {};
}

Result<std::string> parse_fstype(std::string_view text) {
  if (text == "ext4" || text == "xfs") return std::string(text);
  return fail(Code::kInvalid,
              "\"{}\" is neither ext4 nor xfs; a file system of another kind is mounted with "
              "type= and device=",
              shown(text));
}

Result<std::string> parse_pool(std::string_view text) {
  TRY(const auto name, PoolName::parse(text));
  return name.str();
}

Status set_from(VolumeOptions& options, std::string_view text) {
  TRY(const auto source, parse_source(text));
  std::tie(options.from_volume, options.from_snapshot) = source;
  return {};
}

std::string get_from(const VolumeOptions& options) {
  return options.from_volume + (options.from_snapshot.empty() ? "" : "@" + options.from_snapshot);
}

Status set_view(VolumeOptions& options, std::string_view text) {
  TRY(const auto source, parse_source(text));
  if (source.second.empty())
    return fail(Code::kInvalid, "which snapshot of {}? write snapshot={}@<snapshot>", source.first,
                source.first);
  std::tie(options.view_volume, options.view_snapshot) = source;
  return {};
}

std::string get_view(const VolumeOptions& options) {
  return options.view_volume + (options.view_volume.empty() ? "" : "@" + options.view_snapshot);
}

Result<std::string> parse_encrypt(std::string_view text) {
  if (text == "luks")
    return fail(Code::kUnsupported,
                "this version of Fairlead has no luks; use encrypt=fscrypt, or encrypt the disk "
                "below the volume folder");
  if (text != "fscrypt") return fail(Code::kInvalid, "\"{}\" is not fscrypt", shown(text));
  return std::string(text);
}

std::string format_mode(std::uint32_t mode) { return fmt::format("{:04o}", mode); }

// ---- the table

using options::row;
using Options = VolumeOptions;

constexpr auto kRows = std::to_array<options::Row<Options>>({
    row<&Options::backend, parse_text>("backend"),
    row<&Options::size, parse_limit, format_size>("size"),
    row<&Options::inodes, parse_count>("inodes"),
    row<&Options::uid, parse_id>("uid"),
    row<&Options::gid, parse_id>("gid"),
    row<&Options::mode, parse_mode, format_mode>("mode"),
    row<&Options::retain, parse_duration, format_duration>("retain"),
    row<&Options::access, parse_access>("access"),
    {.name = "readonly", .set = set_readonly},
    row<&Options::type, parse_text>("type"),
    row<&Options::device, parse_text>("device"),
    {.name = "from", .set = set_from, .get = get_from},
    {.name = "snapshot", .set = set_view, .get = get_view},
    row<&Options::snapshots, parse_schedule, format_schedule>("snapshots"),
    row<&Options::autogrow, parse_autogrow, format_autogrow>("autogrow"),
    row<&Options::backup, parse_backup_plan, format_backup_plan>("backup"),
    row<&Options::backup_exclude, parse_excludes, format_excludes>("backup_exclude"),
    row<&Options::backup_keyfile, parse_file_path>("backup_keyfile"),
    row<&Options::backup_passphrasefile, parse_file_path>("backup_passphrasefile"),
    row<&Options::fstype, parse_fstype>("fstype"),
    row<&Options::pool, parse_pool>("pool"),
    row<&Options::compress, parse_compression>("compress"),
    row<&Options::cow, parse_bool>("cow"),
    row<&Options::discard, parse_bool>("discard"),
    row<&Options::idmap, parse_idmap, format_idmap>("idmap"),
    row<&Options::encrypt, parse_encrypt>("encrypt"),
    row<&Options::keyfile, parse_file_path>("keyfile"),
    row<&Options::passwordfile, parse_file_path>("passwordfile"),
    {.name = "trash", .hint = "use retain=, the time that deleted data is kept"},
});
constexpr auto kOthers = std::to_array<std::string_view>({"o", "label.<key>"});
constexpr options::Table<Options> kTable{.noun = kNoun, .rows = kRows, .others = kOthers};

// ---- the words of o=

constexpr auto kAlsoInO = std::to_array<std::string_view>({"size", "inodes", "uid", "gid", "mode"});

// Options of mount(8) that any file system takes, and Podman's own words in `o`.
constexpr auto kMountOptions = std::to_array<std::string_view>(
    {"async",      "atime",  "bind",     "defaults",    "dev",         "diratime",
     "dirsync",    "exec",   "lazytime", "noatime",     "nocopy",      "nodev",
     "nodiratime", "noexec", "noquota",  "nosuid",      "nosymfollow", "rbind",
     "relatime",   "ro",     "rw",       "strictatime", "suid",        "sync"});

// Parses one map of options.
class Parser {
 public:
  Result<VolumeOptions> parse(const std::map<std::string, std::string>& options);

 private:
  Status option(const std::string& key, std::string_view value);
  Status o_item(std::string_view item);
  Status o(std::string_view text);
  Status label(std::string_view key, std::string_view value);
  Status check_mount_options() const;
  Status settle_type();
  Status check_backup() const;
  Status check_pairs() const;

  options::Parser<VolumeOptions> rows_{kTable};
  VolumeOptions& parsed_ = rows_.value();
};

Status Parser::o_item(std::string_view item) {
  const auto equals = item.find('=');
  const bool is_option = std::ranges::find(kAlsoInO, item.substr(0, equals)) != kAlsoInO.end();
  if (is_option && equals != std::string_view::npos)
    return rows_.set(item.substr(0, equals), item.substr(equals + 1));
  parsed_.mount_options.emplace_back(item);
  return {};
}

Status Parser::o(std::string_view text) {
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    if (comma > 0) TRY_STATUS(o_item(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return {};
}

Status Parser::label(std::string_view key, std::string_view value) {
  if (key.empty())
    return fail(Code::kInvalid, "{} lacks the label's name; write label.<name>=<value>",
                options::quoted(kNoun, kLabelPrefix));
  parsed_.labels[std::string(key)] = value;
  return {};
}

Status Parser::option(const std::string& key, std::string_view value) {
  TRY_STATUS(options::check_text(kNoun, key, value));
  if (key == "o") return o(value);
  if (key.starts_with(kLabelPrefix)) return label(key.substr(kLabelPrefix.size()), value);
  return rows_.set(key, value);
}

// With a type, unknown words (nfsvers=4) are left to its file system; without one every word must
// be known.
Status Parser::check_mount_options() const {
  if (!parsed_.type.empty()) return {};
  std::vector<std::string_view> known(kMountOptions.begin(), kMountOptions.end());
  known.insert(known.end(), kAlsoInO.begin(), kAlsoInO.end());
  for (const std::string& word : parsed_.mount_options)
    if (std::ranges::find(kMountOptions, word) == kMountOptions.end())
      return fail(Code::kInvalid, "unknown word \"{}\" in volume option \"o\"; {}", shown(word),
                  options::suggestion(word, known, known));
  return {};
}

std::string backend_of_type(const VolumeOptions& options) {
  const auto has = [&](std::string_view word) {
    return std::ranges::find(options.mount_options, word) != options.mount_options.end();
  };
  if (has("bind") || has("rbind")) return "bind";
  if (options.type == "tmpfs" || options.type == "cifs" || options.type == "btrfs")
    return options.type;
  if (options.type == "nfs" || options.type == "nfs4") return "nfs";
  return options.type.empty() ? "" : "mount";
}

// Translates Docker's type and device into a backend. When `backend` is given as well, the two must
// agree.
Status Parser::settle_type() {
  if (parsed_.type.empty() && !parsed_.device.empty())
    return fail(
        Code::kInvalid,
        "volume option \"device\" needs \"type\" (type=none,o=bind for a folder of the host)");
  const std::string implied = backend_of_type(parsed_);
  if (implied.empty()) return {};
  if (!parsed_.backend.empty() && parsed_.backend != implied)
    return fail(Code::kInvalid,
                "volume options ask for backend={} and, by type and o, for {}; give one of them",
                shown(parsed_.backend), implied);
  parsed_.backend = implied;
  return {};
}

Status Parser::check_backup() const {
  const bool has_key = !parsed_.backup_keyfile.empty();
  const bool has_passphrase = !parsed_.backup_passphrasefile.empty();
  for (const auto& [name, is_set] :
       {std::pair("backup_exclude", !parsed_.backup_exclude.empty()),
        std::pair("backup_keyfile", has_key), std::pair("backup_passphrasefile", has_passphrase)})
    if (is_set && parsed_.backup.folder.empty())
      return fail(Code::kInvalid,
                  "volume option \"{}\" is for the backups that \"backup\" makes; add "
                  "backup=daily:7@/srv/backup, or leave it out",
                  name);
  if (!has_key || !has_passphrase) return {};
  return fail(Code::kInvalid,
              "backups are encrypted by a key file or by a passphrase: leave out "
              "\"backup_keyfile\" or \"backup_passphrasefile\"");
}

// The options name the file of a key and never hold the key, because runtimes keep options as plain
// text and show them.
Status Parser::check_pairs() const {
  TRY_STATUS(check_backup());
  if (parsed_.encrypt.empty() == parsed_.keyfile.empty()) return {};
  return fail(Code::kInvalid, "volume options \"encrypt\" and \"keyfile\" go together; add {}",
              parsed_.encrypt.empty() ? "encrypt=fscrypt" : "keyfile=<absolute path>");
}

Result<VolumeOptions> Parser::parse(const std::map<std::string, std::string>& options) {
  TRY_STATUS(options::check_count(kNoun, options.size()));
  for (const auto& [key, value] : options) TRY_STATUS(option(key, value));
  std::ranges::sort(parsed_.mount_options);
  auto& words = parsed_.mount_options;
  words.erase(std::unique(words.begin(), words.end()), words.end());
  TRY_STATUS(check_mount_options());
  TRY_STATUS(settle_type());
  TRY_STATUS(check_pairs());
  return std::move(parsed_);
}

}  // namespace

std::string_view to_string(Access access) {
  switch (access) {
    case Access::kShared:
      return "shared";
    case Access::kSingle:
      return "single";
    case Access::kReadOnly:
      return "read-only";
  }
  return "shared";
}

Result<VolumeOptions> parse_options(const std::map<std::string, std::string>& options) {
  return Parser().parse(options);
}

// What this version does not know is taken out first, then what it cannot read, one after the other.
VolumeOptions parse_stored_options(const std::map<std::string, std::string>& options) {
  auto whole = parse_options(options);
  if (whole) return std::move(*whole);
  std::map<std::string, std::string> read, unread;
  for (const auto& option : options) {
    read.insert(option);
    if (parse_options(read)) continue;
    read.erase(option.first);
    unread.insert(option);
  }
  // Two that go together only, as encrypt and keyfile.
  for (const auto& one : std::map(unread))
    for (const auto& other : std::map(unread)) {
      auto more = read;
      more.insert({one, other});
      if (one == other || !unread.contains(one.first) || !parse_options(more)) continue;
      read = std::move(more);
      unread.erase(one.first);
      unread.erase(other.first);
    }
  VolumeOptions parsed = parse_options(read).value_or(VolumeOptions{});
  parsed.unread = std::move(unread);
  return parsed;
}

Status refuse_unread(const VolumeOptions& options) {
  if (options.unread.empty()) return {};
  std::vector<std::string> texts;
  for (const auto& [key, value] : options.unread) texts.push_back(shown(key) + "=" + shown(value));
  return fail(Code::kUnsupported,
              "it has options that this version of Fairlead cannot read ({}): it is shown, and can "
              "be removed; update Fairlead to use it",
              fmt::join(texts, ", "));
}

std::map<std::string, std::string> to_map(const VolumeOptions& options) {
  auto map = options::to_map(kTable, options);
  map.insert(options.unread.begin(), options.unread.end());
  if (!options.mount_options.empty())
    map["o"] = fmt::format("{}", fmt::join(options.mount_options, ","));
  for (const auto& [key, value] : options.labels) map[std::string(kLabelPrefix) + key] = value;
  return map;
}

std::string difference(const VolumeOptions& is, const VolumeOptions& should_be) {
  const auto there = to_map(is), asked = to_map(should_be);
  const auto differs = [](const std::string& key, const std::string* have,
                          const std::string* want) {
    return fmt::format("{} is {}, not {}", shown(key), have == nullptr ? "not set" : shown(*have),
                       want == nullptr ? "unset" : shown(*want));
  };
  for (const auto& [key, want] : asked) {
    const auto have = there.find(key);
    if (have == there.end()) return differs(key, nullptr, &want);
    if (have->second != want) return differs(key, &have->second, &want);
  }
  for (const auto& [key, have] : there)
    if (!asked.contains(key)) return differs(key, &have, nullptr);
  return {};
}

std::vector<std::string> option_names() {
  const auto in_table = options::names(kTable);
  std::vector<std::string> names(in_table.begin(), in_table.end());
  std::ranges::sort(names);
  return names;
}

}  // namespace fairlead::volume
