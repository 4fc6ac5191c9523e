// The body of GET /v1/events: lines of JSON, one for each change.
//
//   {"kind":"heartbeat","revision":41,"time":"2026-11-29T15:00:00.120Z"}       first, and every few
//                                                                               seconds of silence
//   {"revision":42,"time":"2026-11-29T15:00:00.123Z","kind":"network","action":"create",
//    "id":"3f2a...","name":"shop","attributes":{"mode":"bridge"}}
//   {"kind":"end","reason":"slow","revision":57,"time":"..."}                  last
//
// The revision of a heartbeat says that everything up to it was told, and so does that of the end:
// a client goes on with since=REVISION. The reasons of an end are "until" (everything until the
// moment of the request was told), "stop" (the daemon stops), "slow" (the client did not read), and
// "resync" (changes are forgotten that were not told: list again).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/changes.h"
#include "plugin-api/http/message.h"

namespace fairlead::native {

struct EventRequest {
  std::optional<std::int64_t> since;  // std::nullopt: from now on
  bool until_now = false;
  std::set<std::string> kinds;  // empty: all
};

// How far a stream may run ahead of its client, and for how long it then waits for it.
struct EventLimits {
  std::size_t bytes = 256U << 10;
  std::chrono::milliseconds patience = std::chrono::seconds(20);
};

// Fails with the errors of ChangeFeed::watch. The feed must outlive the stream.
Result<std::shared_ptr<http::BodyStream>> open_event_stream(ChangeFeed& feed, EventRequest request,
                                                            EventLimits limits = {});

}  // namespace fairlead::native
