// Checks of Fairlead's programs, and of those that are to find them.
#include <fmt/format.h>

#include <algorithm>

#include "plugin-api/doctor/checks.h"

namespace fairlead::doctor {

namespace {

constexpr const char* kStart =
    "`systemctl enable --now fairleadd.socket fairleadd.service`; without systemd, start "
    "`fairleadd` as root.";

bool is_used(const Facts& facts) {
  return !facts.network.networks.empty() || facts.storage.volumes > 0 || facts.docker.running ||
         facts.etcd.configured;
}

void judge_plugin(const PluginFacts& plugin, std::string_view runtime, std::string_view install,
                  Findings& findings) {
  if (plugin.found.empty() && !plugin.used_by.empty())
    findings.add(
        {.severity = Severity::kProblem,
         .wrong = fmt::format("{} asks {} for the plugin \"fairlead\", which is in none of "
                              "the folders where it looks.",
                              plugin.used_by, runtime),
         .why = "No container with that network starts.",
         .mend = fmt::format("`{}`", install),
         .cure = plugin.folders.empty() || plugin.program.empty() ? Cure::kNone : Cure::kCniPlugin,
         .target = plugin.folders.empty() ? "" : plugin.folders.front()});
  for (const std::string& path : plugin.other)
    findings.add({.severity = Severity::kWarning,
                  .wrong = fmt::format("{} is not the plugin of this version of Fairlead.", path),
                  .why = "It was left when Fairlead was updated, and may not understand what "
                         "fairleadd answers.",
                  .mend = fmt::format("`{}`", install),
                  .cure = plugin.folders.empty() ? Cure::kNone : Cure::kCniPlugin,
                  .target = path.substr(0, path.rfind('/'))});
}

}  // namespace

void check_configuration(const Facts& facts, Findings& findings) {
  if (facts.config_error.empty()) return;
  findings.add({.severity = Severity::kProblem,
                .wrong = fmt::format("The configuration cannot be used: {}.", facts.config_error),
                .why = "fairleadd does not start with it, and neither does any other program of "
                       "Fairlead.",
                .mend = "Correct what it names. A setting that is left out has its default."});
}

void check_daemon(const Facts& facts, Findings& findings) {
  const DaemonFacts& daemon = facts.daemon;
  switch (daemon.api) {
    case Answers::kYes:
      return;
    case Answers::kNothing:
    case Answers::kRefused:
      return findings.add(
          {.severity = is_used(facts) ? Severity::kProblem : Severity::kWarning,
           .wrong = "fairleadd does not run.",
           .why = "Docker cannot start containers with networks or volumes of Fairlead, names are "
                  "not answered, nothing is repaired, and no schedule is kept. Containers that run "
                  "go on, and this command line works without it.",
           .mend = kStart});
    case Answers::kNobody:
      return findings.add(
          {.severity = Severity::kProblem,
           .wrong =
               fmt::format("fairleadd does not answer at {}: {}.", daemon.api_socket, daemon.error),
           .why = "Docker and other runtimes wait for it, and fail after some seconds.",
           .mend =
               "`journalctl -u fairleadd` says what it does; `systemctl restart fairleadd` does "
               "no harm to containers."});
  }
}

void check_versions(const Facts& facts, Findings& findings) {
  const DaemonFacts& daemon = facts.daemon;
  if (daemon.version.empty() || daemon.version == daemon.own_version) return;
  findings.add({.severity = Severity::kWarning,
                .wrong = fmt::format("fairleadd is version {}, this command line {}.",
                                     daemon.version, daemon.own_version),
                .why = "They work on one database. A newer one may write what the older one does "
                       "not know.",
                .mend = "`systemctl restart fairleadd` after an update; if that changes nothing, "
                        "`which -a fairlead fairleadd` shows which are installed."});
}

void check_api_group(const Facts& facts, Findings& findings) {
  if (facts.daemon.group.empty() || facts.daemon.group_exists) return;
  findings.add(
      {.severity = Severity::kNote,
       .wrong = fmt::format("There is no group \"{}\", which may use the API.", facts.daemon.group),
       .why = "Only root can use the API, until there is one. That is safe.",
       .mend = fmt::format("Only if others are to use it: `groupadd --system {0} && "
                           "systemctl restart fairleadd`, then `usermod -aG {0} USER`.",
                           facts.daemon.group)});
}

void check_units(const Facts& facts, Findings& findings) {
  if (!facts.systemd.running) return;
  for (const Unit& unit : facts.systemd.units) {
    if (unit.active == "failed")
      findings.add(
          {.severity = Severity::kProblem,
           .wrong = fmt::format("systemd gave up on {}.", unit.name),
           .why = "It has ended with an error, too often to be started again.",
           .mend = fmt::format("`journalctl -u {0}` says why; then `systemctl reset-failed "
                               "{0} && systemctl start {0}`",
                               unit.name)});
    else if (unit.enabled == "disabled")
      findings.add({.severity = Severity::kWarning,
                    .wrong = fmt::format("systemd does not start {} with the host.", unit.name),
                    .why = "After the next reboot containers with networks or volumes of Fairlead "
                           "do not come up.",
                    .mend = fmt::format("`systemctl enable {}`", unit.name)});
    else if (unit.enabled == "masked")
      findings.add(
          {.severity = Severity::kProblem,
           .wrong = fmt::format("systemd is told never to start {} (it is masked).", unit.name),
           .why = "fairleadd cannot be started, whatever asks for it.",
           .mend = fmt::format("`systemctl unmask {0} && systemctl enable --now {0}`", unit.name)});
  }
}

void check_docker_plugin(const Facts& facts, Findings& findings) {
  const DaemonFacts& daemon = facts.daemon;
  if (daemon.plugin == Answers::kRefused && daemon.api != Answers::kYes)
    findings.add({.severity = Severity::kWarning,
                  .wrong = fmt::format("{} was left by a fairleadd that was killed: nobody listens "
                                       "there.",
                                       daemon.plugin_socket),
                  .why = "dockerd tries it again and again, and takes half a minute to say that a "
                         "network or a volume cannot be used.",
                  .mend = fmt::format("Start fairleadd (`fairlead doctor daemon`), or `rm {}`.",
                                      daemon.plugin_socket),
                  .cure = Cure::kStaleSocket,
                  .target = daemon.plugin_socket});
  else if (facts.docker.running && daemon.api == Answers::kYes && daemon.plugin != Answers::kYes)
    findings.add({.severity = Severity::kProblem,
                  .wrong = fmt::format("dockerd and fairleadd run, but nobody answers at {}, where "
                                       "dockerd looks for it.",
                                       daemon.plugin_socket),
                  .why = "Docker knows no driver \"fairlead\".",
                  .mend = "Let \"plugin_dir\" in /etc/fairlead/fairlead.json be "
                          "/run/docker/plugins, then `systemctl restart fairleadd`."});
  for (const PluginSpec& spec : facts.docker.specs)
    if (!spec.leads_to_us)
      findings.add(
          {.severity = Severity::kWarning,
           .wrong = fmt::format("{} tells Docker that the plugin \"fairlead\" is at \"{}\", "
                                "where fairleadd is not.",
                                spec.file, spec.address),
           .why = "When fairleadd's own socket is not there yet, dockerd takes this one and "
                  "remembers it.",
           .mend = fmt::format("`rm {}`; fairleadd needs no such file.", spec.file)});
}

void check_cni_plugin(const Facts& facts, Findings& findings) {
  judge_plugin(facts.cni, "the container runtime", "fairlead cni install", findings);
}

void check_podman_plugin(const Facts& facts, Findings& findings) {
  judge_plugin(facts.podman, "Podman", "fairlead podman install", findings);
}

}  // namespace fairlead::doctor
