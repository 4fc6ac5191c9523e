// fairlead podman install: netavark's plugin, Podman's volume plugin, and with --drop-in the program in
// netavark's place.
//
//   <plugin folder>/fairlead            netavark's plugin for networks of the driver fairlead
//   <own folder>/fairlead-netavark-local  what it becomes where no daemon runs
//   <own folder>/podman/netavark        --drop-in: where Podman finds it before netavark itself
//   containers.conf.d/fairlead.conf     tells Podman of all that
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/program_files.h"
#include "plugin-api/cli/session.h"

namespace fairlead::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPlugin = "fairlead";
constexpr const char* kLocal = "fairlead-netavark-local";
constexpr const char* kNetavark = "netavark";
constexpr const char* kFragment = "fairlead.conf";
constexpr const char* kSays = "Fairlead's networks are root's";  // what both programs hold
constexpr const char* kFirstLine =
    "# Written by `fairlead podman install`; `fairlead podman uninstall` removes it.\n";

std::string helper_folder(const PodmanPlugin& plugin) { return plugin.own_folder + "/podman"; }

Status check(const Session& session) {
  if (session.context.uid != 0)
    return fail(Code::kInvalid, "only root may change the folders of Podman; use sudo");
  return {};
}

Status make_folder(const std::string& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) return fail(Code::kIo, "make folder {}: {}", path, failed.message());
  return {};
}

// The named one, or the first of the usual ones that is there, or else the first.
std::string plugin_folder(const Session& session) {
  if (!session.line.folder.empty()) return session.line.folder;
  std::error_code failed;
  for (const std::string& folder : session.context.podman.plugin_folders)
    if (fs::is_directory(folder, failed)) return folder;
  return session.context.podman.plugin_folders.front();
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts)
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", text);
  return list;
}

// Podman looks in the folders of a list in their order, and its own defaults are no longer in it.
std::string fragment(const Session& session, const std::string& folder, bool drop_in) {
  const PodmanPlugin& plugin = session.context.podman;
  std::string text = kFirstLine;
  text += "[engine]\n";
  if (drop_in) {
    std::vector<std::string> folders{helper_folder(plugin)};
    folders.insert(folders.end(), plugin.helper_folders.begin(), plugin.helper_folders.end());
    text += fmt::format("helper_binaries_dir = [{}]\n", list_of(folders));
  }
  text += fmt::format("\n[engine.volume_plugins]\nfairlead = \"{}\"\n", plugin.volume_socket);
  const auto& usual = plugin.plugin_folders;
  if (std::ranges::find(usual, folder) != usual.end()) return text;
  std::vector<std::string> folders{folder};
  folders.insert(folders.end(), usual.begin(), usual.end());
  return text + fmt::format("\n[network]\nnetavark_plugin_dirs = [{}]\n", list_of(folders));
}

Status put(Session& session, const std::string& program, const std::string& folder,
           const char* name) {
  TRY_STATUS(make_folder(folder));
  TRY(const std::string done, install_program(program, folder, name));
  session.print(fmt::format("{}/{}: {}", folder, name, done));
  return {};
}

Status take(Session& session, const std::string& program, const std::string& folder,
            const char* name) {
  TRY(const std::string done, uninstall_program(program, folder, name, kSays));
  if (done != "not there") session.print(fmt::format("{}/{}: {}", folder, name, done));
  return {};
}

Status take_drop_in(Session& session) {
  const PodmanPlugin& plugin = session.context.podman;
  TRY_STATUS(take(session, plugin.program, helper_folder(plugin), kNetavark));
  std::error_code failed;
  fs::remove(helper_folder(plugin), failed);  // unless there is something else in it
  return {};
}

Status install(Session& session) {
  TRY_STATUS(check(session));
  const PodmanPlugin& plugin = session.context.podman;
  if (plugin.program.empty())
    return fail(Code::kNotFound,
                "the plugin was not found, neither beside this program nor where packages put it");
  const std::string folder = plugin_folder(session);
  if (folder.empty() || folder.front() != '/' || folder.find('"') != std::string::npos)
    return fail(Code::kInvalid, "--dir: \"{}\" is not an absolute path that Podman can read",
                folder);
  if (!plugin.local.empty())  // first: the plugin looks for it
    TRY_STATUS(put(session, plugin.local, plugin.own_folder, kLocal));
  TRY_STATUS(put(session, plugin.program, folder, kPlugin));
  if (session.line.drop_in)
    TRY_STATUS(put(session, plugin.program, helper_folder(plugin), kNetavark));
  TRY_STATUS(make_folder(plugin.config_folder));
  TRY(const std::string done, install_text(fragment(session, folder, session.line.drop_in),
                                           plugin.config_folder, kFragment));
  session.print(fmt::format("{}/{}: {}", plugin.config_folder, kFragment, done));
  // Podman must not be told of a program that is gone.
  if (!session.line.drop_in) TRY_STATUS(take_drop_in(session));
  return {};
}

Status uninstall(Session& session) {
  TRY_STATUS(check(session));
  const PodmanPlugin& plugin = session.context.podman;
  TRY(const std::string done, uninstall_text(kFirstLine, plugin.config_folder, kFragment));
  if (done != "not there")
    session.print(fmt::format("{}/{}: {}", plugin.config_folder, kFragment, done));
  TRY_STATUS(take_drop_in(session));
  TRY_STATUS(take(session, plugin.program, plugin_folder(session), kPlugin));
  if (plugin.local.empty()) return {};  // the package's own
  return take(session, plugin.local, plugin.own_folder, kLocal);
}

}  // namespace

int podman_install(Session& session) {
  if (session.line.take_back) return podman_uninstall(session);
  return session.finish("install the plugin for Podman", install(session));
}

int podman_uninstall(Session& session) {
  return session.finish("uninstall the plugin for Podman", uninstall(session));
}

}  // namespace fairlead::cli
