#include <fmt/format.h>

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
  const std::string& text = slot.value().string();  // 2026-11-29T15:00:00.123Z
  constexpr std::size_t kLength = 24, kPoint = 19;
  if (text.size() != kLength || text[kPoint] != '.') return wrong();
  long long fraction = 0;
  for (std::size_t i = kPoint + 1; i + 1 < kLength; ++i) {
    if (text[i] < '0' || text[i] > '9') return wrong();
    fraction = 10 * fraction + (text[i] - '0');
  }
  const auto seconds = parse_rfc3339(text.substr(0, kPoint) + "Z");
  if (!seconds) return wrong();
  return 1000 * *seconds + fraction;
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
