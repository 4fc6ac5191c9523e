// CNI's share of the client's text handling: just enough JSON to find a version. Pure, so that
// tests can call it.
#pragma once

#include "plugin-api/thin/text.h"

namespace client {

// Reads just enough JSON to find a version.
struct Cursor {
  Text rest;

  bool take(Text part) {
    while (!rest.empty() && (rest.data[0] == ' ' || rest.data[0] == '\n' || rest.data[0] == '\t' ||
                             rest.data[0] == '\r'))
      rest = rest.from(1);
    if (!rest.starts_with(part)) return false;
    rest = rest.from(part.size);
    return true;
  }
  // The content of a string of at most 16 digits and dots; empty when there is none.
  Text take_version() {
    if (!take("\"")) return {};
    std::size_t size = 0;
    while (size < rest.size && size < 16 && (is_digit(rest.data[size]) || rest.data[size] == '.'))
      ++size;
    const Text version(rest.data, size);
    rest = rest.from(size);
    return take("\"") ? version : Text();
  }
};

// The version in the configuration, as far as it can be found without a real JSON reader.
inline Text version_of(Text config) {
  const Text key = "\"cniVersion\"";
  const std::size_t at = find(config, key);
  if (at == kNowhere) return {};
  Cursor cursor{config.from(at + key.size)};
  return cursor.take(":") ? cursor.take_version() : Text();
}

// The version in {"cniVersion":"1.1.0"} when the text is nothing but that (as libcni writes it);
// else empty.
inline Text only_version(Text text) {
  Cursor cursor{text};
  if (!cursor.take("{") || !cursor.take("\"cniVersion\"") || !cursor.take(":")) return {};
  const Text version = cursor.take_version();
  return cursor.take("}") && !cursor.take("}") && cursor.rest.empty() ? version : Text();
}

}  // namespace client
