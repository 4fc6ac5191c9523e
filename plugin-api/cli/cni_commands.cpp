#include <filesystem>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/program_files.h"
#include "plugin-api/cli/session.h"

namespace fairlead::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPlugin = "fairlead";
constexpr const char* kLocal = "fairlead-cni-local";
constexpr const char* kSays = "CNI fairlead plugin";  // what both programs say of themselves

// The folder that is named, or those of the usual ones that are there.
Result<std::vector<std::string>> folders_of(const Session& session) {
  std::error_code failed;
  if (const std::string& named = session.line.folder; !named.empty()) {
    if (!fs::is_directory(named, failed))
      return fail(Code::kNotFound, "folder {} does not exist; make it first", named);
    return std::vector<std::string>{named};
  }
  std::vector<std::string> there;
  for (const std::string& folder : session.context.cni.folders)
    if (fs::is_directory(folder, failed)) there.push_back(folder);
  return there;
}

Status check_user(const Session& session) {
  if (session.context.uid == 0) return {};
  return fail(Code::kInvalid, "only root may change the folders of CNI plugins; use sudo");
}

Status install(Session& session) {
  TRY_STATUS(check_user(session));
  const CniPlugin& plugin = session.context.cni;
  if (plugin.program.empty())
    return fail(Code::kNotFound,
                "the plugin was not found, neither beside this program nor where packages put it");
  TRY(auto folders, folders_of(session));
  if (folders.empty()) {
    const std::string& usual = plugin.folders.front();
    std::error_code failed;
    fs::create_directories(usual, failed);
    if (failed) return fail(Code::kIo, "make folder {}: {}", usual, failed.message());
    folders.push_back(usual);
  }
  for (const std::string& folder : folders) {
    if (!plugin.local.empty()) {  // first: the plugin looks for it
      TRY(const std::string done, install_program(plugin.local, folder, kLocal));
      session.print(fmt::format("{}/{}: {}", folder, kLocal, done));
    }
    TRY(const std::string done, install_program(plugin.program, folder, kPlugin));
    session.print(fmt::format("{}/{}: {}", folder, kPlugin, done));
  }
  return {};
}

// Without being named, a folder with the package's own plugin is passed over.
Status uninstall(Session& session) {
  TRY_STATUS(check_user(session));
  const CniPlugin& plugin = session.context.cni;
  TRY(const auto folders, folders_of(session));
  for (const std::string& folder : folders)
    for (const auto& [source, name] :
         {std::pair(plugin.program, kPlugin), std::pair(plugin.local, kLocal)}) {
      const auto done = uninstall_program(source, folder, name, kSays);
      if (!done && !session.line.folder.empty()) return fail(done.error());
      if (!done) session.print(done.error().text);
      if (done && *done != "not there")
        session.print(fmt::format("{}/{}: {}", folder, name, *done));
    }
  return {};
}

}  // namespace

int cni_install(Session& session) {
  return session.finish("install the CNI plugin", install(session));
}

int cni_uninstall(Session& session) {
  return session.finish("uninstall the CNI plugin", uninstall(session));
}

}  // namespace fairlead::cli
