// What members of etcd answer: any bytes are an answer, a refusal or an error, and what is taken
// from them keeps its bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/base64.h"
#include "base/state/etcd_gateway.h"

namespace fairlead::state::etcd {
namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

template <class T>
void has_reason(const Result<T>& parsed) {
  must(parsed || !parsed.error().text.empty());
}

void base64(std::string_view text) {
  if (const auto bytes = from_base64(text)) must(bytes->size() <= text.size() / 4 * 3);
  must(from_base64(to_base64(text)).value() == text);
}

void watch_line(std::string_view text) {
  const auto line = parse_watch_line(text);
  has_reason(line);
  if (!line || !std::holds_alternative<WatchAnswer>(*line)) return;
  for (const WatchEvent& event : std::get<WatchAnswer>(*line).events)
    must(event.record.key.size() + event.record.value.size() <= text.size());
}

}  // namespace
}  // namespace fairlead::state::etcd

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::state::etcd;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  base64(text);
  has_reason(parse_range(text));
  has_reason(parse_txn(text));
  has_reason(parse_lease_keep_alive(text));
  has_reason(parse_authenticate(text));
  has_reason(parse_status(text));
  watch_line(text);
  must(parse_refusal(text).text.size() <= size);
  return 0;
}
