#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <deque>
#include <mutex>

namespace fairlead::log {

namespace {

std::atomic<Level> threshold{Level::kWarn};
std::atomic<Format> chosen_format{Format::kText};

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "error";
}

void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      (line += '\\') += c;
    else if (c == '\n')
      line += "\\n";
    else if (byte < 0x20 || byte == 0x7f)
      line += fmt::format("\\u{:04x}", byte);
    else
      line += c;
  }
  line += '"';
}

// An event may hold names that others chose.
std::string without_controls(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      safe += fmt::format("\\u{:04x}", byte);
    else
      safe += c;
  }
  return safe;
}

bool needs_quotes(std::string_view text) {
  return text.empty() || std::ranges::any_of(text, [](unsigned char c) {
           return c <= 0x20 || c == '"' || c == '=' || c == 0x7f;
         });
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     millis);
}

}  // namespace

void configure(Level level, Format format) {
  threshold = level;
  chosen_format = format;
}

bool enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }

namespace {

using Clock = std::chrono::steady_clock;

// A line without its time, in the parts between which its time and its count go.
struct Line {
  Level level = Level::kInfo;
  std::string event, fields;

  bool operator==(const Line&) const = default;
};

std::string text_of(const Line& line, std::size_t repeated = 0) {
  std::string event = chosen_format == Format::kJson ? line.event : without_controls(line.event);
  if (repeated > 0)
    event += fmt::format(" (repeated {} time{})", repeated, repeated == 1 ? "" : "s");
  if (chosen_format != Format::kJson)
    return fmt::format("{} {:<5} {}{}\n", timestamp(), name_of(line.level), event, line.fields);
  std::string quoted;
  append_quoted(quoted, event);
  return fmt::format(R"({{"time":"{}","level":"{}","event":{}{}}})"
                     "\n",
                     timestamp(), name_of(line.level), quoted, line.fields);
}

std::string fields_text(std::initializer_list<Field> fields) {
  std::string text;
  for (const Field& field : fields) {
    if (chosen_format == Format::kJson) {
      text += ',';
      append_quoted(text, field.name);
      text += ':';
      append_quoted(text, field.value);
      continue;
    }
    text += fmt::format(" {}=", field.name);
    if (needs_quotes(field.value))
      append_quoted(text, field.value);
    else
      text += field.value;
  }
  return text;
}

// The lines of the last moments, and how often each has come again. A few, so that also what comes
// in turns is folded.
class Recent {
 public:
  void set_window(Clock::duration window) {
    const std::scoped_lock hold(guard_);
    window_ = window;
  }

  // What is to be written for this line: itself, after the counts that are due before it; or
  // nothing, when it was counted.
  std::string add(Line line) {
    const std::scoped_lock hold(guard_);
    if (window_ == Clock::duration::zero()) return text_of(line);
    const auto now = Clock::now();
    std::string out = take_counts([&](const Entry& entry) { return now - entry.since >= window_; });
    const auto same = std::ranges::find(entries_, line, &Entry::line);
    if (same != entries_.end()) {
      ++same->repeated;
      return out;
    }
    if (entries_.size() >= kMost)
      out += take_counts([&](const Entry& entry) { return &entry == &entries_.front(); });
    out += text_of(line);
    entries_.push_back({std::move(line), now});
    return out;
  }

  std::string counts(Repeated which) {
    const std::scoped_lock hold(guard_);
    const auto now = Clock::now();
    return take_counts([&](const Entry& entry) {
      return which == Repeated::kAll || now - entry.since >= window_;
    });
  }

 private:
  static constexpr std::size_t kMost = 8;
  struct Entry {
    Line line;
    Clock::time_point since;
    std::size_t repeated = 0;
  };

  template <class Due>
  std::string take_counts(const Due& due) {
    std::string out;
    std::deque<Entry> left;
    for (Entry& entry : entries_) {
      if (!due(entry))
        left.push_back(std::move(entry));
      else if (entry.repeated > 0)
        out += text_of(entry.line, entry.repeated);
    }
    entries_ = std::move(left);
    return out;
  }

  std::mutex guard_;
  Clock::duration window_{};
  std::deque<Entry> entries_;  // the oldest first
};

Recent& recent() {
  static Recent lines;
  return lines;
}

void put(std::string_view text) {
  if (!text.empty()) [[maybe_unused]]
    const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

void fold_repeated(std::chrono::milliseconds window) { recent().set_window(window); }

void tell_repeated(Repeated which) { put(recent().counts(which)); }

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  put(recent().add({level, std::string(event), fields_text(fields)}));
}

}  // namespace fairlead::log
