#include "base/names.h"

#include <algorithm>
#include <cctype>

namespace fairlead {

namespace {

// What a bad name looks like on a terminal: control bytes and what is no ASCII masked, cut to a
// readable length.
std::string printable(std::string_view text) {
  std::string shown(text.substr(0, 48));
  std::ranges::replace_if(
      shown, [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  if (text.size() > 48) shown += fmt::format("... ({} bytes)", text.size());
  return shown;
}

bool word_char(unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-'; }

Status check_word(std::string_view kind, std::string_view text, std::size_t least,
                  std::size_t most) {
  if (text.size() < least || text.size() > most)
    return fail(Code::kInvalid, "\"{}\" is not a {} name: it must have {} to {} characters",
                printable(text), kind, least, most);
  if (std::isalnum(static_cast<unsigned char>(text[0])) == 0 ||
      !std::ranges::all_of(text, word_char))
    return fail(Code::kInvalid,
                "\"{}\" is not a {} name: it must begin with a letter or digit, and hold only "
                "letters, digits, '_', '.' and '-'",
                printable(text), kind);
  return {};
}

}  // namespace

template <>
Result<NetworkName> NetworkName::parse(std::string_view text) {
  TRY_STATUS(check_word("network", text, 1, 128));
  return NetworkName(std::string(text));
}

template <>
Result<VolumeName> VolumeName::parse(std::string_view text) {
  TRY_STATUS(check_word("volume", text, 2, 128));
  return VolumeName(std::string(text));
}

template <>
Result<SnapshotName> SnapshotName::parse(std::string_view text) {
  TRY_STATUS(check_word("snapshot", text, 1, 128));
  return SnapshotName(std::string(text));
}

template <>
Result<PoolName> PoolName::parse(std::string_view text) {
  TRY_STATUS(check_word("pool", text, 1, 128));
  return PoolName(std::string(text));
}

template <>
Result<ContainerId> ContainerId::parse(std::string_view text) {
  TRY_STATUS(check_word("container", text, 1, 255));
  return ContainerId(std::string(text));
}

// The kernel takes more, but `"`, `*` and `\` end or widen a name in nftables' text, `+` widens it
// in iptables, `%` makes the kernel choose a number, and "all" and "default" are the folders of
// /proc/sys/net/ipv4/conf that stand for every interface.
template <>
Result<IfName> IfName::parse(std::string_view text) {
  const auto plain = [](unsigned char c) {
    return word_char(c) || c == '@' || c == '=' || c == '~';
  };
  if (text.empty() || text.size() > 15 || text[0] == '-' || text == "." || text == ".." ||
      !std::ranges::all_of(text, plain))
    return fail(Code::kInvalid,
                "\"{}\" is not an interface name that can be used: it must have 1 to 15 letters, "
                "digits, '_', '.', '-', '@', '=' or '~', and not begin with '-'",
                printable(text));
  if (text == "all" || text == "default")
    return fail(Code::kInvalid,
                "\"{}\" cannot be used as an interface name: the kernel's settings of every "
                "interface go by it; choose another one",
                text);
  return IfName(std::string(text));
}

Result<IfName> stored_ifname(std::string_view text) {
  const auto bad = [](unsigned char c) { return c == '/' || c == ':' || c <= 0x20 || c == 0x7f; };
  if (text.empty() || text.size() > 15 || text == "." || text == ".." ||
      std::ranges::any_of(text, bad))
    return fail(Code::kInvalid, "\"{}\" is no interface name of the kernel's", printable(text));
  return IfName(std::string(text));
}

}  // namespace fairlead
