#include <algorithm>
#include <charconv>

#include "plugin-api/native/event_stream.h"
#include "plugin-api/native/operations.h"

namespace fairlead::native {

namespace {

Result<std::int64_t> parse_since(const std::string& text, ChangeFeed& feed) {
  if (const auto time = parse_time(text)) return feed.revision_before(*time);
  std::int64_t revision = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, revision);
  if (error != std::errc() || rest != end || revision < 0)
    return fail(Code::kInvalid,
                "query parameter since must be a revision or a time like 2026-01-31T12:00:00Z, not "
                "\"{}\"",
                text.substr(0, 64));
  return revision;
}

constexpr std::string_view kKinds[] = {"network",  "endpoint",    "port",       "volume",
                                       "snapshot", "volume-pool", "volume-disk"};

Result<std::set<std::string>> parse_kinds(const std::string& text) {
  std::set<std::string> kinds;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const std::string kind = text.substr(start, comma - start);
    if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds))
      return fail(Code::kInvalid,
                  "query parameter kind: \"{}\" is none of network, endpoint, port, volume, "
                  "snapshot, volume-pool and volume-disk",
                  kind);
    kinds.insert(kind);
    start = comma + 1;
  }
  return kinds;
}

Result<EventRequest> request_of(const std::map<std::string, std::string>& query, ChangeFeed& feed) {
  EventRequest request;
  for (const auto& [key, value] : query) {
    if (key == "since") {
      TRY(request.since, parse_since(value, feed));
    } else if (key == "kind") {
      TRY(request.kinds, parse_kinds(value));
    } else if (value != "now") {
      return fail(Code::kInvalid, "query parameter until can only be \"now\"");
    } else {
      request.until_now = true;
    }
  }
  return request;
}

}  // namespace

Result<Answer> follow_events(const Core& core, const Call& call) {
  if (core.changes == nullptr) return fail(Code::kUnsupported, "this daemon has no change feed");
  TRY(auto request, request_of(call.query, *core.changes));
  TRY(auto stream, open_event_stream(*core.changes, std::move(request)));
  return Answer{.status = kOk, .body = {}, .stream = std::move(stream)};
}

}  // namespace fairlead::native
