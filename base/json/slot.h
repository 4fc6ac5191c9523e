// One place in a document that is being read: its value, and where it stands, for errors.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/json/json.h"

namespace fairlead::json {

// How a document is read.
struct Reading {
  Keys keys = Keys::kExact;
  bool refuse_unknown = false;   // a key that no field has, with a suggestion
  bool blank_is_absent = false;  // "", and Go's text of a nil, count as no value at all
};

// Borrowed: the document and the slots around this one must outlive it. The path is put together
// only when somebody asks, so that reading costs no strings.
class Slot {
 public:
  // A whole document.
  Slot(const Json& value, const Reading& reading) : value_(&value), reading_(reading) {}
  // A section that was found by hand, with the path that it has.
  Slot(const Object& section, const Reading& reading);

  // The value of a member or an element; `value` may be nullptr for one that is absent.
  Slot member(std::string_view key, const Json* value) const;
  Slot element(std::size_t index, const Json& value) const;

  const Json& value() const { return *value_; }
  // The value of a member that counts as there; nullptr otherwise.
  const Json* find(std::string_view key) const;
  const Reading& reading() const { return reading_; }
  // "subnets[0].gateway"; empty for the document itself.
  std::string path() const;

  // kInvalid: "field <path> is missing", "field <path> must be <expected>, not <type>".
  tl::unexpected<Error> missing() const;
  tl::unexpected<Error> wrong(std::string_view expected) const;
  // With "field <path>: " in front.
  Error located(Error error) const;

 private:
  static constexpr std::size_t kNoIndex = static_cast<std::size_t>(-1);

  const Json* value_;
  Reading reading_;
  const Slot* parent_ = nullptr;
  std::string_view key_;  // of the member; of a section: its whole path
  std::size_t index_ = kNoIndex;
};

}  // namespace fairlead::json
