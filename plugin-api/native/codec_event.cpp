#include <fmt/format.h>

#include <algorithm>

#include "base/host.h"
#include "plugin-api/native/forms.h"

namespace fairlead::native {

using json::fields;
using json::required;
using json::sparse;

namespace {

Result<long long> read_milliseconds(const json::Slot& slot) {
  const auto wrong = [&] { return slot.wrong("a time with milliseconds"); };
  if (!slot.value().is_string()) return wrong();
  const auto time = parse_time(slot.value().string());
  return time ? time : wrong();
}
json::Json write_milliseconds(const long long& time) { return time_text(time); }
constexpr auto kMilliseconds = json::custom<&read_milliseconds, &write_milliseconds>();

constexpr auto kChange =
    fields(required<&Change::revision>("revision"), required<&Change::time>("time", kMilliseconds),
           required<&Change::kind>("kind"), required<&Change::action>("action"),
           required<&Change::id>("id"), sparse<&Change::name>("name"),
           required<&Change::attributes>("attributes", kTexts));

constexpr auto kMark = fields(
    required<&EventMark::kind>("kind"), sparse<&EventMark::reason>("reason"),
    required<&EventMark::revision>("revision"), required<&EventMark::time>("time", kMilliseconds));

}  // namespace

std::string time_text(long long milliseconds) {
  std::string text = rfc3339(milliseconds / 1000);
  text.pop_back();
  return fmt::format("{}.{:03}Z", text, milliseconds % 1000);
}

Result<long long> parse_time(std::string_view text) {
  const auto point = text.find('.');
  if (point == std::string_view::npos) {
    TRY(const auto seconds, parse_rfc3339(text));
    return 1000 * seconds;
  }
  const auto wrong = [&] {
    return fail(Code::kInvalid, "\"{}\" is not a time like 2026-01-31T12:00:00.000Z", text);
  };
  const std::string_view fraction = text.substr(point + 1, text.size() - point - 2);
  const bool digits = std::ranges::all_of(fraction, [](char c) { return c >= '0' && c <= '9'; });
  if (fraction.empty() || fraction.size() > 9 || !digits || !text.ends_with('Z')) return wrong();
  const auto seconds = parse_rfc3339(fmt::format("{}Z", text.substr(0, point)));
  if (!seconds) return wrong();
  long long milliseconds = 0;
  for (std::size_t i = 0; i < 3; ++i)
    milliseconds = 10 * milliseconds + (i < fraction.size() ? fraction[i] - '0' : 0);
  return 1000 * *seconds + milliseconds;
}

Document encode_change(const Change& change) { return json::write(change, kChange); }
Document encode_mark(const EventMark& mark) { return json::write(mark, kMark); }

Result<EventLine> decode_event(const json::Json& document) {
  TRY(const auto object, json::Object::of(document));
  TRY(const auto kind, object.string("kind"));
  if (kind != "heartbeat" && kind != "end") {
    TRY(auto change, json::read(document, kChange, kLenient));
    return EventLine(std::move(change));
  }
  TRY(auto mark, json::read(document, kMark, kLenient));
  return EventLine(std::move(mark));
}

std::vector<DocumentTable> event_tables() {
  return {{"Event", kChange.rows}, {"EventMark", kMark.rows}};
}

}  // namespace fairlead::native
