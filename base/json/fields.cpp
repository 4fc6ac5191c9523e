#include "base/json/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json/scalars.h"

namespace fairlead::json {

namespace {

// A longer key is no slip of the finger: it is not compared with the known ones.
constexpr std::size_t kLongestKey = 64;

Status refuse_unknown(const Slot& object, std::span<const Field> table) {
  for (const Json::Member& member : object.value().members()) {
    const std::string& name = member.key;
    const auto same = [&](const Field& field) {
      return same_key(field.key, name, object.reading().keys);
    };
    if (std::ranges::any_of(table, same)) continue;
    std::vector<std::string_view> known;
    for (const Field& field : table) known.push_back(field.key);
    if (name.size() > kLongestKey)
      return fail(Code::kInvalid, "a field of {} bytes is not known; known are {}", name.size(),
                  fmt::join(known, ", "));
    return unknown_field(object.member(name, nullptr).path(), name, known);
  }
  return {};
}

Status read_field(const Field& field, const Slot& object, void* into) {
  if (field.member == nullptr) return {};  // not read
  const Json* value = object.find(field.key);
  const Slot slot = object.member(field.key, value);
  if (value != nullptr) return field.read(field, slot, field.member(into));
  if (field.presence == Presence::kRequired) return slot.missing();
  return {};
}

void write_field(const Field& field, const void* object, Json& into) {
  switch (field.presence) {
    case Presence::kIgnored:
      return;
    case Presence::kWritten:
      if (Json value = field.write(field, object); !value.is_null())
        into.add(std::string(field.key), std::move(value));
      return;
    case Presence::kRequired:
    case Presence::kDefaulted:
    case Presence::kSparse:
      // The accessor serves readers as well; nothing is changed through it here.
      const void* member = field.member(const_cast<void*>(object));
      if (field.is_empty != nullptr && field.is_empty(member)) return;
      into.add(std::string(field.key), field.write(field, member));
  }
}

}  // namespace

Json write_object(const void* object, std::span<const Field> table) {
  Json written = Json::object();
  for (const Field& field : table) write_field(field, object, written);
  return written;
}

void append(Json& object, Json more) {
  for (const auto& [key, value] : more.members()) object.add(key, value);
}

Status read_object(const Slot& slot, std::span<const Field> table, void* into) {
  if (!slot.value().is_object()) return slot.wrong("a JSON object");
  if (slot.reading().refuse_unknown) TRY_STATUS(refuse_unknown(slot, table));
  for (const Field& field : table) TRY_STATUS(read_field(field, slot, into));
  return {};
}

Result<std::map<std::string, std::string>> texts_by_name(const Slot& slot) {
  if (!slot.value().is_object()) return slot.wrong("an object of strings");
  std::map<std::string, std::string> texts;
  for (const auto& [name, member] : slot.value().members()) {
    auto text = as_text(member);
    if (!text) return slot.member(name, &member).wrong("a string");
    texts[name] = std::move(*text);
  }
  return texts;
}

Result<std::int64_t> integer(const Slot& slot, std::int64_t least, std::int64_t most) {
  if (!slot.value().is_number_integer()) return slot.wrong("an integer");
  const auto number = as_integer(slot.value(), least, most);
  if (!number)
    return fail(Code::kInvalid, "field {} must be {} to {}, not {}", slot.path(), least, most,
                slot.value().dump());
  return *number;
}

namespace detail {

Result<std::string_view> read_text(const Slot& slot) {
  if (!slot.value().is_string()) return slot.wrong("a string");
  return std::string_view(slot.value().string());
}

Status read_string(const AnyForm&, const Slot& slot, void* into) {
  TRY(const auto text, read_text(slot));
  *static_cast<std::string*>(into) = text;
  return {};
}

Status read_bool(const AnyForm&, const Slot& slot, void* into) {
  const auto value = as_boolean(slot.value());
  if (!value) return slot.wrong("true or false");
  *static_cast<bool*>(into) = *value;
  return {};
}

Status read_strings_by_name(const AnyForm&, const Slot& slot, void* into) {
  TRY(auto texts, texts_by_name(slot));
  *static_cast<std::map<std::string, std::string>*>(into) = std::move(texts);
  return {};
}

Status unknown_word(const Slot& slot, std::span<const std::string_view> known) {
  std::string all(known.front());
  for (std::size_t i = 1; i < known.size(); ++i)
    all.append(i + 1 < known.size() ? ", " : " or ").append(known[i]);
  return fail(Code::kInvalid, "field {} must be {}, not \"{}\"", slot.path(), all,
              slot.value().string().substr(0, kLongestKey));
}

Status read_nested(const AnyForm& form, const Slot& slot, void* into) {
  TRY_STATUS(read_object(slot, form.table, into));
  return form.check == nullptr ? Status() : form.check(slot, into);
}

Json write_nested(const AnyForm& form, const void* value) {
  return write_object(value, form.table);
}

Status read_elements(const Field& field, const Slot& slot, void* list, void* (*append)(void*),
                     Status (*read)(const Field&, const Slot&, void*)) {
  if (!slot.value().is_array()) return slot.wrong(fmt::format("an array of {}", field.form.many));
  std::size_t index = 0;
  for (const Json& element : slot.value())
    TRY_STATUS(read(field, slot.element(index++, element), append(list)));
  return {};
}

Status read_entries(const Field& field, const Slot& slot, void* map,
                    void* (*insert)(void*, const std::string&),
                    Status (*read)(const Field&, const Slot&, void*)) {
  if (!slot.value().is_object()) return slot.wrong(fmt::format("an object of {}", field.form.many));
  for (const auto& [name, value] : slot.value().members())
    TRY_STATUS(read(field, slot.member(name, &value), insert(map, name)));
  return {};
}

}  // namespace detail

}  // namespace fairlead::json
