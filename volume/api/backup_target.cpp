#include "volume/api/backup_target.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace fairlead::volume {

namespace {

using Kind = BackupTarget::Kind;

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

template <class... Args>
tl::unexpected<Error> refuse(std::string_view text, fmt::format_string<Args...> why,
                             Args&&... args) {
  return fail(Code::kInvalid, "the backup target \"{}\": {}", shown(text),
              fmt::format(why, std::forward<Args>(args)...));
}

// Only these letters: ssh hands a host and a user to shells where its configuration says so
// (ProxyCommand), and a leading '-' would be an option.
bool is_made_of(std::string_view text, std::string_view others) {
  return !text.empty() && text[0] != '-' && std::ranges::all_of(text, [&](char c) {
    return kLetters.find(c) != kLetters.npos || kDigits.find(c) != kDigits.npos ||
           others.find(c) != others.npos;
  });
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of(kDigits) == text.npos &&
         std::stoi(std::string(text)) >= 1 && std::stoi(std::string(text)) <= 65535;
}

std::string without_slashes(std::string_view path) {
  std::string clean;
  for (const char c : path)
    if (c != '/' || !clean.ends_with('/')) clean += c;
  while (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
  return clean;
}

bool is_path(std::string_view path) {
  return !path.empty() && std::ranges::none_of(path, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

// "[user@]host", the host perhaps an IPv6 address in brackets. Takes it from the front of the text.
Status take_host(std::string_view text, std::string_view& rest, BackupTarget& target) {
  // In a URL a ':' before the '@' would be a password; elsewhere it ends the host.
  const std::string_view ends = text.starts_with("sftp://") ? "/[" : "/[:";
  const std::string_view before = rest.substr(0, std::min(rest.find_first_of(ends), rest.size()));
  const std::size_t at = before.rfind('@');
  const std::string_view user = at == before.npos ? std::string_view() : before.substr(0, at);
  if (user.find(':') != user.npos)
    return refuse(text, "a password cannot be given here; let ssh use a key");
  if (at != before.npos && !is_made_of(user, "._+@$-"))
    return refuse(text, "\"{}\" is no user's name", shown(user));
  rest.remove_prefix(at == before.npos ? 0 : at + 1);
  const bool is_bracketed = rest.starts_with('[');
  const std::size_t host_end = is_bracketed ? rest.find(']') : rest.find_first_of(":/");
  if (is_bracketed && host_end == rest.npos) return refuse(text, "a ']' is missing");
  const std::string_view host =
      is_bracketed ? rest.substr(1, host_end - 1) : rest.substr(0, host_end);
  if (!is_made_of(host, is_bracketed ? ":.%_-" : "._-"))
    return refuse(text, "\"{}\" is no host's name", shown(host));
  rest.remove_prefix(host_end == rest.npos ? rest.size() : host_end + (is_bracketed ? 1 : 0));
  target.user = user;
  target.host = host;
  return {};
}

Status take_port(std::string_view text, std::string_view port, BackupTarget& target) {
  if (!is_port(port)) return refuse(text, "\"{}\" is no port", shown(port));
  target.port = port;
  return {};
}

Status take_path(std::string_view text, std::string_view path, BackupTarget& target) {
  if (!is_path(path)) return refuse(text, "the folder is missing, or holds control characters");
  target.path = without_slashes(path);
  return {};
}

// sftp://[user@]host[:port]/path
Result<BackupTarget> parse_url(std::string_view text, BackupTarget target) {
  std::string_view rest = text.substr(std::string_view("sftp://").size());
  TRY_STATUS(take_host(text, rest, target));
  const std::size_t slash = rest.find('/');
  if (slash == rest.npos) return refuse(text, "the folder is missing: sftp://host/folder");
  if (slash > 0) TRY_STATUS(take_port(text, rest.substr(1, slash - 1), target));
  TRY_STATUS(take_path(text, rest.substr(slash), target));
  return target;
}

// sftp:[user@]host[:port]:path
Result<BackupTarget> parse_sftp(std::string_view text, BackupTarget target) {
  target.kind = Kind::kSsh;
  if (text.starts_with("sftp://")) return parse_url(text, std::move(target));
  std::string_view rest = text.substr(std::string_view("sftp:").size());
  TRY_STATUS(take_host(text, rest, target));
  if (!rest.starts_with(':')) return refuse(text, "the folder is missing: sftp:host:/folder");
  rest.remove_prefix(1);
  if (const std::size_t colon = rest.find(':');
      colon != rest.npos && colon > 0 &&
      rest.substr(0, colon).find_first_not_of(kDigits) == rest.npos) {
    TRY_STATUS(take_port(text, rest.substr(0, colon), target));
    rest.remove_prefix(colon + 1);
  }
  TRY_STATUS(take_path(text, rest, target));
  return target;
}

// Options of rclone in the remote (":s3,secret_access_key=...:bucket") may be secrets.
bool holds_secret(std::string_view remote) {
  constexpr std::array<std::string_view, 6> kSecret{
      "pass=", "secret", "token=", "key=", "password", "credentials"};
  return std::ranges::any_of(
      kSecret, [&](std::string_view word) { return remote.find(word) != remote.npos; });
}

Result<BackupTarget> parse_rclone(std::string_view text, BackupTarget target) {
  const std::string_view rest = text.substr(std::string_view("rclone:").size());
  if (rest.find(':') == rest.npos || rest.starts_with('-') || !is_path(rest))
    return refuse(text, "it must be rclone:REMOTE:FOLDER, with a remote of `rclone listremotes`");
  if (const auto options = rest.substr(0, rest.rfind(':')); holds_secret(options))
    return refuse(text, "a secret cannot be given here; put it into rclone's configuration");
  target.kind = Kind::kRclone;
  target.remote = rest;
  return target;
}

Result<BackupTarget> parse_s3(std::string_view text, BackupTarget target) {
  std::string_view rest = text.substr(std::string_view("s3:").size());
  std::string server = "provider=AWS";
  if (rest.starts_with("https://") || rest.starts_with("http://")) {
    const std::size_t scheme = rest.find("//") + 2, slash = rest.find('/', scheme);
    const std::string_view host = rest.substr(scheme, slash - scheme);
    if (slash == rest.npos || !is_made_of(host, ".:[]_-"))
      return refuse(text, "it must be s3:https://HOST/BUCKET/FOLDER");
    server = fmt::format("provider=Other,endpoint=\"{}\"", rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
  }
  while (rest.starts_with('/')) rest.remove_prefix(1);
  if (!is_path(rest)) return refuse(text, "it must be s3:BUCKET/FOLDER");
  target.kind = Kind::kRclone;
  target.remote = fmt::format(":s3,{},env_auth=true:{}", server, without_slashes(rest));
  return target;
}

bool is_path_beneath(std::string_view path, std::string_view top) {
  if (!path.starts_with(top)) return false;
  path.remove_prefix(top.size());
  return path.empty() || top.ends_with('/') || path.starts_with('/');
}

// Of rclone the text is compared as a whole, so that both are the same remote however it reads
// them. A remote without a folder ("cloud:") holds what begins there, and not what is elsewhere on
// its server ("cloud:/etc").
bool is_remote_beneath(std::string_view remote, std::string_view top) {
  if (!top.ends_with(':')) return is_path_beneath(remote, top);
  return remote.starts_with(top) && !remote.substr(top.size()).starts_with('/');
}

}  // namespace

Result<BackupTarget> parse_backup_target(std::string_view text) {
  BackupTarget target;
  target.name = text;
  if (text.starts_with("sftp:")) return parse_sftp(text, std::move(target));
  if (text.starts_with("rclone:")) return parse_rclone(text, std::move(target));
  if (text.starts_with("s3:")) return parse_s3(text, std::move(target));
  if (const std::string_view kind = kind_of(text); !kind.empty())
    return refuse(
        text,
        "\"{}\" is no kind of target; known are sftp:, rclone: and s3: (on the host {} it "
        "is sftp:{}, and a folder of that name here is ./{})",
        shown(kind), shown(kind.substr(0, kind.size() - 1)), shown(text), shown(text));
  if (!text.starts_with('/'))
    return refuse(text,
                  "it must be an absolute path, sftp:HOST:/FOLDER, rclone:REMOTE:FOLDER or "
                  "s3:BUCKET/FOLDER");
  target.path = text;
  return target;
}

std::string_view kind_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  return colon == text.npos || text.find('/') < colon ? std::string_view()
                                                      : text.substr(0, colon + 1);
}

bool has_dots(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("/:"), text.size());
    const std::string_view part = text.substr(0, end);
    if (part == "." || part == "..") return true;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

bool is_beneath_target(std::string_view target, std::string_view root) {
  const auto wanted = parse_backup_target(target), top = parse_backup_target(root);
  if (!wanted || !top || has_dots(target) || has_dots(root)) return false;
  if (wanted->kind != top->kind || wanted->user != top->user || wanted->host != top->host ||
      wanted->port != top->port)
    return false;
  if (top->kind == Kind::kRclone) return is_remote_beneath(wanted->remote, top->remote);
  return is_path_beneath(wanted->path, without_slashes(top->path));
}

std::string server_of(const BackupTarget& target) {
  if (target.kind == Kind::kSsh) return target.host;
  if (target.kind == Kind::kRclone) return target.remote.substr(0, target.remote.rfind(':') + 1);
  return {};
}

bool is_far_target(std::string_view text) {
  return text.starts_with("sftp:") || text.starts_with("rclone:") || text.starts_with("s3:");
}

}  // namespace fairlead::volume
