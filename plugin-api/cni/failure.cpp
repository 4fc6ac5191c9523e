#include "plugin-api/cni/failure.h"

#include "base/json/json.h"

namespace fairlead::cni {

namespace {

constexpr std::size_t kLongestText = 2048;

ErrorCode code_of(Code code) {
  switch (code) {
    case Code::kInvalid:
      return ErrorCode::kConfiguration;
    case Code::kNotFound:
      return ErrorCode::kNotFound;
    case Code::kExists:
      return ErrorCode::kExists;
    case Code::kConflict:
      return ErrorCode::kConflict;
    case Code::kInUse:
      return ErrorCode::kPortTaken;
    case Code::kExhausted:
      return ErrorCode::kExhausted;
    case Code::kUnsupported:
      return ErrorCode::kUnsupported;
    case Code::kUnavailable:
      return ErrorCode::kTryAgain;
    case Code::kIo:
      return ErrorCode::kIo;
    case Code::kInternal:
      return ErrorCode::kInternal;
  }
  return ErrorCode::kInternal;
}

std::string shortened(const std::string& text) {
  if (text.size() <= kLongestText) return text;
  return text.substr(0, kLongestText) + "...";
}

}  // namespace

Failure failure_of(const Error& error) { return {code_of(error.code), error.text, ""}; }

std::string encode_failure(const Failure& failure, std::string_view version) {
  json::Json object{{"cniVersion", version},
                    {"code", static_cast<int>(failure.code)},
                    {"msg", shortened(failure.message)}};
  if (!failure.details.empty()) object["details"] = shortened(failure.details);
  return json::dump(object) + "\n";
}

}  // namespace fairlead::cni
