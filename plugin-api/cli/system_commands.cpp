#include <array>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/session.h"
#include "volume/api/health.h"

namespace fairlead::cli {

namespace {

void print_list(Session& session, std::string_view title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  session.print("");
  session.print(title);
  for (const std::string& text : lines) session.print("  " + text);
}

Status status(Session& session) {
  TRY(auto core, session.services());
  TRY(auto told, core.networks->status());
  TRY(auto volumes, core.volumes->list());
  TRY(const auto pools, core.pools->list());
  const auto problems = volume::problems_of(*core.volumes, volumes);
  told.problems.insert(told.problems.end(), problems.begin(), problems.end());
  if (session.line.json) {
    session.print_json(native::encode_status(told, volumes.size(), pools.size()));
    return {};
  }
  const auto counts =
      std::to_array<std::pair<std::string_view, std::size_t>>({{"networks", told.networks},
                                                               {"endpoints", told.endpoints},
                                                               {"ports", told.ports},
                                                               {"leases", told.leases},
                                                               {"address pools", told.pools},
                                                               {"volumes", volumes.size()},
                                                               {"volume pools", pools.size()}});
  for (const auto& [name, count] : counts) session.print(fmt::format("{:<16}{}", name, count));
  print_list(session, "Problems", told.problems);
  print_list(session, "Notes", told.notes);
  return {};
}

template <class Report>
bool print_report(Session& session, const Report& report) {
  for (const std::string& action : report.actions) session.print(action);
  for (const std::string& failure : report.failures)
    session.failed("reconcile", {Code::kIo, 0, failure});
  return !report.actions.empty() || !report.failures.empty();
}

Result<int> reconcile(Session& session) {
  TRY(auto core, session.services());
  TRY(auto networks, core.networks->reconcile());
  TRY(auto volumes, core.volumes->reconcile());
  if (session.line.json) {
    session.print_json(native::encode_reconcile(networks, volumes));
  } else {
    const bool of_networks = print_report(session, networks);
    const bool of_volumes = print_report(session, volumes);
    if (!of_networks && !of_volumes && !session.quiet()) session.print("nothing to do");
  }
  return networks.failures.empty() && volumes.failures.empty() ? kDone : kFailed;
}

Status page_link(Session& session) {
  TRY(const auto link, session.context.page_link(session.line.settings));
  if (session.line.json)
    session.print_json({{"link", link}});
  else
    session.print(link);
  return {};
}

}  // namespace

int show_page_link(Session& session) {
  return session.finish("print the link to the page", page_link(session));
}

int show_status(Session& session) { return session.finish("show status", status(session)); }

int run_reconcile(Session& session) {
  const auto done = reconcile(session);
  return done ? *done : session.failed("reconcile", done.error());
}

int show_version(Session& session) {
  if (session.line.json)
    session.print_json(native::encode_version(session.context.version));
  else
    session.print("fairlead " + session.context.version);
  return kDone;
}

}  // namespace fairlead::cli
