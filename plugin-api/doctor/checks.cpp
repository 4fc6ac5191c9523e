#include "plugin-api/doctor/checks.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace fairlead::doctor {

namespace {

constexpr auto kChecks = std::to_array<Check>({
    {"configuration", "The configuration file can be used", check_configuration},
    {"daemon", "fairleadd runs and answers", check_daemon},
    {"versions", "fairleadd and the command line are of one version", check_versions},
    {"api-group", "The group that may use the API exists", check_api_group},
    {"units", "systemd starts fairleadd with the host", check_units},
    {"docker-plugin", "dockerd finds fairleadd", check_docker_plugin},
    {"cni-plugin", "The CNI plugin is where runtimes look, in this version", check_cni_plugin},
    {"podman-plugin", "Podman's plugin is where Podman looks, in this version",
     check_podman_plugin},
    {"forwarding", "The kernel passes packets on between interfaces", check_forwarding},
    {"foreign-drops", "No other firewall drops the traffic of containers", check_foreign_drops},
    {"bridge-netfilter", "iptables does not drop what containers of one network say to each other",
     check_bridge_netfilter},
    {"kernel-features", "What this kernel cannot do", check_kernel_features},
    {"conntrack", "The table of connections has room", check_conntrack},
    {"limits", "Open files and watches of files are left", check_limits},
    {"reverse-path", "The kernel does not drop answers that come by another way",
     check_reverse_path},
    {"clock", "The clock is right", check_clock},
    {"networks", "Networks are in the kernel as they are stored", check_networks},
    {"subnet-overlap", "No other interface or route has the addresses of a network",
     check_subnet_overlap},
    {"mtu", "Packets of networks fit through the way out", check_mtu},
    {"ports-taken", "No other program has a port that Fairlead needs", check_ports_taken},
    {"name-service", "Names of containers are answered", check_name_service},
    {"leftovers", "No interfaces or mounts of what is gone", check_leftovers},
    {"etcd", "The store that hosts share answers, and soon", check_etcd},
    {"state-folder", "The folder of the database is root's alone", check_state_folder},
    {"state-database", "The database can be read and written", check_state_database},
    {"reserve", "Space is kept for the database", check_reserve},
    {"disk-space", "Disks have room for bytes and files", check_disk_space},
    {"volumes", "Volumes are healthy", check_volumes},
    {"backups", "Backups are made when they are due", check_backups},
});

const Check* find_check(std::string_view id) {
  const auto* check = std::ranges::find(kChecks, id, &Check::id);
  return check == kChecks.end() ? nullptr : check;
}

void run_check(const Check& check, const Facts& facts, Diagnosis& into) {
  Findings findings(check.id);
  check.run(facts, findings);
  into.checks.emplace_back(check.id);
  std::ranges::move(std::move(findings).take(), std::back_inserter(into.findings));
  const auto [first, last] = facts.unread.equal_range(std::string(check.id));
  for (auto each = first; each != last; ++each)
    into.unseen.push_back(fmt::format("{}: {}", check.id, each->second));
}

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kProblem:
      return "problem";
  }
  return "";
}

int exit_code_of(const Diagnosis& diagnosis) {
  const auto has = [&](Severity severity) {
    return std::ranges::find(diagnosis.findings, severity, &Finding::severity) !=
           diagnosis.findings.end();
  };
  if (has(Severity::kProblem)) return 2;
  if (has(Severity::kWarning)) return 1;
  return diagnosis.unseen.empty() ? 0 : 3;
}

std::span<const Check> checks() { return kChecks; }

Status check_ids(std::span<const std::string> ids) {
  std::vector<std::string_view> known;
  for (const Check& check : kChecks) known.push_back(check.id);
  for (const std::string& id : ids) {
    if (find_check(id) != nullptr) continue;
    const std::string closest = closest_word(id, known.data(), known.size());
    return fail(Code::kInvalid, "there is no check \"{}\"{}", id,
                closest.empty() ? "; `fairlead doctor --list` shows them"
                                : fmt::format("; did you mean \"{}\"?", closest));
  }
  return {};
}

Diagnosis examine(const Facts& facts, std::span<const std::string> ids) {
  Diagnosis diagnosis;
  for (const Check& check : kChecks)
    if (ids.empty() || std::ranges::find(ids, check.id) != ids.end())
      run_check(check, facts, diagnosis);
  std::ranges::stable_sort(diagnosis.findings, std::ranges::greater(), &Finding::severity);
  return diagnosis;
}

}  // namespace fairlead::doctor
