#include "volume/api/secrets.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace fairlead::volume {

namespace {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// Every word for a secret that mount.cifs(8), mount.ceph(8), davfs and FUSE helpers know, and what
// looks like one: "password", "pass2", "PASSWD", "secret", "auth_token". Names of files hold none.
// mount.cifs also takes user=NAME%PASSWORD.
bool is_secret(const std::string& word) {
  const auto equals = std::min(word.find('='), word.size());
  const std::string key = lower_case(std::string_view(word).substr(0, equals));
  const std::string_view value = std::string_view(word).substr(std::min(equals + 1, word.size()));
  if (key.ends_with("file") || key.ends_with("path")) return false;
  if (key == "user" || key == "username") return value.find('%') != value.npos;
  constexpr std::array<std::string_view, 7> kParts{"pass",   "pwd",     "secret",     "token",
                                                   "apikey", "api_key", "private_key"};
  return std::ranges::any_of(kParts,
                             [&](std::string_view part) { return key.find(part) != key.npos; });
}

// "//user:password@server/share", with or without a scheme.
bool has_login(std::string_view device) {
  if (const auto scheme = device.find("//"); scheme != device.npos)
    device.remove_prefix(scheme + 2);
  const std::string_view authority = device.substr(0, device.find('/'));
  const std::string_view login =
      authority.substr(0, std::min(authority.rfind('@'), authority.size()));
  return login.size() < authority.size() && login.find_first_of(":%") != login.npos;
}

constexpr std::string_view kMask = "***";

}  // namespace

bool holds_secret(const VolumeOptions& options) {
  return std::ranges::any_of(options.mount_options, is_secret) || has_login(options.device);
}

Status refuse_secrets(const VolumeOptions& options) {
  if (!holds_secret(options)) return {};
  return fail(Code::kInvalid,
              "volume option \"o\" or \"device\" holds a password, which runtimes keep and print; "
              "write it into a file that only root may read, and name that with passwordfile=");
}

VolumeOptions without_secrets(VolumeOptions options) {
  for (std::string& word : options.mount_options)
    if (is_secret(word)) word = fmt::format("{}={}", word.substr(0, word.find('=')), kMask);
  if (has_login(options.device)) options.device = kMask;
  return options;
}

}  // namespace fairlead::volume
