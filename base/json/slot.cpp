#include "base/json/slot.h"

#include "base/json/scalars.h"

namespace fairlead::json {

namespace {
constexpr std::string_view kGoNil = "<nil>";  // how Go prints a nil net.IPNet
}

Slot::Slot(const Object& section, const Reading& reading)
    : value_(&section.raw()), reading_(reading), key_(section.path()) {
  reading_.keys = section.keys();
}

Slot Slot::member(std::string_view key, const Json* value) const {
  Slot slot = *this;
  slot.value_ = value;
  slot.parent_ = this;
  slot.key_ = key;
  slot.index_ = kNoIndex;
  return slot;
}

Slot Slot::element(std::size_t index, const Json& value) const {
  Slot slot = member({}, &value);
  slot.index_ = index;
  return slot;
}

const Json* Slot::find(std::string_view key) const {
  const Json* value = find_member(*value_, key, reading_.keys);
  const bool is_blank = value != nullptr && reading_.blank_is_absent && value->is_string() &&
                        (value->string().empty() || value->string() == kGoNil);
  return is_blank ? nullptr : value;
}

std::string Slot::path() const {
  if (parent_ == nullptr) return std::string(key_);
  std::string path = parent_->path();
  if (index_ != kNoIndex) return path + fmt::format("[{}]", index_);
  if (!path.empty()) path += '.';
  return path.append(key_);
}

tl::unexpected<Error> Slot::missing() const {
  return fail(Code::kInvalid, "field {} is missing", path());
}

tl::unexpected<Error> Slot::wrong(std::string_view expected) const {
  const std::string where = path();
  return fail(Code::kInvalid, "{} must be {}, not {}",
              where.empty() ? "the document" : "field " + where, expected, value_->type_name());
}

Error Slot::located(Error error) const {
  return with_context(std::move(error), fmt::format("field {}", path()));
}

}  // namespace fairlead::json
