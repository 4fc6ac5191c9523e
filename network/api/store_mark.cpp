#include "network/api/store_mark.h"

#include <algorithm>

#include "base/hash.h"
#include "base/result.h"

namespace fairlead::network {

namespace {

constexpr std::string_view kWord = "store ";
constexpr std::size_t kDigits = 8;
// A table's comment has at most 127 bytes (NFTNL_UDATA_COMMENT_MAXLEN), 30 of which are the
// version of the rules.
constexpr std::size_t kMostFolder = 64;

// The end of a long folder says more than its beginning. What nft would take for the end of the
// comment is no letter of it.
std::string shown(std::string_view folder) {
  std::string text(folder.size() <= kMostFolder
                       ? folder
                       : "..." + std::string(folder.substr(folder.size() - kMostFolder + 3)));
  std::ranges::replace_if(
      text, [](char c) { return c <= ' ' || c > '~' || c == '"' || c == '\\'; }, '?');
  return text;
}

bool is_number(std::string_view text) {
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace

std::string StoreMark::text() const {
  return empty() ? "" : fmt::format("{}{}/{} {}", kWord, store, place, folder);
}

std::string StoreMark::after(std::string_view before) const {
  return empty() ? std::string(before) : fmt::format("{} {}", before, text());
}

StoreMark store_mark(std::string_view store, std::string_view folder) {
  return {.store = std::string(store), .place = hash_hex(folder, kDigits), .folder = shown(folder)};
}

std::optional<StoreMark> find_mark(std::string_view text) {
  const std::size_t at = text.rfind(fmt::format(" {}", kWord));
  if (at == text.npos) return std::nullopt;
  const std::string_view mark = text.substr(at + 1 + kWord.size());
  constexpr std::size_t kNumbers = 2 * kDigits + 2;  // with "/" and a space
  if (mark.size() < kNumbers || mark[kDigits] != '/' || mark[kNumbers - 1] != ' ')
    return std::nullopt;
  const std::string_view store = mark.substr(0, kDigits), place = mark.substr(kDigits + 1, kDigits);
  if (!is_number(store) || !is_number(place)) return std::nullopt;
  return StoreMark{.store = std::string(store),
                   .place = std::string(place),
                   .folder = std::string(mark.substr(kNumbers))};
}

}  // namespace fairlead::network
