#include "plugin-api/cli/text.h"

#include <algorithm>
#include <cctype>

#include "base/options/values.h"

namespace fairlead::cli {

namespace {

// The length of the well-formed UTF-8 sequence at the start of `text`, unless that is a control
// character; else 0.
std::size_t safe_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const std::size_t length = lead >= 0xf0 && lead < 0xf5   ? 4
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                                                           : 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  if (lead == 0xc2 && byte(1) < 0xa0) return 0;   // C1 controls
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
  if (lead == 0xed && byte(1) >= 0xa0) return 0;  // surrogates
  if (lead == 0xf0 && byte(1) < 0x90) return 0;   // overlong
  if (lead == 0xe2 && byte(1) == 0x80 && byte(2) >= 0xaa && byte(2) <= 0xae)
    return 0;  // text direction overrides
  return length;
}

std::string host_text(const network::PublishedPort& port, std::string_view any) {
  if (!port.host_ip) return std::string(any);
  return port.host_ip->is_v4() ? port.host_ip->to_string()
                               : fmt::format("[{}]", port.host_ip->to_string());
}

std::string range_text(std::uint16_t first, unsigned count) {
  return count == 1 ? std::to_string(first) : fmt::format("{}-{}", first, first + count - 1);
}

std::string run_text(const network::PublishedPort& first, unsigned count, std::string_view any) {
  const std::string most =
      first.max_connections == 0 ? "" : fmt::format(" (max {})", first.max_connections);
  return fmt::format("{}:{}->{}/{}{}", host_text(first, any), range_text(first.host_port, count),
                     range_text(first.container_port, count), to_string(first.proto), most);
}

unsigned length_of(const network::PublishedPort& port) { return port.last() - port.host_port + 1U; }

bool follows(const network::PublishedPort& port, const network::PublishedPort& first,
             unsigned count) {
  return port.proto == first.proto && port.host_ip == first.host_ip &&
         port.max_connections == first.max_connections &&
         port.host_port == first.host_port + count &&
         port.container_port == first.container_port + count;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const std::size_t length = safe_sequence(text);
    if (length == 0)
      safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    else
      safe += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return safe;
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string shorten(std::string_view text, std::size_t most) {
  if (display_width(text) <= most) return std::string(text);
  std::string cut;
  std::size_t columns = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U &&
        ++columns > most - std::min<std::size_t>(most, 3))
      break;
    cut += c;
  }
  return cut + "...";
}

std::string short_id(std::string_view id) {
  const bool hex = std::ranges::all_of(id, [](unsigned char c) { return std::isxdigit(c) != 0; });
  return std::string(hex && (id.size() == 32 || id.size() == 64) ? id.substr(0, 12) : id);
}

std::string ago(long long then, long long now) {
  struct Unit {
    long long seconds, from;  // `from`: the age in seconds from which the unit is used
    std::string_view name;
  };
  constexpr long long kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;
  constexpr auto kUnits = std::to_array<Unit>({{365 * kDay, 2 * 365 * kDay, "year"},
                                               {30 * kDay, 60 * kDay, "month"},
                                               {7 * kDay, 14 * kDay, "week"},
                                               {kDay, 2 * kDay, "day"},
                                               {kHour, kHour, "hour"},
                                               {kMinute, kMinute, "minute"},
                                               {1, 0, "second"}});
  if (then == 0) return "-";
  const long long age = std::max(0LL, now - then);
  const auto* unit =
      std::ranges::find_if(kUnits, [&](const Unit& candidate) { return age >= candidate.from; });
  const long long count = age / unit->seconds;
  return fmt::format("{} {}{} ago", count, unit->name, count == 1 ? "" : "s");
}

std::string size_text(std::optional<std::uint64_t> bytes) {
  return bytes ? rough_size(*bytes) : "-";
}

std::string ports_text(std::vector<network::PublishedPort> ports, Families reached) {
  std::ranges::sort(ports);
  std::string text;
  const auto add = [&](const std::string& run) { text += (text.empty() ? "" : ", ") + run; };
  for (std::size_t i = 0; i < ports.size();) {
    unsigned count = length_of(ports[i]);
    std::size_t next = i + 1;
    for (; next < ports.size() && follows(ports[next], ports[i], count); ++next)
      count += length_of(ports[next]);
    if (ports[i].host_ip || reached.v4 || !reached.v6) add(run_text(ports[i], count, "0.0.0.0"));
    if (!ports[i].host_ip && reached.v6) add(run_text(ports[i], count, "[::]"));
    i = next;
  }
  return text;
}

}  // namespace fairlead::cli
