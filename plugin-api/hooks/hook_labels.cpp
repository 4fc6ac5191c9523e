#include "plugin-api/hooks/hook_labels.h"

#include <algorithm>
#include <array>

#include "base/json/json.h"
#include "base/options/values.h"
#include "base/text.h"

namespace fairlead::hooks {

namespace {

using Labels = std::map<std::string, std::string>;

constexpr std::string_view kSnapshot = "fairlead.snapshot.", kHook = "fairlead.hook.";
constexpr std::string_view kPre = "fairlead.snapshot.pre", kPost = "fairlead.snapshot.post",
                           kTimeout = "fairlead.hook.timeout", kOnError = "fairlead.hook.on_error";
constexpr std::array<std::string_view, 5> kKnown{kPre, kPost, kTimeout, kUserLabel, kOnError};

tl::unexpected<Error> wrong(std::string_view label, std::string_view why) {
  return fail(Code::kInvalid, "label {}: {}", label, why);
}

std::string value_of(const Labels& labels, std::string_view label) {
  const auto found = labels.find(std::string(label));
  return found == labels.end() ? std::string() : found->second;
}

Result<std::vector<std::string>> words_of(const Labels& labels, std::string_view label) {
  const std::string text = value_of(labels, label);
  if (text.empty()) return std::vector<std::string>();
  if (text.find('\0') != std::string::npos) return wrong(label, "it holds a NUL");
  if (text.front() != '[') return std::vector<std::string>{"sh", "-c", text};
  const auto list = json::parse(text);
  if (!list || !list->is_array()) return wrong(label, "it begins with [ and is no JSON array");
  std::vector<std::string> words;
  for (const json::Json& each : *list) {
    if (!each.is_string()) return wrong(label, "each word of the JSON array must be a text");
    words.push_back(each.string());
  }
  if (words.empty() || words.front().empty()) return wrong(label, "the command is empty");
  return words;
}

Result<std::chrono::seconds> timeout_of(const Labels& labels) {
  const std::string text = value_of(labels, kTimeout);
  if (text.empty()) return kUsualTimeout;
  const auto parsed = parse_duration(text);
  if (!parsed) return wrong(kTimeout, parsed.error().text);
  if (parsed->count() < 1 || *parsed > kLongestTimeout) return wrong(kTimeout, "it is 1s to 5m");
  return *parsed;
}

Result<OnError> on_error_of(const Labels& labels) {
  const std::string text = value_of(labels, kOnError);
  if (text.empty() || text == "abort") return OnError::kAbort;
  if (text == "continue") return OnError::kContinue;
  return wrong(kOnError, fmt::format("\"{}\" is neither abort nor continue", shown(text)));
}

Status refuse_unknown(const Labels& labels) {
  for (const auto& [label, value] : labels) {
    if (!label.starts_with(kSnapshot) && !label.starts_with(kHook)) continue;
    if (std::ranges::find(kKnown, label) != kKnown.end()) continue;
    const std::string close =
        label.size() <= 64 ? closest_word(label, kKnown.data(), kKnown.size()) : std::string();
    return fail(Code::kInvalid, "label {} is not known{}", shown(label),
                close.empty() ? "" : fmt::format("; did you mean {}?", close));
  }
  return {};
}

}  // namespace

Result<std::optional<HookSpec>> parse_hooks(const Labels& labels) {
  TRY_STATUS(refuse_unknown(labels));
  HookSpec spec;
  TRY(spec.pre, words_of(labels, kPre));
  TRY(spec.post, words_of(labels, kPost));
  TRY(spec.timeout, timeout_of(labels));
  TRY(spec.on_error, on_error_of(labels));
  spec.user = value_of(labels, kUserLabel);
  if (spec.pre.empty() && spec.post.empty()) return std::optional<HookSpec>();
  return std::optional(std::move(spec));
}

}  // namespace fairlead::hooks
