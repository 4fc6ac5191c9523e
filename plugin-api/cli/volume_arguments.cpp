#include "plugin-api/cli/volume_arguments.h"

#include <algorithm>
#include <filesystem>

#include "base/options/values.h"
#include "plugin-api/cli/network_arguments.h"

namespace fairlead::cli {

namespace {

Error with_closest(Error error, std::string_view word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string closest = closest_word(word, candidates.data(), candidates.size());
  if (!closest.empty()) error.text += fmt::format("; did you mean \"{}\"?", closest);
  return error;
}

bool is_helpful(const Error& error) {
  return error.code != Code::kNotFound || error.text.find("did you mean") != std::string::npos;
}

}  // namespace

Result<VolumeRef> volume_ref(std::string_view word) {
  const std::size_t at = word.find('@');
  TRY(auto volume, VolumeName::parse(word.substr(0, at)));
  if (at == std::string_view::npos) return VolumeRef{volume.str(), ""};
  TRY(auto snapshot, SnapshotName::parse(word.substr(at + 1)));
  return VolumeRef{volume.str(), snapshot.str()};
}

Result<VolumeRef> volume_ref(const std::vector<std::string>& words) {
  TRY(auto ref, volume_ref(words.front()));
  if (words.size() == 1) return ref;
  if (!ref.snapshot.empty())
    return fail(Code::kInvalid, "the snapshot is named twice: \"{}\" and \"{}\"", words[0],
                words[1]);
  TRY(auto snapshot, SnapshotName::parse(words[1]));
  ref.snapshot = snapshot.str();
  return ref;
}

Result<VolumeRef> snapshot_ref(const std::vector<std::string>& words) {
  TRY(auto ref, volume_ref(words));
  if (ref.snapshot.empty())
    return fail(Code::kInvalid, "which snapshot of {}? say {}@SNAPSHOT", ref.volume, ref.volume);
  return ref;
}

Result<SizeChange> size_change(std::string_view word) {
  SizeChange change{.relative = word.starts_with('+')};
  TRY(change.bytes, parse_size(word.substr(change.relative ? 1 : 0)));
  return change;
}

Result<std::map<std::string, std::optional<std::string>>> label_changes(
    const std::vector<std::string>& words) {
  std::map<std::string, std::optional<std::string>> changes;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    const bool removes = equals == std::string::npos && word.ends_with('-');
    if (equals == 0 || word == "-" || (equals == std::string::npos && !removes))
      return fail(Code::kInvalid, "label \"{}\" must be KEY=VALUE, or KEY- to take it away", word);
    const std::string key = word.substr(0, removes ? word.size() - 1 : equals);
    const auto value = removes ? std::nullopt : std::optional(word.substr(equals + 1));
    const auto [before, fresh] = changes.try_emplace(key, value);
    if (!fresh && before->second != value)
      return fail(Code::kInvalid, "label {} is given twice", key);
  }
  return changes;
}

Result<volume::VolumeSpec> volume_spec_of(const Invocation& line, std::string_view name) {
  volume::VolumeSpec spec;
  TRY(spec.name, VolumeName::parse(name));
  TRY(const auto options, key_values(line.options, "--opt", Values::kRequired));
  TRY(spec.options, volume::parse_options(options));
  TRY(spec.labels, key_values(line.labels, "--label", Values::kOptional));
  return spec;
}

Status needs_words(const Invocation& line, const std::vector<std::string_view>& words) {
  if (line.names.size() >= words.size()) return {};
  return fail(Code::kInvalid, "{} is required", words[line.names.size()]);
}

Result<std::string> absolute_path(std::string_view word, std::string_view what) {
  if (word.empty()) return fail(Code::kInvalid, "{} is missing", what);
  std::error_code failed;
  const auto path = std::filesystem::absolute(std::filesystem::path(word), failed);
  if (failed) return fail_errno(failed.value(), fmt::format("find {}", word));
  return path.lexically_normal().string();
}

Error suggest_volume(const CliServices& core, Error error, std::string_view volume) {
  if (is_helpful(error)) return error;
  const auto volumes = core.volumes->list();
  if (!volumes) return error;
  std::vector<std::string> names;
  for (const volume::Volume& one : *volumes) names.push_back(one.name.str());
  if (std::ranges::find(names, volume) != names.end()) return error;  // something else is missing
  return with_closest(std::move(error), volume, names);
}

Error suggest_snapshot(const CliServices& core, Error error, const VolumeRef& ref) {
  if (is_helpful(error)) return error;
  const auto volume = core.volumes->inspect(ref.volume);
  if (!volume) return suggest_volume(core, std::move(error), ref.volume);
  std::vector<std::string> names;
  for (const volume::Snapshot& one : volume->snapshots) names.push_back(one.name.str());
  return with_closest(std::move(error), ref.snapshot, names);
}

}  // namespace fairlead::cli
