#include "plugin-api/cli/volume_filters.h"

#include <algorithm>
#include <array>

#include "base/options/values.h"
#include "base/text.h"

namespace fairlead::cli {

namespace {

using volume::Condition;
using volume::Volume;
using volume::VolumeStatus;

constexpr std::string_view kKnown =
    "name=TEXT, label=K or K=V, label!=K, driver=, pool=, health=, dangling=true or false, "
    "mounted=true or false";

// Other words for the same.
std::string key_of(const std::string& word) {
  if (word == "backend") return "driver";
  if (word == "in-use" || word == "in_use") return "mounted";
  if (word == "condition" || word == "status") return "health";
  return word;
}

tl::unexpected<Error> unknown(const std::string& word) {
  return fail(Code::kInvalid, "filter \"{}\" is not known; those that are: {}", shown(word),
              kKnown);
}

Status check_health(const std::string& value) {
  constexpr auto kAll = std::to_array<Condition>(
      {Condition::kOk, Condition::kWarning, Condition::kFull, Condition::kDiskFull,
       Condition::kDamaged, Condition::kMissing, Condition::kOffline, Condition::kLocked});
  std::string words;
  for (const Condition one : kAll) {
    if (value == to_string(one)) return {};
    words += std::string(words.empty() ? "" : ", ") + std::string(to_string(one));
  }
  return fail(Code::kInvalid, "filter health=\"{}\" must be one of {}", shown(value), words);
}

Result<VolumeFilter> parse_one(const std::string& word) {
  const auto equals = word.find('=');
  if (equals == std::string::npos || equals == 0) return unknown(word);
  const bool negated = word[equals - 1] == '!';
  VolumeFilter filter{.key = key_of(word.substr(0, equals - (negated ? 1 : 0))),
                      .value = word.substr(equals + 1),
                      .negated = negated};
  constexpr auto kKeys = std::to_array<std::string_view>(
      {"name", "label", "driver", "pool", "health", "dangling", "mounted"});
  if (std::ranges::find(kKeys, filter.key) == kKeys.end()) return unknown(word);
  if (filter.key == "health") TRY_STATUS(check_health(filter.value));
  if (filter.key == "dangling" || filter.key == "mounted") {
    const auto value = parse_bool(filter.value);
    if (!value)
      return fail(Code::kInvalid, "filter {}=\"{}\" must be true or false", filter.key,
                  shown(filter.value));
    filter.value = *value ? "true" : "false";
  }
  return filter;
}

bool has_label(const Volume& volume, const std::string& text) {
  const auto equals = text.find('=');
  const auto found = volume.labels.find(text.substr(0, equals));
  if (found == volume.labels.end()) return false;
  return equals == std::string::npos || found->second == text.substr(equals + 1);
}

bool says(bool value, const std::string& text) { return value == (text == "true"); }

bool matches(const VolumeFilter& filter, const Volume& volume, const VolumeStatus& status) {
  if (filter.key == "name") return volume.name.str().find(filter.value) != std::string::npos;
  if (filter.key == "label") return has_label(volume, filter.value);
  if (filter.key == "driver") return volume.backend == filter.value;
  if (filter.key == "pool") return volume.pool == filter.value;
  if (filter.key == "health") return to_string(status.condition) == filter.value;
  if (filter.key == "dangling") return says(is_unused(volume, status), filter.value);
  return says(status.in_use.value_or(false), filter.value);
}

// Those that say what must not be have all to hold, the others one of them.
bool pass_key(const std::vector<VolumeFilter>& filters, const Volume& volume,
              const VolumeStatus& status) {
  bool any = false, wanted = false;
  for (const VolumeFilter& filter : filters) {
    const bool match = matches(filter, volume, status);
    if (filter.negated && match) return false;
    if (filter.negated) continue;
    wanted = true;
    any = any || match;
  }
  return any || !wanted;
}

}  // namespace

bool is_unused(const Volume& volume, const VolumeStatus& status) {
  return volume.phase == volume::Phase::kReady && volume.mounts.empty() && status.in_use == false &&
         std::ranges::all_of(volume.snapshots,
                             [](const volume::Snapshot& one) { return one.mounts.empty(); });
}

Result<VolumeFilters> VolumeFilters::parse(const std::vector<std::string>& words) {
  VolumeFilters filters;
  for (const std::string& word : words) {
    TRY(auto filter, parse_one(word));
    filters.by_key_[filter.key].push_back(std::move(filter));
  }
  return filters;
}

bool VolumeFilters::pass(const Volume& volume, const VolumeStatus& status) const {
  return std::ranges::all_of(
      by_key_, [&](const auto& entry) { return pass_key(entry.second, volume, status); });
}

bool VolumeFilters::need_status() const {
  constexpr auto kOfStatus = std::to_array<std::string_view>({"health", "dangling", "mounted"});
  return std::ranges::any_of(
      kOfStatus, [&](std::string_view key) { return by_key_.contains(std::string(key)); });
}

Result<std::vector<std::string>> volume_filters_of_snapshots(
    const std::vector<std::string>& words) {
  constexpr std::string_view kKey = "volume=";
  std::vector<std::string> names;
  for (const std::string& word : words) {
    if (!word.starts_with(kKey))
      return fail(Code::kInvalid, "filter \"{}\" is not known; use volume=NAME", shown(word));
    names.push_back(word.substr(kKey.size()));
  }
  return names;
}

}  // namespace fairlead::cli
