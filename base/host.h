// What is true of this host and this boot.
#pragma once

#include <string>

namespace fairlead {

// The kernel's random id of this boot (/proc/sys/kernel/random/boot_id): records of another boot
// are void. Read once.
const std::string& boot_id();

// Seconds since the epoch, and the same as RFC 3339 in UTC ("2026-01-31T12:00:00Z").
long long unix_time();
std::string rfc3339(long long unix_seconds);

}  // namespace fairlead
