#include "base/json/format.h"

#include "base/json/fields.h"

namespace fairlead::json {

namespace {

struct FormatNumber {
  std::int64_t number = 0;
};
constexpr auto kFormat = fields(required<&FormatNumber::number>("format", Range{1, INT32_MAX}));

}  // namespace

Result<std::int64_t> read_format(const Json& document, std::string_view what, std::int64_t newest) {
  TRY(const auto format, read(document, kFormat));
  if (format.number > newest)
    return fail(Code::kUnsupported, "{} has format {}; this version of Fairlead reads up to {}",
                what, format.number, newest);
  return format.number;
}

}  // namespace fairlead::json
