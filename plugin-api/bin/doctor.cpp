#include "plugin-api/bin/doctor.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <set>

#include "plugin-api/bin/doctor_facts.h"
#include "plugin-api/bin/version.h"
#include "plugin-api/doctor/checks.h"
#include "plugin-api/doctor/reading.h"
#include "plugin-api/native/codec.h"

namespace fairlead {

namespace {

using doctor::Answers;
using doctor::Cure;
using doctor::Diagnosis;
using doctor::Facts;
using doctor::Finding;

constexpr const char* kCniConfigurations = "/etc/cni/net.d";
constexpr const char* kPodmanNetworks = "/etc/containers/networks";

Result<std::string> take_rights_away(const std::string& path) {
  struct stat before {};
  if (::stat(path.c_str(), &before) != 0) return fail_errno(errno, "look at " + path);
  const mode_t others = S_ISDIR(before.st_mode) ? S_IWGRP | S_IWOTH : S_IRWXG | S_IRWXO;
  if (::chmod(path.c_str(), before.st_mode & 07777 & ~others) != 0)
    return fail_errno(errno, "change the rights of " + path);
  return fmt::format("took the rights of others from {}", path);
}

// Only if nobody listens there at this moment.
Result<std::string> remove_stale_socket(const std::string& path) {
  if (doctor::ask_socket(path).answers != Answers::kRefused)
    return fail(Code::kConflict, "{} is in use again", path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "remove " + path);
  return fmt::format("removed the socket {}", path);
}

class HostDoctor final : public doctor::Doctor {
 public:
  explicit HostDoctor(DoctorParts parts) : parts_(std::move(parts)) {}

  Diagnosis examine(std::span<const std::string> ids) override {
    Facts facts;
    read_kernel(facts);
    facts.cni =
        doctor::read_plugin(parts_.cni.program, parts_.cni.folders, kCniConfigurations, "type");
    facts.podman = doctor::read_plugin(parts_.podman.program, parts_.podman.folders,
                                       kPodmanNetworks, "driver");
    facts.systemd = doctor::read_systemd();
    read_kernel_features(facts);
    if (parts_.config)
      read_configured(*parts_.config, facts);
    else
      facts.config_error = parts_.config.error().text;
    return doctor::examine(facts, ids);
  }

  Diagnosis mend(const Diagnosis& found, std::span<const std::string> ids) override {
    std::vector<std::string> mended, failed;
    std::set<std::pair<Cure, std::string>> done;
    for (const Finding& finding : found.findings) {
      if (!finding.fixable || !done.emplace(finding.cure, finding.target).second) continue;
      auto actions = apply(finding);
      if (!actions)
        failed.push_back(fmt::format("{}: {}", finding.id, actions.error().text));
      else
        mended.insert(mended.end(), actions->begin(), actions->end());
    }
    Diagnosis after = examine(ids);
    after.mended = std::move(mended);
    after.failed = std::move(failed);
    return after;
  }

 private:
  void read_configured(const Config& config, Facts& facts) {
    facts.etcd.configured = config.cluster.has_value();
    facts.network.opens_others = config.paths.open_foreign_firewalls;
    read_daemon(config, facts);
    facts.docker = {.running = !config.docker_socket.empty() &&
                               doctor::ask_socket(config.docker_socket).answers == Answers::kYes,
                    .specs = doctor::read_plugin_specs(config.paths.plugin_socket())};
    read_disks(config.paths, facts);
    std::error_code failed;
    if (!std::filesystem::exists(config.paths.database(), failed)) return;
    auto core = parts_.core(config);
    if (!core) {
      facts.storage.store_error = core.error().text;
      for (const char* id : {"networks", "volumes"})
        facts.unread.emplace(id, "the database cannot be used");
      return;
    }
    read_network_facts(**core, facts);
    read_volume_facts(**core, config, facts);
    if (config.cluster) read_cluster(**core, facts);
  }

  static void read_disks(const Paths& paths, Facts& facts) {
    doctor::read_state_folder(paths.state_dir, facts.storage);
    doctor::read_disk(paths.state_dir, "the database", facts.storage.disks);
    doctor::read_disk(paths.volumes(), "the volumes", facts.storage.disks);
    doctor::read_disk(paths.run_dir, "locks and sockets", facts.storage.disks);
  }

  void read_daemon(const Config& config, Facts& facts) {
    doctor::DaemonFacts& daemon = facts.daemon;
    daemon.own_version = kVersion;
    daemon.api_socket = config.paths.api_socket();
    // Docker has no setting for the folder in which it looks.
    daemon.plugin_socket = Paths().plugin_socket();
    daemon.group = config.api_group;
    daemon.group_exists = getgrnam(config.api_group.c_str()) != nullptr;
    daemon.plugin = doctor::ask_socket(daemon.plugin_socket).answers;
    if (!parts_.ask_daemon) {
      daemon.files = doctor::open_files_of(::getpid(), "fairleadd");
      return;
    }
    const auto answer = doctor::ask_socket(daemon.api_socket);
    daemon.api = answer.answers;
    daemon.files = doctor::open_files_of(answer.listener, "fairleadd");
    if (daemon.api == Answers::kYes) ask_version(daemon);
  }

  void ask_version(doctor::DaemonFacts& daemon) {
    const auto document = parts_.ask_daemon("/v1/version");
    const auto object = document ? json::Object::of(*document) : fail(document.error());
    const auto version = object ? object->string("version") : fail(object.error());
    if (version) {
      daemon.version = *version;
      return;
    }
    daemon.api = Answers::kNobody;
    daemon.error = version.error().text;
  }

  void read_cluster(Core& core, Facts& facts) {
    const auto before = std::chrono::steady_clock::now();
    const auto document =
        core.cluster() != nullptr ? native::encode_cluster(core.cluster()->status())
        : parts_.ask_daemon       ? parts_.ask_daemon("/v1/cluster")
                                  : Result<json::Json>(fail(Code::kNotFound, "no cluster"));
    facts.etcd.milliseconds =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                       std::chrono::steady_clock::now() - before)
                                       .count());
    if (document)
      read_cluster_facts(*document, facts.etcd);
    else
      facts.unread.emplace("etcd", document.error().text);
  }

  Result<std::vector<std::string>> apply(const Finding& finding) {
    switch (finding.cure) {
      case Cure::kNone:
        return std::vector<std::string>();
      case Cure::kReconcile:
        return reconcile();
      case Cure::kOwnersOnly:
        return one(take_rights_away(finding.target));
      case Cure::kStaleSocket:
        return one(remove_stale_socket(finding.target));
      case Cure::kCniPlugin:
        return install(finding);
    }
    return fail(Code::kInternal, "unknown cure");
  }

  static Result<std::vector<std::string>> one(Result<std::string> done) {
    if (!done) return fail(done.error());
    return std::vector<std::string>{*done};
  }

  Result<std::vector<std::string>> reconcile() {
    TRY(const auto& config, parts_.config);
    TRY(const auto core, parts_.core(config));
    TRY(auto networks, core->networks().reconcile());
    TRY(const auto volumes, core->volumes().reconcile());
    std::vector<std::string> actions = std::move(networks.actions);
    actions.insert(actions.end(), volumes.actions.begin(), volumes.actions.end());
    if (!networks.failures.empty()) return fail(Code::kIo, "{}", networks.failures.front());
    if (actions.empty()) actions.emplace_back("looked over all networks and volumes");
    return actions;
  }

  Result<std::vector<std::string>> install(const Finding& finding) {
    if (!parts_.install) return fail(Code::kUnsupported, "use the command line");
    const bool cni = finding.id == "cni-plugin";
    const PluginPlaces& plugin = cni ? parts_.cni : parts_.podman;
    if (cni && !plugin.local.empty())
      TRY_STATUS(status_of(parts_.install(plugin.local, finding.target, "fairlead-cni-local")));
    TRY(const auto done, parts_.install(plugin.program, finding.target, "fairlead"));
    return std::vector<std::string>{fmt::format("{}/fairlead: {}", finding.target, done)};
  }

  DoctorParts parts_;
};

}  // namespace

std::unique_ptr<doctor::Doctor> make_doctor(DoctorParts parts) {
  return std::make_unique<HostDoctor>(std::move(parts));
}

}  // namespace fairlead
