#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/long_verb.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"

namespace fairlead::cli {

using native::Document;
using volume::Job;

namespace {

std::string progress_text(const Job& job) {
  if (job.total == 0) return size_text(job.done);
  const double part = static_cast<double>(job.done) / static_cast<double>(job.total);
  return fmt::format("{:.0f} % of {}", 100 * part, size_text(job.total));
}

// Why it failed, or how much it could not keep.
std::string trouble_text(const Job& job) {
  if (!job.error.empty() || job.left_out == 0) return job.error;
  return fmt::format("incomplete: {} left out", job.left_out);
}

Status list(Session& session) {
  TRY(auto core, session.services());
  TRY(auto jobs, core.jobs->list());
  Document documents = Document::array();
  using enum Column::Fit;
  Table table({{"JOB ID"},
               {"VERB"},
               {"VOLUME NAME", kShrink},
               {"STATE"},
               {"DONE"},
               {"STARTED"},
               {"ERROR", kShrink}});
  for (const Job& job : jobs) {
    documents.push_back(native::encode_job(job));
    table.add({job.id, job.verb, job.volume, std::string(volume::to_string(job.state)),
               progress_text(job), ago(job.started, session.context.now), trouble_text(job)});
    if (session.quiet() && !session.line.json) session.print(job.id);
  }
  if (session.line.json)
    session.print_json(documents);
  else if (!session.quiet())
    session.print(table);
  return {};
}

Result<volume::LeftOut> resume(Session& session, LongVerb& verb, const std::string& id) {
  TRY(auto core, session.services());
  TRY(auto left_out, core.jobs->resume(id, verb.progress()));
  verb.clear_bar();
  if (!session.quiet() && !session.line.json) session.print(id);
  return left_out;
}

// The name that the bar and the hint after Ctrl-C use.
std::string volume_of(Session& session, const std::string& id) {
  const auto core = session.services();
  const auto jobs = core ? core->jobs->list() : Result<std::vector<Job>>();
  if (jobs)
    for (const Job& job : *jobs)
      if (job.id == id) return job.volume;
  return "";
}

}  // namespace

int job_list(Session& session) { return session.finish("list jobs", list(session)); }

int job_stop(Session& session) {
  return session.for_each_name("stop job", [&](const std::string& id) -> Status {
    TRY(auto core, session.services());
    TRY_STATUS(core.jobs->stop(id));
    if (!session.quiet()) session.print(id);
    return {};
  });
}

int job_resume(Session& session) {
  const std::string& id = session.line.names[0];
  LongVerb verb(session, "resume job " + id, volume_of(session, id));
  return verb.conclude(resume(session, verb, id));
}

}  // namespace fairlead::cli
