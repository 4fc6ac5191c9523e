// JSON: whatever is accepted is written and read again as the same value, and every reader of
// fields survives it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/json/json.h"

namespace fairlead::json {
namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

void read_fields(const Json& value, Keys keys) {
  const auto object = Object::of(value, "at", keys);
  if (!object) return;
  for (const char* key : {"Name", "a", "Options", ""}) {
    (void)object->string_or(key, "x").has_value();
    (void)object->integer_or(key, -5, 5, 0).has_value();
    (void)object->bool_or(key, false).has_value();
    (void)object->strings_or_empty(key).has_value();
    (void)object->objects_or_empty(key).has_value();
    (void)object->string_map_or_empty(key).has_value();
    (void)object->object_or_none(key).has_value();
  }
  (void)object->only({"Name", "Options"}).has_value();
}

}  // namespace
}  // namespace fairlead::json

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::json;
  const auto value = parse({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const std::string text = dump(*value);
  const auto again = parse(text);
  must(again.has_value() && dump(*again) == text);
  must(parse(value->sorted_dump(2)).has_value());
  read_fields(*value, Keys::kExact);
  read_fields(*value, Keys::kAnyCase);
  return 0;
}
