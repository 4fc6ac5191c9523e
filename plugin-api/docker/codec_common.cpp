#include "plugin-api/docker/codec_common.h"

namespace fairlead::docker {

namespace {

bool is_id(std::string_view text) {
  constexpr std::string_view legal =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-";
  return !text.empty() && text.size() <= 128 &&
         text.find_first_not_of(legal) == std::string_view::npos;
}

}  // namespace

Result<Nothing> decode_nothing(std::string_view) { return Nothing{}; }

Result<std::string> parse_id(std::string_view text) {
  if (is_id(text)) return std::string(text);
  return fail(Code::kInvalid, "must be an id: 1 to 128 of the characters 0-9 a-z A-Z _ . -");
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kMost = 1000;
  if (text.size() <= kMost) return std::string(text);
  return fmt::format("{}... ({} bytes)", text.substr(0, kMost), text.size());
}

std::string encode_error(std::string_view text) {
  const std::string told = shortened(text);
  return json::dump({{"Err", told}, {"Error", told}});
}

}  // namespace fairlead::docker
