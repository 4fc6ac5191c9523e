// The table of checks. A check is a pure function over facts; docs/doctor.md describes each for users.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "plugin-api/doctor/facts.h"
#include "plugin-api/doctor/finding.h"

namespace fairlead::doctor {

// Where a check puts what it finds.
class Findings {
 public:
  explicit Findings(std::string_view check) : check_(check) {}
  void add(Finding finding) {
    finding.id = check_;
    finding.fixable = finding.cure != Cure::kNone;
    all_.push_back(std::move(finding));
  }
  std::vector<Finding> take() && { return std::move(all_); }

 private:
  std::string check_;
  std::vector<Finding> all_;
};

struct Check {
  std::string_view id;     // "disk-space"
  std::string_view about;  // what it looks at, for --list
  void (*run)(const Facts&, Findings&);
};
std::span<const Check> checks();

// kInvalid names an id that no check has, with the closest one that has.
Status check_ids(std::span<const std::string> ids);
// Makes the checks with these ids, or all. The ids must be known.
Diagnosis examine(const Facts& facts, std::span<const std::string> ids);

// The checks themselves: of the kernel and its settings (kernel_checks.cpp),
void check_forwarding(const Facts& facts, Findings& findings);
void check_foreign_drops(const Facts& facts, Findings& findings);
void check_bridge_netfilter(const Facts& facts, Findings& findings);
void check_kernel_features(const Facts& facts, Findings& findings);
void check_conntrack(const Facts& facts, Findings& findings);
void check_limits(const Facts& facts, Findings& findings);
void check_reverse_path(const Facts& facts, Findings& findings);
void check_clock(const Facts& facts, Findings& findings);
// of networks (network_checks.cpp),
void check_networks(const Facts& facts, Findings& findings);
void check_subnet_overlap(const Facts& facts, Findings& findings);
void check_mtu(const Facts& facts, Findings& findings);
void check_ports_taken(const Facts& facts, Findings& findings);
void check_name_service(const Facts& facts, Findings& findings);
void check_leftovers(const Facts& facts, Findings& findings);
void check_etcd(const Facts& facts, Findings& findings);
// of what is stored (storage_checks.cpp),
void check_state_folder(const Facts& facts, Findings& findings);
void check_state_database(const Facts& facts, Findings& findings);
void check_reserve(const Facts& facts, Findings& findings);
void check_disk_space(const Facts& facts, Findings& findings);
void check_volumes(const Facts& facts, Findings& findings);
void check_backups(const Facts& facts, Findings& findings);
// and of programs (program_checks.cpp).
void check_configuration(const Facts& facts, Findings& findings);
void check_daemon(const Facts& facts, Findings& findings);
void check_versions(const Facts& facts, Findings& findings);
void check_api_group(const Facts& facts, Findings& findings);
void check_units(const Facts& facts, Findings& findings);
void check_docker_plugin(const Facts& facts, Findings& findings);
void check_cni_plugin(const Facts& facts, Findings& findings);
void check_podman_plugin(const Facts& facts, Findings& findings);

}  // namespace fairlead::doctor
