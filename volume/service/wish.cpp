#include "volume/service/wish.h"

#include "volume/api/text.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostLabels = 256, kLongestLabel = 4096;

Status check_label(const std::string& key, const std::string& value) {
  if (key.empty() || key.size() > kLongestLabel || value.size() > kLongestLabel)
    return fail(Code::kInvalid, "label \"{}\" is empty or too long: at most {} bytes", shown(key),
                kLongestLabel);
  if (!is_plain_text(key) || !is_plain_text(value))
    return fail(Code::kInvalid, "label \"{}\" holds control characters or is not UTF-8",
                shown(key));
  return {};
}

// Labels of the request and of label.<key> options together; the same one with two values is
// refused.
Result<std::map<std::string, std::string>> merge_labels(
    const std::map<std::string, std::string>& of_request,
    const std::map<std::string, std::string>& of_options) {
  auto labels = of_request;
  for (const auto& [key, value] : of_options)
    if (const auto [there, fresh] = labels.try_emplace(key, value);
        !fresh && there->second != value)
      return fail(Code::kInvalid, "label \"{}\" is given twice, as {} and as {}", shown(key),
                  shown(there->second), shown(value));
  if (labels.size() > kMostLabels)
    return fail(Code::kInvalid, "{} labels are too many: at most {}", labels.size(), kMostLabels);
  for (const auto& [key, value] : labels) TRY_STATUS(check_label(key, value));
  return labels;
}

}  // namespace

Result<Wish> check_wish(const VolumeSpec& spec, BackendRegistry& backends) {
  if (spec.name.empty()) return fail(Code::kInvalid, "a volume needs a name");
  Wish wish{.name = spec.name};
  TRY(wish.options, parse_options(spec.options));
  TRY(wish.labels, merge_labels(spec.labels, wish.options.labels));
  TRY(wish.choice, backends.choose(wish.options));
  TRY_STATUS(wish.choice.backend->validate(wish.options));
  return wish;
}

std::string difference(const Volume& volume, const Wish& wish) {
  auto there = volume.options, asked = to_map(wish.options);
  there["backend"] = volume.backend;
  if (wish.options.backend.empty()) asked["backend"] = volume.backend;
  for (const auto& [key, value] : volume.labels) there["label." + key] = value;
  for (const auto& [key, value] : wish.labels) asked["label." + key] = value;
  return difference(there, asked);
}

}  // namespace fairlead::volume
