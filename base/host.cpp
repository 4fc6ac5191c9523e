#include "base/host.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <fstream>

namespace fairlead {

const std::string& boot_id() {
  static const std::string id = [] {
    std::string line;
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::getline(file, line);
    return line;
  }();
  return id;
}

long long unix_time() { return static_cast<long long>(std::time(nullptr)); }

long long unix_milliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string rfc3339(long long unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

Result<long long> parse_rfc3339(std::string_view text) {
  const std::string whole(text);
  std::tm parts{};
  if (::strptime(whole.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) != nullptr) {
    const long long seconds = ::timegm(&parts);
    if (rfc3339(seconds) == text) return seconds;
  }
  return fail(Code::kInvalid, "\"{}\" is not a time like 2026-01-31T12:00:00Z", text);
}

}  // namespace fairlead
