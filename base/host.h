// Facts about this host and its present boot.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead {

// The kernel's random id of this boot (/proc/sys/kernel/random/boot_id). It is read once. A record
// that carries the id of another boot is void.
const std::string& boot_id();

// The time since the epoch.
long long unix_time();  // seconds
long long unix_milliseconds();
// Seconds since the epoch as text: RFC 3339 in UTC ("2026-01-31T12:00:00Z").
std::string rfc3339(long long unix_seconds);
// kInvalid for anything but what rfc3339() writes.
Result<long long> parse_rfc3339(std::string_view text);

}  // namespace fairlead
