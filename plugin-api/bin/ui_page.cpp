#include "plugin-api/bin/ui_page.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/hash.h"
#include "base/line_file.h"
#include "base/log.h"
#include "plugin-api/bin/version.h"
#include "plugin-api/http/listen_tcp.h"
#include "plugin-api/native/native_handler.h"
#include "plugin-api/ui/ui_handler.h"

namespace fairlead {

namespace {

constexpr const char* kTokenFile = "ui-token";

Status let_group_read(const std::string& path, const std::string& group) {
  const struct group* found = group.empty() ? nullptr : ::getgrnam(group.c_str());
  const gid_t gid = found == nullptr ? 0 : found->gr_gid;
  if (::chown(path.c_str(), 0, gid) == 0 && ::chmod(path.c_str(), 0640) == 0) return {};
  return fail_errno(errno, fmt::format("let the group of the API socket read {}", path));
}

Result<std::string> read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return fail_errno(errno, "read " + path);
  return line;
}

Result<ui::Token> token_of(const Paths& paths, const std::string& group) {
  const std::string path = paths.state_dir + "/" + kTokenFile;
  TRY_STATUS(make_line_file(paths.state_dir, kTokenFile, random_hex(ui::Token::kDigits)));
  TRY_STATUS(let_group_read(path, group));
  TRY(const auto line, read_line(path));
  auto token = ui::Token::parse(line);
  if (!token)
    return fail(
        with_context(token.error(), fmt::format("{} (remove it: a new one is made)", path)));
  return token;
}

// Anybody's address leads to the machine itself, too.
IpPort place_to_open(const IpPort& place) {
  if (!place.address.is_any()) return place;
  const auto loopback = IpAddress::parse(place.address.is_v4() ? "127.0.0.1" : "::1");
  return {*loopback, place.port};
}

Status write_link(const Paths& paths, const IpPort& place, const std::string& group) {
  TRY(const auto token, read_line(paths.state_dir + "/" + kTokenFile));
  const std::string link =
      fmt::format("http://{}/#token={}", place_to_open(place).to_string(), token);
  const std::filesystem::path path = paths.ui_link();
  ::unlink(path.c_str());
  TRY_STATUS(make_line_file(path.parent_path(), path.filename(), link));
  return let_group_read(path, group);
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

bool has_doctor() {
  const auto routes = native::route_table();
  return std::ranges::find(routes, "/v1/doctor", &native::RouteInfo::pattern) != routes.end();
}

}  // namespace

UiPage::UiPage(const Config& config, std::string group, bool has_cluster)
    : ui_(config.ui), paths_(config.paths), group_(std::move(group)), has_cluster_(has_cluster) {}

UiPage::~UiPage() { ::unlink(paths_.ui_link().c_str()); }

Result<http::Listener> UiPage::listen(const http::Handler& api, http::Classify classify) const {
  TRY(auto token, token_of(paths_, group_));
  TRY(auto socket, http::listen_tcp(*ui_.place));
  TRY_STATUS(write_link(paths_, *ui_.place, group_));
  ui::UiSettings settings{
      .token = std::move(token),
      .reach = ui_.place->address.is_loopback() ? ui::Reach::kLoopback : ui::Reach::kAnywhere,
      .access = ui_.write ? ui::Access::kWrite : ui::Access::kReadOnly,
      .host = host_name(),
      .version = std::string(kVersion),
      .has_cluster = has_cluster_,
      .has_doctor = has_doctor()};
  return http::Listener{std::move(socket), "", ui::make_ui_handler(std::move(settings), api),
                        std::move(classify)};
}

std::optional<http::Listener> UiPage::open(const http::Handler& api,
                                           http::Classify classify) const {
  if (!ui_.place) return std::nullopt;
  auto listener = listen(api, std::move(classify));
  if (!listener) {
    log::error("there is no page",
               {{"error", listener.error().text}, {"hint", "mend it, then restart fairleadd"}});
    return std::nullopt;
  }
  log::info("the page is ready", {{"address", ui_.place->to_string()},
                                  {"may_change_things", ui_.write ? "yes" : "no"},
                                  {"hint", "`fairlead ui` prints the link"}});
  return std::move(*listener);
}

}  // namespace fairlead
