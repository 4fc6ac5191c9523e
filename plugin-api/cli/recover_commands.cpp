// Takes back what lies on the disk without a record.
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/session.h"

namespace fairlead::cli {

using native::Document;
using volume::Recovered;
using volume::RecoverReport;

namespace {

// Pools come first, because volumes are in them.
Result<RecoverReport> recover(Session& session) {
  TRY(auto core, session.services());
  const volume::RecoverRequest request{.names = session.line.names,
                                       .dry_run = session.line.dry_run};
  TRY(auto report, core.pools->recover(request));
  TRY(auto volumes, core.volumes->recover(request));
  for (Recovered& one : volumes.recovered) report.recovered.push_back(std::move(one));
  for (std::string& failure : volumes.failures) report.failures.push_back(std::move(failure));
  return report;
}

std::string text_of(const Recovered& one, bool dry_run) {
  const std::string what = one.kind == "trash" ? "volume in the trash" : one.kind;
  return fmt::format("{}{} {}{}", dry_run ? "would take back " : "", what, one.name,
                     one.note.empty() ? "" : fmt::format(" ({})", one.note));
}

Document document_of(const RecoverReport& report) {
  Document recovered = Document::array();
  for (const Recovered& one : report.recovered)
    recovered.push_back(
        {{"kind", one.kind}, {"name", one.name}, {"id", one.id}, {"note", one.note}});
  Document failures = Document::array();
  for (const std::string& failure : report.failures) failures.push_back(failure);
  return {{"recovered", std::move(recovered)}, {"failures", std::move(failures)}};
}

}  // namespace

int volume_recover(Session& session) {
  const auto report = recover(session);
  if (!report) return session.failed("recover volumes", report.error());
  if (session.line.json) session.print_json(document_of(*report));
  for (const Recovered& one : report->recovered) {
    if (session.line.json) break;
    session.print(session.quiet() ? one.name : text_of(one, session.line.dry_run));
  }
  for (const std::string& failure : report->failures)
    session.failed("recover volumes", {Code::kConflict, 0, failure});
  if (report->recovered.empty() && report->failures.empty() && !session.quiet() &&
      !session.line.json)
    session.print("nothing to take back: every volume on the disk is in the database");
  return report->failures.empty() ? kDone : kFailed;
}

}  // namespace fairlead::cli
