#include "volume/kernel/mountinfo.h"

#include <charconv>

namespace fairlead::volume {

namespace {

constexpr std::string_view kDeleted = "//deleted";

// Takes the next word, up to a single space, off the front.
std::string_view take_word(std::string_view& text) {
  const auto space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  return word;
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool read_device(std::string_view text, MountEntry& entry) {
  const auto colon = text.find(':');
  return colon != std::string_view::npos && read_number(text.substr(0, colon), entry.major) &&
         read_number(text.substr(colon + 1), entry.minor);
}

// Skips the optional fields ("shared:1 master:2"); false when the "-" that ends them is missing.
bool skip_optional(std::string_view& text) {
  while (!text.empty())
    if (take_word(text) == "-") return true;
  return false;
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

}  // namespace

std::string decode_octal(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t k = 0; k < text.size(); ++k) {
    const bool escape = text[k] == '\\' && k + 3 < text.size() && text[k + 1] <= '3' &&
                        is_octal(text[k + 1]) && is_octal(text[k + 2]) && is_octal(text[k + 3]);
    if (!escape) {
      decoded += text[k];
      continue;
    }
    decoded +=
        static_cast<char>((text[k + 1] - '0') * 64 + (text[k + 2] - '0') * 8 + (text[k + 3] - '0'));
    k += 3;
  }
  return decoded;
}

std::optional<MountEntry> parse_mount_line(std::string_view line) {
  MountEntry entry;
  if (!read_number(take_word(line), entry.id) || !read_number(take_word(line), entry.parent))
    return std::nullopt;
  if (!read_device(take_word(line), entry)) return std::nullopt;
  std::string_view root = take_word(line);
  entry.root_deleted = root.ends_with(kDeleted);
  if (entry.root_deleted) root.remove_suffix(kDeleted.size());
  entry.root = decode_octal(root);
  entry.mount_point = decode_octal(take_word(line));
  entry.options = take_word(line);
  if (entry.mount_point.empty() || entry.options.empty() || !skip_optional(line))
    return std::nullopt;
  entry.fs_type = decode_octal(take_word(line));
  entry.source = decode_octal(take_word(line));
  entry.super_options = line;
  if (entry.fs_type.empty()) return std::nullopt;
  return entry;
}

std::vector<MountEntry> parse_mountinfo(std::string_view text) {
  std::vector<MountEntry> entries;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (auto entry = parse_mount_line(text.substr(0, end))) entries.push_back(std::move(*entry));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return entries;
}

}  // namespace fairlead::volume
