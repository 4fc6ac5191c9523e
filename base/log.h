// A small structured logger: an event text and key/value pairs, on stderr only (stdout belongs to
// the protocols).
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace fairlead::log {

enum class Level { kDebug, kInfo, kWarn, kError };
enum class Format { kText, kJson };

struct Field {
  template <class T>
  Field(std::string_view field_name, const T& field_value)
      : name(field_name), value(fmt::format("{}", field_value)) {}
  std::string name;
  std::string value;
};

// Sets the logging of the whole process; to be called once at start, before any thread. Without a
// call, warnings and errors are written as text (command line and exec'd plugins); the daemon sets
// kInfo.
void configure(Level threshold, Format format);
bool enabled(Level level);

// A line that was written within the last `window` is counted instead of written again; how often it
// came is told after the window, with the next line or by tell_repeated(): "event (repeated 312
// times)". Off (zero) unless a process that keeps running asks for it.
void fold_repeated(std::chrono::milliseconds window);
// Writes the counts that are not told yet: of windows that are over, or all of them.
enum class Repeated { kOver, kAll };
void tell_repeated(Repeated which = Repeated::kOver);

// Thread-safe: one write(2) per line. Text values with spaces or control characters are quoted and
// escaped.
void write(Level level, std::string_view event, std::initializer_list<Field> fields = {});

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::kDebug)) write(Level::kDebug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::kInfo)) write(Level::kInfo, event, fields);
}
inline void warn(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::kWarn)) write(Level::kWarn, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
  if (enabled(Level::kError)) write(Level::kError, event, fields);
}

}  // namespace fairlead::log
