// Text handling for thin clients, without the C library: views, fixed buffers, and a reader of just
// enough HTTP. Pure, so that tests can call it.
#pragma once

#include <cstddef>

namespace client {

// ---- text: borrowed bytes

struct Text {
  const char* data = nullptr;  // so that static texts are zero and take no room in the file
  std::size_t size = 0;

  constexpr Text() = default;
  constexpr Text(const char* bytes, std::size_t count) : data(bytes), size(count) {}
  constexpr Text(const char* literal) : data(literal) {
    while (literal[size] != '\0') ++size;
  }
  constexpr bool empty() const { return size == 0; }
  constexpr Text from(std::size_t start) const { return {data + start, size - start}; }
  constexpr bool starts_with(Text prefix) const {
    if (size < prefix.size) return false;
    for (std::size_t i = 0; i < prefix.size; ++i)
      if (data[i] != prefix.data[i]) return false;
    return true;
  }
  constexpr bool operator==(Text other) const { return size == other.size && starts_with(other); }
};

constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

constexpr std::size_t find(Text text, Text part) {
  for (std::size_t i = 0; i + part.size <= text.size; ++i)
    if (text.from(i).starts_with(part)) return i;
  return kNowhere;
}

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Builds a text in a buffer of fixed size. What does not fit is not written, and fits() returns
// false then.
template <std::size_t Capacity>
class Builder {
 public:
  constexpr Builder() = default;
  void add(Text text) {
    if (text.size > Capacity - size_) {
      overflowed_ = true;
      return;
    }
    for (std::size_t i = 0; i < text.size; ++i) bytes_[size_++] = text.data[i];
  }
  void add_number(unsigned long number) {
    char digits[24];
    std::size_t start = sizeof digits;
    do {
      digits[--start] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    add({digits + start, sizeof digits - start});
  }
  // Adds the text escaped for the inside of a JSON string; control characters are left out.
  void add_escaped(Text text) {
    for (std::size_t i = 0; i < text.size; ++i) {
      const char c = text.data[i];
      if (static_cast<unsigned char>(c) < 0x20) continue;
      if (c == '"' || c == '\\') add("\\");
      add({&c, 1});
    }
  }
  bool fits() const { return !overflowed_; }
  Text text() const { return {bytes_, size_}; }
  // Ends the text with a NUL for a system call. When the buffer is full the last byte is lost.
  const char* c_str() {
    if (size_ == Capacity) --size_;
    bytes_[size_] = '\0';
    return bytes_;
  }

 private:
  std::size_t size_ = 0;
  bool overflowed_ = false;
  char bytes_[Capacity] = {};  // all zero, so that a static buffer takes no room in the file
};

// ---- HTTP

inline long number_of(Text text, long fallback) {
  long number = 0;
  for (std::size_t i = 0; i < text.size; ++i) {
    if (!is_digit(text.data[i]) || i == 9) return fallback;
    number = number * 10 + (text.data[i] - '0');
  }
  return text.empty() ? fallback : number;
}

// HTTP drops white space around a value and cannot carry control characters. Calls with such
// values, which no runtime sends, are left to the fallback, which reports what is wrong with them.
// `value` is not empty.
inline bool can_be_header(Text value) {
  for (std::size_t i = 0; i < value.size; ++i)
    if (static_cast<unsigned char>(value.data[i]) < 0x20 || value.data[i] == 0x7f) return false;
  return value.data[0] != ' ' && value.data[value.size - 1] != ' ';
}

struct Answer {
  bool complete = false;
  long status = 0;
  long exit_code = -1;  // -1: the answer has none
  Text body;
};

// The value of a header in `lines`, or empty. `name` is in lower case and ends with ':'.
inline Text header_value(Text lines, Text name) {
  for (std::size_t i = 0; i + name.size <= lines.size; ++i) {
    if (i != 0 && lines.data[i - 1] != '\n') continue;
    std::size_t same = 0;
    while (same < name.size && lower(lines.data[i + same]) == name.data[same]) ++same;
    if (same != name.size) continue;
    Text value = lines.from(i + same);
    while (!value.empty() && value.data[0] == ' ') value = value.from(1);
    const std::size_t end = find(value, "\r");
    return {value.data, end == kNowhere ? value.size : end};
  }
  return {};
}

// `exit_header`: of the header with the exit code, in lower case and with ':'.
inline Answer parse_answer(Text text, Text exit_header) {
  Answer parsed;
  const std::size_t end = find(text, "\r\n\r\n");
  if (end == kNowhere || !text.starts_with("HTTP/1.") || end < 12) return parsed;
  const Text lines(text.data, end + 2);
  parsed.status = number_of({text.data + 9, 3}, 0);
  parsed.exit_code = number_of(header_value(lines, exit_header), -1);
  const long length = number_of(header_value(lines, "content-length:"), -1);
  parsed.body = text.from(end + 4);
  if (length < 0 || parsed.body.size < static_cast<std::size_t>(length)) return parsed;
  parsed.body.size = static_cast<std::size_t>(length);
  parsed.complete = true;
  return parsed;
}

}  // namespace client
