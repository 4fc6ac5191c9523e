// The labels by which a container says what is run in it around a snapshot of its volumes. Pure.
//
//   fairlead.snapshot.pre    psql -c CHECKPOINT       a shell's text, or a JSON array of words
//   fairlead.snapshot.post   ["rm", "-f", "/lock"]
//   fairlead.hook.timeout    30s                      of each; at most 5m
//   fairlead.hook.user       postgres                 default: as whom the container runs
//   fairlead.hook.on_error   abort, continue          default: abort
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace fairlead::hooks {

inline constexpr const char* kUserLabel = "fairlead.hook.user";
inline constexpr std::chrono::seconds kUsualTimeout{30}, kLongestTimeout{300};

enum class OnError { kAbort, kContinue };

struct HookSpec {
  std::vector<std::string> pre, post;  // words; empty: nothing is run
  std::chrono::seconds timeout = kUsualTimeout;
  std::string user;
  OnError on_error = OnError::kAbort;
  bool operator==(const HookSpec&) const = default;
};

// std::nullopt: the container wants nothing. kInvalid names the label that is wrong, or is none of
// these: a hook that is silently left out would be found only when the data is needed.
Result<std::optional<HookSpec>> parse_hooks(const std::map<std::string, std::string>& labels);

}  // namespace fairlead::hooks
