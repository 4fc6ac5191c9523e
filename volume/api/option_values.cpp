#include "volume/api/option_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/names.h"
#include "base/options/values.h"
#include "base/text.h"
#include "volume/api/backup_target.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostIdRanges = 340;
constexpr unsigned kMostSnapshots = 1000;

// The number when all of `text` is one, else std::nullopt.
template <class Number>
std::optional<Number> whole_number(std::string_view text, int base = 10) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find_first_of(separators);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// The last id, -1, means "leave unchanged" to chown(2) and is never mapped.
bool fits(std::uint32_t first, std::uint32_t count) {
  return count > 0 && std::uint64_t{first} + count <= UINT32_MAX;
}

Result<IdRange> parse_id_range(std::string_view text) {
  const auto parts = split(text, "-:");
  if (parts.size() == 3) {
    const auto disk = whole_number<std::uint32_t>(parts[0]);
    const auto shown_id = whole_number<std::uint32_t>(parts[1]);
    const auto count = whole_number<std::uint32_t>(parts[2]);
    if (disk && shown_id && count && fits(*disk, *count) && fits(*shown_id, *count))
      return IdRange{*disk, *shown_id, *count};
  }
  return fail(Code::kInvalid,
              "\"{}\" is not a range of ids; write <on disk>-<in the mount>-<how many> (like "
              "0-100000-65536)",
              shown(text));
}

// Whether two ranges overlap on the given side of the map.
bool overlap(std::vector<IdRange> map, std::uint32_t IdRange::*side) {
  std::ranges::sort(map, {}, side);
  return std::ranges::adjacent_find(map, [&](const IdRange& first, const IdRange& second) {
           return std::uint64_t{first.*side} + first.count > second.*side;
         }) != map.end();
}

struct Kind {
  std::string_view name;
  unsigned Schedule::*count;
};
constexpr std::array<Kind, 5> kKinds{{{"hourly", &Schedule::hourly},
                                      {"daily", &Schedule::daily},
                                      {"weekly", &Schedule::weekly},
                                      {"monthly", &Schedule::monthly},
                                      {"yearly", &Schedule::yearly}}};

}  // namespace

Result<std::vector<IdRange>> parse_idmap(std::string_view text) {
  std::vector<IdRange> map;
  for (const std::string_view part : split(text, ",")) {
    TRY(map.emplace_back(), parse_id_range(part));
    if (map.size() > kMostIdRanges)
      return fail(Code::kInvalid, "more than {} ranges are too many for the kernel", kMostIdRanges);
  }
  if (overlap(map, &IdRange::disk) || overlap(map, &IdRange::shown))
    return fail(Code::kInvalid, "\"{}\" maps one id twice", shown(text));
  std::ranges::sort(map, {}, &IdRange::disk);
  return map;
}

std::string format_idmap(const std::vector<IdRange>& map) {
  std::vector<std::string> parts;
  for (const IdRange& range : map)
    parts.push_back(fmt::format("{}-{}-{}", range.disk, range.shown, range.count));
  return fmt::format("{}", fmt::join(parts, ","));
}

namespace {

// `other`: one kind more, or empty; its number goes to `others`.
Result<Schedule> parse_kinds(std::string_view text, std::string_view other, unsigned& others) {
  Schedule schedule;
  for (const std::string_view part : split(text, ",")) {
    const auto colon = std::min(part.find(':'), part.size());
    const std::string_view name = part.substr(0, colon);
    const auto kind = std::ranges::find(kKinds, name, &Kind::name);
    const bool is_other = !other.empty() && name == other;
    const auto count = whole_number<unsigned>(part.substr(std::min(colon + 1, part.size())));
    if ((kind == kKinds.end() && !is_other) || !count || *count == 0 || *count > kMostSnapshots)
      return fail(
          Code::kInvalid,
          "\"{}\" is not a schedule; write {}hourly, daily, weekly, monthly or yearly and how "
          "many are kept, 1 to {} (like hourly:24,daily:7)",
          shown(part), other.empty() ? "" : "last, ", kMostSnapshots);
    unsigned& kept = is_other ? others : schedule.*kind->count;
    if (kept != 0 && kept != *count) return fail(Code::kInvalid, "\"{}\" is given twice", name);
    kept = *count;
  }
  return schedule;
}

}  // namespace

Result<Schedule> parse_schedule(std::string_view text) {
  unsigned none = 0;
  return parse_kinds(text, {}, none);
}

Result<Retention> parse_retention(std::string_view text) {
  Retention keep;
  TRY(keep.periods, parse_kinds(text, "last", keep.last));
  return keep;
}

std::string format_retention(const Retention& keep) {
  const std::string periods = format_schedule(keep.periods);
  if (keep.last == 0) return periods;
  return fmt::format("last:{}{}{}", keep.last, periods.empty() ? "" : ",", periods);
}

Result<BackupPlan> parse_backup_plan(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos)
    return fail(Code::kInvalid,
                "\"{}\" lacks the folder of the backups; write a schedule, @ and the folder (like "
                "daily:7@/srv/backup)",
                shown(text));
  BackupPlan plan;
  TRY(plan.every, parse_schedule(text.substr(0, at)));
  const std::string_view folder = text.substr(at + 1);
  const bool is_far = is_far_target(folder);
  if (is_far) TRY_STATUS(status_of(parse_backup_target(folder)));
  const bool is_folder = folder.starts_with('/') && folder.size() > 1 && !folder.ends_with('/');
  if ((!is_far && !is_folder) || has_dots(folder))
    return fail(Code::kInvalid,
                "\"{}\" is not the absolute path of a folder, nor a target like "
                "sftp:HOST:/FOLDER, rclone:REMOTE:FOLDER or s3:BUCKET/FOLDER, without . and .. "
                "(like daily:7@/srv/backup)",
                shown(folder));
  plan.folder = folder;
  return plan;
}

std::string format_backup_plan(const BackupPlan& plan) {
  return format_schedule(plan.every) + "@" + plan.folder;
}

std::string format_schedule(const Schedule& schedule) {
  std::vector<std::string> parts;
  for (const Kind& kind : kKinds)
    if (schedule.*kind.count != 0)
      parts.push_back(fmt::format("{}:{}", kind.name, schedule.*kind.count));
  return fmt::format("{}", fmt::join(parts, ","));
}

Result<AutoGrow> parse_autogrow(std::string_view text) {
  constexpr std::string_view kMax = ":max=";
  const auto colon = text.find(kMax);
  std::string_view share = text.substr(0, colon);
  const bool has_sign = share.ends_with('%');
  if (has_sign) share.remove_suffix(1);
  const auto percent = whole_number<unsigned>(share);
  if (!has_sign || !percent || *percent < 1 || *percent > 100 || colon == std::string_view::npos)
    return fail(Code::kInvalid,
                "\"{}\" does not say how a limit grows; write by how much and up to where, like "
                "20%:max=100g",
                shown(text));
  TRY(const auto most, parse_size(text.substr(colon + kMax.size())));
  if (most == 0) return fail(Code::kInvalid, "max must be above 0");
  return AutoGrow{.percent = *percent, .most = most};
}

std::string format_autogrow(const AutoGrow& autogrow) {
  if (autogrow.percent == 0) return {};
  return fmt::format("{}%:max={}", autogrow.percent, format_size(autogrow.most));
}

Result<std::pair<std::string, std::string>> parse_source(std::string_view text) {
  const auto at = text.find('@');
  TRY(const auto volume, VolumeName::parse(text.substr(0, at)));
  if (at == std::string_view::npos) return std::pair(volume.str(), std::string());
  TRY(const auto snapshot, SnapshotName::parse(text.substr(at + 1)));
  return std::pair(volume.str(), snapshot.str());
}

Result<std::string> parse_compression(std::string_view text) {
  if (text == "lzo" || text == "off") return std::string(text);
  const auto colon = std::min(text.find(':'), text.size());
  const std::string_view kind = text.substr(0, colon);
  const unsigned most = kind == "zstd" ? 15 : kind == "zlib" ? 9 : 0;
  const auto level = colon == text.size() ? 1 : whole_number<unsigned>(text.substr(colon + 1));
  if (most == 0 || !level || *level < 1 || *level > most)
    return fail(Code::kInvalid,
                "\"{}\" is none of zstd, zstd:1 to zstd:15, lzo, zlib, zlib:1 to zlib:9, off",
                shown(text));
  return colon == text.size() ? std::string(kind) : fmt::format("{}:{}", kind, *level);
}

Result<std::uint32_t> parse_id(std::string_view text) {
  const auto id = whole_number<std::uint32_t>(text);
  if (!id || *id == UINT32_MAX)
    return fail(Code::kInvalid,
                "\"{}\" is not a user or group id; write a number (names differ between host and "
                "container)",
                shown(text));
  return *id;
}

Result<std::uint32_t> parse_mode(std::string_view text) {
  const auto mode = whole_number<std::uint32_t>(text, 8);
  if (!mode || *mode > 07777)
    return fail(Code::kInvalid, "\"{}\" is not a mode; write it in octal (like 0750)", shown(text));
  return *mode;
}

Result<std::uint64_t> parse_count(std::string_view text) {
  const auto count = whole_number<std::uint64_t>(text);
  if (!count || *count == 0)
    return fail(Code::kInvalid, "\"{}\" is not a count; write a number above 0", shown(text));
  return *count;
}

Result<std::string> parse_file_path(std::string_view text) {
  const auto parts = split(text, "/");
  const bool plain = std::ranges::none_of(
      parts, [](std::string_view part) { return part == "." || part == ".."; });
  if (!text.starts_with('/') || text.ends_with('/') || !plain)
    return fail(Code::kInvalid, "\"{}\" is not the absolute path of a file, without . and ..",
                shown(text));
  return std::string(text);
}

}  // namespace fairlead::volume
