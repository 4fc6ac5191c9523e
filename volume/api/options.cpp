#include "volume/api/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <tuple>

#include "base/names.h"
#include "volume/api/option_values.h"
#include "volume/api/text.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostOptions = 256, kLongestKey = 256, kLongestValue = 4096;
constexpr std::string_view kLabelPrefix = "label.";

template <auto Field, auto Parse>
Status set_field(VolumeOptions& options, std::string_view text) {
  TRY(options.*Field, Parse(text));
  return {};
}

template <auto Field>
Status set_text(VolumeOptions& options, std::string_view text) {
  if (text.empty()) return fail(Code::kInvalid, "it must not be empty");
  options.*Field = text;
  return {};
}

Status set_size(VolumeOptions& options, std::string_view text) {
  TRY(options.size, parse_size(text));
  if (options.size == 0)
    return fail(Code::kInvalid, "it must be above 0; leave it out for no limit");
  return {};
}

Status set_access(VolumeOptions& options, std::string_view text) {
  for (const Access access : {Access::kShared, Access::kSingle, Access::kReadOnly})
    if (text == to_string(access)) {
      options.access = access;
      return {};
    }
  return fail(Code::kInvalid, "\"{}\" is none of shared, single, read-only", shown(text));
}

// readonly=true is another spelling of access=read-only. A map is read in the order of its keys, so
// `access` was read before.
Status set_readonly(VolumeOptions& options, std::string_view text) {
  TRY(const bool readonly, parse_switch(text));
  if (readonly == (options.access == Access::kReadOnly)) return {};
  if (options.access != Access::kShared)
    return fail(Code::kInvalid, "it contradicts access={}; give one of them",
                to_string(options.access));
  options.access = Access::kReadOnly;
  return {};
}

Status set_fstype(VolumeOptions& options, std::string_view text) {
  if (text != "ext4" && text != "xfs")
    return fail(Code::kInvalid,
                "\"{}\" is neither ext4 nor xfs; a file system of another kind is mounted with "
                "type= and device=",
                shown(text));
  options.fstype = text;
  return {};
}

Status set_pool(VolumeOptions& options, std::string_view text) {
  TRY(const auto name, PoolName::parse(text));
  options.pool = name.str();
  return {};
}

Status set_from(VolumeOptions& options, std::string_view text) {
  TRY(const auto source, parse_source(text));
  std::tie(options.from_volume, options.from_snapshot) = source;
  return {};
}

Status set_encrypt(VolumeOptions& options, std::string_view text) {
  if (text == "luks")
    return fail(Code::kUnsupported,
                "this version of Fairlead has no luks; use encrypt=fscrypt, or encrypt the disk "
                "below the volume folder");
  if (text != "fscrypt") return fail(Code::kInvalid, "\"{}\" is not fscrypt", shown(text));
  options.encrypt = text;
  return {};
}

struct Row {
  std::string_view name;
  bool in_o = false;  // may also stand in `o`
  Status (*set)(VolumeOptions&,
                // nullptr: this version does not have the option, see `hint`
                std::string_view) = nullptr;
  std::string (*get)(const VolumeOptions&) =
      nullptr;  // gives the canonical text; nullptr: never in the canonical map
  std::string_view hint = {};
};

using Options = VolumeOptions;
constexpr auto kRows = std::to_array<Row>({
    {"backend", false, set_text<&Options::backend>, [](const Options& o) { return o.backend; }, {}},
    {"size",
     true,
     set_size,
     [](const Options& o) { return o.size ? format_size(*o.size) : ""; },
     {}},
    {"inodes",
     true,
     set_field<&Options::inodes, parse_count>,
     [](const Options& o) { return o.inodes ? std::to_string(*o.inodes) : ""; },
     {}},
    {"uid",
     true,
     set_field<&Options::uid, parse_id>,
     [](const Options& o) { return o.uid != 0 ? std::to_string(o.uid) : ""; },
     {}},
    {"gid",
     true,
     set_field<&Options::gid, parse_id>,
     [](const Options& o) { return o.gid != 0 ? std::to_string(o.gid) : ""; },
     {}},
    {"mode",
     true,
     set_field<&Options::mode, parse_mode>,
     [](const Options& o) { return o.mode != kDefaultMode ? fmt::format("{:04o}", o.mode) : ""; },
     {}},
    {"retain",
     false,
     set_field<&Options::retain, parse_duration>,
     [](const Options& o) { return o.retain.count() != 0 ? format_duration(o.retain) : ""; },
     {}},
    {"access",
     false,
     set_access,
     [](const Options& o) {
       return o.access == Access::kShared ? "" : std::string(to_string(o.access));
     },
     {}},
    {"readonly", false, set_readonly, nullptr, {}},
    {"type", false, set_text<&Options::type>, [](const Options& o) { return o.type; }, {}},
    {"device", false, set_text<&Options::device>, [](const Options& o) { return o.device; }, {}},
    {"from",
     false,
     set_from,
     [](const Options& o) {
       return o.from_volume + (o.from_snapshot.empty() ? "" : "@" + o.from_snapshot);
     },
     {}},
    {"snapshots",
     false,
     set_field<&Options::snapshots, parse_schedule>,
     [](const Options& o) { return format_schedule(o.snapshots); },
     {}},
    {"fstype", false, set_fstype, [](const Options& o) { return o.fstype; }, {}},
    {"pool", false, set_pool, [](const Options& o) { return o.pool; }, {}},
    {"compress",
     false,
     set_field<&Options::compress, parse_compression>,
     [](const Options& o) { return o.compress; },
     {}},
    {"cow",
     false,
     set_field<&Options::cow, parse_switch>,
     [](const Options& o) { return std::string(o.cow ? "" : "false"); },
     {}},
    {"discard",
     false,
     set_field<&Options::discard, parse_switch>,
     [](const Options& o) { return std::string(o.discard ? "" : "false"); },
     {}},
    {"idmap",
     false,
     set_field<&Options::idmap, parse_idmap>,
     [](const Options& o) { return format_idmap(o.idmap); },
     {}},
    {"encrypt", false, set_encrypt, [](const Options& o) { return o.encrypt; }, {}},
    {"keyfile",
     false,
     set_field<&Options::keyfile, parse_file_path>,
     [](const Options& o) { return o.keyfile; },
     {}},
    {"passwordfile",
     false,
     set_field<&Options::passwordfile, parse_file_path>,
     [](const Options& o) { return o.passwordfile; },
     {}},
    {"trash", false, nullptr, nullptr, "use retain=, the time that deleted data is kept"},
});

// Options of mount(8) that any file system takes, and Podman's own words in `o`.
constexpr auto kMountOptions = std::to_array<std::string_view>(
    {"async",      "atime",  "bind",     "defaults",    "dev",         "diratime",
     "dirsync",    "exec",   "lazytime", "noatime",     "nocopy",      "nodev",
     "nodiratime", "noexec", "noquota",  "nosuid",      "nosymfollow", "rbind",
     "relatime",   "ro",     "rw",       "strictatime", "suid",        "sync"});

const Row* find_row(std::string_view key) {
  const auto row = std::ranges::find(kRows, key, &Row::name);
  return row == kRows.end() ? nullptr : row;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const std::string closest = closest_word(word.substr(0, 64), known.data(), known.size());
  return closest.empty() ? fmt::format("known are {}", fmt::join(known, ", "))
                         : fmt::format("did you mean \"{}\"?", closest);
}

tl::unexpected<Error> unknown_option(std::string_view key) {
  std::vector<std::string_view> names{"o", "label.<key>"};
  for (const Row& row : kRows)
    if (row.set != nullptr) names.push_back(row.name);
  return fail(Code::kInvalid, "unknown volume option \"{}\"; {}", shown(key),
              did_you_mean(key, names));
}

// Parses one map of options. Remembers each value, to refuse the same option with two values.
class Parser {
 public:
  Result<VolumeOptions> parse(const std::map<std::string, std::string>& options);

 private:
  Status option(std::string_view key, std::string_view value);
  Status set(const Row& row, std::string_view value);
  Status o_item(std::string_view item);
  Status o(std::string_view text);
  Status label(std::string_view key, std::string_view value);
  Status check_mount_options() const;
  Status settle_type();
  Status check_pairs() const;

  VolumeOptions parsed_;
  std::map<std::string_view, std::string> seen_;
};

Status check_text(std::string_view key, std::string_view value) {
  if (key.size() > kLongestKey || value.size() > kLongestValue)
    return fail(Code::kInvalid,
                "volume option \"{}\" is too long: at most {} bytes, and {} for its name",
                shown(key), kLongestValue, kLongestKey);
  if (!is_plain_text(key) || !is_plain_text(value))
    return fail(Code::kInvalid, "volume option \"{}\" holds control characters or is not UTF-8",
                shown(key));
  return {};
}

Status Parser::set(const Row& row, std::string_view value) {
  if (row.set == nullptr)
    return fail(Code::kUnsupported, "volume option \"{}\" is not available: {}", row.name,
                row.hint);
  VolumeOptions changed = parsed_;
  if (auto done = row.set(changed, value); !done)
    return fail(with_context(done.error(), fmt::format("volume option \"{}\"", row.name)));
  const auto [before, fresh] = seen_.try_emplace(row.name, value);
  if (!fresh && changed != parsed_)
    return fail(Code::kInvalid, "volume option \"{}\" is given twice, as {} and as {}", row.name,
                shown(before->second), shown(value));
  parsed_ = std::move(changed);
  return {};
}

Status Parser::o_item(std::string_view item) {
  const auto equals = item.find('=');
  const Row* row = find_row(item.substr(0, equals));
  if (row != nullptr && row->in_o && equals != std::string_view::npos)
    return set(*row, item.substr(equals + 1));
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
    return fail(Code::kInvalid,
                "volume option \"label.\" lacks the label's name; write label.<name>=<value>");
  parsed_.labels[std::string(key)] = value;
  return {};
}

Status Parser::option(std::string_view key, std::string_view value) {
  TRY_STATUS(check_text(key, value));
  if (key == "o") return o(value);
  if (key.starts_with(kLabelPrefix)) return label(key.substr(kLabelPrefix.size()), value);
  const Row* row = find_row(key);
  return row == nullptr ? Status(unknown_option(key)) : set(*row, value);
}

// With a type, unknown words (nfsvers=4) are left to its file system; without one every word must
// be known.
Status Parser::check_mount_options() const {
  if (!parsed_.type.empty()) return {};
  std::vector<std::string_view> known(kMountOptions.begin(), kMountOptions.end());
  for (const Row& row : kRows)
    if (row.in_o) known.push_back(row.name);
  for (const std::string& word : parsed_.mount_options)
    if (std::ranges::find(kMountOptions, word) == kMountOptions.end())
      return fail(Code::kInvalid, "unknown word \"{}\" in volume option \"o\"; {}", shown(word),
                  did_you_mean(word, known));
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

// The options name the file of a key and never hold the key, because runtimes keep options as plain
// text and show them.
Status Parser::check_pairs() const {
  if (parsed_.encrypt.empty() == parsed_.keyfile.empty()) return {};
  return fail(Code::kInvalid, "volume options \"encrypt\" and \"keyfile\" go together; add {}",
              parsed_.encrypt.empty() ? "encrypt=fscrypt" : "keyfile=<absolute path>");
}

Result<VolumeOptions> Parser::parse(const std::map<std::string, std::string>& options) {
  if (options.size() > kMostOptions)
    return fail(Code::kInvalid, "{} volume options are too many: at most {}", options.size(),
                kMostOptions);
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

std::map<std::string, std::string> to_map(const VolumeOptions& options) {
  std::map<std::string, std::string> map;
  for (const Row& row : kRows) {
    std::string text = row.get == nullptr ? "" : row.get(options);
    if (!text.empty()) map.emplace(row.name, std::move(text));
  }
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
  std::vector<std::string> names{"o", "label.<key>"};
  for (const Row& row : kRows)
    if (row.set != nullptr) names.emplace_back(row.name);
  std::ranges::sort(names);
  return names;
}

}  // namespace fairlead::volume
