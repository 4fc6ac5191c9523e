#include "volume/api/excludes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostPatterns = 1000, kLongestPattern = 1024, kLongestName = 255;
constexpr std::string_view kCaches = "@caches", kIfPresent = "@if-present:";

// ---- one component of a path

struct SetMatch {
  bool fits = false;
  std::size_t end = 0;  // behind the ']'
};

// "[a-z]", "[!0-9]"; `at` is behind the '['. std::nullopt when there is no ']'.
std::optional<SetMatch> match_set(std::string_view glob, std::size_t at, char c) {
  const bool negated = at < glob.size() && (glob[at] == '!' || glob[at] == '^');
  if (negated) ++at;
  bool fits = false;
  for (bool first = true; at < glob.size() && (first || glob[at] != ']'); first = false) {
    if (glob[at] == '\\' && at + 1 < glob.size()) ++at;
    const auto low = static_cast<unsigned char>(glob[at++]);
    auto high = low;
    if (at + 1 < glob.size() && glob[at] == '-' && glob[at + 1] != ']') {
      high = static_cast<unsigned char>(glob[at + 1]);
      at += 2;
    }
    const auto byte = static_cast<unsigned char>(c);
    fits = fits || (low <= byte && byte <= high);
  }
  if (at >= glob.size()) return std::nullopt;
  return SetMatch{fits != negated, at + 1};
}

// The position behind what matches `c` at `at`; std::nullopt when it does not. Not for '*'.
std::optional<std::size_t> match_one(std::string_view glob, std::size_t at, char c) {
  if (glob[at] == '?') return at + 1;
  if (glob[at] == '[') {
    const auto set = match_set(glob, at + 1, c);
    return set && set->fits ? std::optional(set->end) : std::nullopt;
  }
  if (glob[at] == '\\' && at + 1 < glob.size()) ++at;
  return glob[at] == c ? std::optional(at + 1) : std::nullopt;
}

// Of one component, so '*' is any text. Goes back to the last '*' only: linear in practice, and
// never worse than the product of the lengths.
bool match_component(std::string_view glob, std::string_view name) {
  std::size_t at = 0, in_name = 0;
  std::optional<std::size_t> star;
  std::size_t star_name = 0;
  while (in_name < name.size()) {
    if (at < glob.size() && glob[at] == '*') {
      star = ++at;
      star_name = in_name;
      continue;
    }
    const auto next =
        at < glob.size() ? match_one(glob, at, name[in_name]) : std::optional<std::size_t>();
    if (next) {
      at = *next;
      ++in_name;
    } else if (star) {
      at = *star;
      in_name = ++star_name;
    } else {
      return false;
    }
  }
  while (at < glob.size() && glob[at] == '*') ++at;
  return at == glob.size();
}

// ---- a whole path

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto slash = text.find('/');
    parts.push_back(text.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    text.remove_prefix(slash + 1);
  }
}

using Parts = std::vector<std::string_view>;

// With "**" for any number of components. As match_component(), one level up.
bool match_parts(const Parts& globs, const Parts& names) {
  std::size_t at = 0, in_names = 0;
  std::optional<std::size_t> star;
  std::size_t star_names = 0;
  while (in_names < names.size()) {
    if (at < globs.size() && globs[at] == "**") {
      star = ++at;
      star_names = in_names;
      // "a/**" is what is in a, and not a itself.
      if (at == globs.size()) return true;
    } else if (at < globs.size() && match_component(globs[at], names[in_names])) {
      ++at;
      ++in_names;
    } else if (star) {
      at = *star;
      in_names = ++star_names;
    } else {
      return false;
    }
  }
  return at == globs.size();
}

struct Pattern {
  bool takes_back = false, folders_only = false, anchored = false;
  std::string_view glob;
};

Pattern parse_pattern(std::string_view text) {
  Pattern pattern;
  pattern.takes_back = text.starts_with('!');
  if (pattern.takes_back) text.remove_prefix(1);
  pattern.folders_only = text.ends_with('/');
  if (pattern.folders_only) text.remove_suffix(1);
  pattern.anchored = text.find('/') != std::string_view::npos;
  if (text.starts_with('/')) text.remove_prefix(1);
  pattern.glob = text;
  return pattern;
}

bool fits(const Pattern& pattern, std::string_view path, bool is_folder) {
  if (pattern.folders_only && !is_folder) return false;
  if (!pattern.anchored) return match_component(pattern.glob, path.substr(path.rfind('/') + 1));
  return match_parts(split(pattern.glob), split(path));
}

// ---- checks

bool ends_in_a_set(std::string_view part) {
  for (std::size_t at = 0; at < part.size(); ++at) {
    if (part[at] == '\\') {
      if (++at == part.size()) return true;  // nothing behind the backslash
    } else if (part[at] == '[') {
      const auto set = match_set(part, at + 1, 'a');
      if (!set) return true;
      at = set->end - 1;
    }
  }
  return false;
}

tl::unexpected<Error> wrong(std::string_view pattern, std::string_view why) {
  return fail(Code::kInvalid,
              "\"{}\" is not a pattern of what to leave out: {}; write it as in .gitignore (*.tmp, "
              "/cache, logs/, a/**/b, !keep)",
              shown(pattern), why);
}

Status check_pattern(std::string_view text) {
  if (text.size() > kLongestPattern)
    return fail(Code::kInvalid, "a pattern has at most {} bytes", kLongestPattern);
  if (text.find('\0') != std::string_view::npos) return wrong(text, "no name has a NUL");
  const Pattern pattern = parse_pattern(text);
  if (pattern.glob.empty()) return wrong(text, "it names nothing");
  for (const std::string_view part : split(pattern.glob)) {
    if (part.empty()) return wrong(text, "a name between two slashes is empty");
    if (part == "." || part == "..") return wrong(text, "it leads elsewhere");
    if (ends_in_a_set(part)) return wrong(text, "a ] or what follows a backslash is missing");
  }
  return {};
}

Status check_name(std::string_view name) {
  if (!name.empty() && name.size() <= kLongestName && name != "." && name != ".." &&
      name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos)
    return {};
  return fail(Code::kInvalid, "\"{}\" is not the name of a file, like .nobackup", shown(name));
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ',' || c == '\\' || (c == '@' && out.empty())) out += '\\';
    out += c;
  }
  return out;
}

// Cuts at commas, and takes one backslash away where escaped() adds one.
std::vector<std::pair<std::string, bool>> words_of(std::string_view text) {
  std::vector<std::pair<std::string, bool>> words(1);  // and whether it begins with a plain '@'
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto& [word, is_special] = words.back();
    if (text[at] == ',') {
      words.emplace_back();
      continue;
    }
    if (word.empty() && text[at] == '@') is_special = true;
    const char next = at + 1 < text.size() ? text[at + 1] : '\0';
    if (text[at] == '\\' && (next == ',' || next == '\\' || (next == '@' && word.empty()))) ++at;
    word += text[at];
  }
  return words;
}

}  // namespace

Status check_excludes(const Excludes& excludes) {
  if (excludes.patterns.size() + excludes.if_present.size() > kMostPatterns)
    return fail(Code::kInvalid, "more than {} patterns are too many", kMostPatterns);
  for (const std::string& pattern : excludes.patterns) TRY_STATUS(check_pattern(pattern));
  for (const std::string& name : excludes.if_present) TRY_STATUS(check_name(name));
  return {};
}

Result<Excludes> parse_excludes(std::string_view text) {
  Excludes excludes;
  for (const auto& [word, is_special] : words_of(text)) {
    if (!is_special)
      excludes.patterns.push_back(word);
    else if (word == kCaches)
      excludes.caches = true;
    else if (word.starts_with(kIfPresent))
      excludes.if_present.push_back(word.substr(kIfPresent.size()));
    else
      return fail(
          Code::kInvalid,
          "\"{}\" is neither @caches nor @if-present:NAME; write \\@ for a name that begins "
          "with @",
          shown(word));
  }
  TRY_STATUS(check_excludes(excludes));
  return excludes;
}

std::string format_excludes(const Excludes& excludes) {
  std::vector<std::string> words;
  for (const std::string& pattern : excludes.patterns) words.push_back(escaped(pattern));
  if (excludes.caches) words.emplace_back(kCaches);
  for (const std::string& name : excludes.if_present)
    words.push_back(std::string(kIfPresent) + escaped(name));
  return fmt::format("{}", fmt::join(words, ","));
}

bool is_excluded(const Excludes& excludes, std::string_view path, bool is_folder) {
  for (auto text = excludes.patterns.rbegin(); text != excludes.patterns.rend(); ++text) {
    const Pattern pattern = parse_pattern(*text);
    if (fits(pattern, path, is_folder)) return !pattern.takes_back;
  }
  return false;
}

}  // namespace fairlead::volume
