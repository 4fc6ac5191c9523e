// Failures in CNI's form: {"cniVersion","code","msg","details"} (SPEC 1.1.0, section "Error").
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace fairlead::cni {

// Codes 1 to 99 are the specification's, 8 and 999 the reference implementation's, 100 and above
// Fairlead's own.
enum class ErrorCode {
  kIncompatibleVersion = 1,
  kUnsupportedField = 2,
  kEnvironment = 4,
  kIo = 5,
  kDecoding = 6,
  kConfiguration = 7,
  kNetns = 8,
  kTryAgain = 11,
  kNotAvailable = 50,  // STATUS
  kPortTaken = 101,
  kExhausted = 102,
  kNotFound = 103,
  kExists = 104,
  kConflict = 105,
  kUnsupported = 106,
  kInternal = 999,
};

struct Failure {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string details;  // may be empty

  bool operator==(const Failure&) const = default;
};

template <class T>
struct [[nodiscard]] Decoded : tl::expected<T, Failure> {
  using tl::expected<T, Failure>::expected;
};

// Maps the core's code by a table and keeps the text.
Failure failure_of(const Error& error);

// The text for stdout. Messages are cut to 2 KiB, and bytes that are not UTF-8 are replaced.
std::string encode_failure(const Failure& failure, std::string_view version);

// The value, or the error under the code of the stage in which it occurred.
template <class T>
Decoded<T> at_stage(Result<T> result, ErrorCode code) {
  if (result) return std::move(*result);
  return tl::unexpected(Failure{code, std::move(result).error().text, ""});
}

inline Decoded<void> at_stage(Status status, ErrorCode code) {
  if (status) return {};
  return tl::unexpected(Failure{code, std::move(status).error().text, ""});
}

}  // namespace fairlead::cni

namespace fairlead {
// Lets TRY pass CNI failures up as it does with errors.
inline tl::unexpected<cni::Failure> fail(cni::Failure failure) {
  return tl::unexpected<cni::Failure>(std::move(failure));
}
}  // namespace fairlead
