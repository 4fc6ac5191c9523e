#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <ostream>

#include "network/api/explain.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/native/codec_explain.h"

namespace fairlead::cli {

using native::Document;
using network::ExplainPath;
using network::ExplainQuery;
using network::ExplainStep;
using network::Explanation;
using network::PacketTrace;
using network::Reach;

namespace {

constexpr std::chrono::seconds kDefaultWait{30};

Result<ExplainQuery> query_of(const Invocation& line) {
  if (line.only_v4 && line.only_v6)
    return fail(Code::kInvalid, "-4 and -6 exclude each other; without them both are looked at");
  ExplainQuery query{.from = line.names[0], .to = line.names[1]};
  if (line.names.size() > 2) {
    TRY(query.port, network::parse_explain_port(line.names[2]));
  }
  if (line.only_v4) query.family = Family::kV4;
  if (line.only_v6) query.family = Family::kV6;
  return query;
}

Result<std::chrono::milliseconds> wait_of(const Invocation& line) {
  if (line.wait.empty()) return kDefaultWait;
  unsigned seconds = 0;
  const char* end = line.wait.data() + line.wait.size();
  const auto [at, error] = std::from_chars(line.wait.data(), end, seconds);
  if (error != std::errc() || at != end || seconds == 0 || seconds > 3600)
    return fail(Code::kInvalid, "--wait \"{}\" is not a number of seconds from 1 to 3600",
                line.wait);
  return std::chrono::seconds(seconds);
}

// The rule stands below the step, where it says more than the words.
std::vector<std::string> lines_of(const ExplainStep& step) {
  std::vector<std::string> lines{
      fmt::format("  {} {}: {}", step.stops ? "x" : "-", step.place, step.what)};
  if (step.table.empty()) return lines;
  lines.push_back(fmt::format("      {}, chain {}{}", step.table, fmt::join(step.chains, " > "),
                              step.rule.empty() ? "" : ": " + step.rule));
  for (const std::string& element : step.elements)
    lines.push_back(fmt::format("      element of {}", element));
  return lines;
}

void print(Session& session, const ExplainPath& path) {
  session.print("");
  session.print(fmt::format("{} -> {}, {}{}:", path.from, path.to, to_string(path.port),
                            path.published ? " (published port)" : ""));
  for (const ExplainStep& step : path.steps)
    for (const std::string& text : lines_of(step)) session.print(text);
}

void print(Session& session, const Explanation& explanation) {
  session.print(explanation.sentence);
  if (session.quiet()) return;
  for (const ExplainPath& path : explanation.paths) print(session, path);
  if (!explanation.notes.empty()) session.print("");
  for (const std::string& note : explanation.notes) session.print(fmt::format("note: {}", note));
}

void print(Session& session, const ExplainPath& path, const PacketTrace& trace) {
  session.print("");
  session.print(
      fmt::format("trace of {} from {} to {}:", to_string(path.port), path.from, path.to));
  for (const network::TraceStep& step : trace.steps)
    session.print(
        fmt::format("  {} {}: {} -> {}", step.table, step.chain, step.rule, step.verdict));
  if (trace.steps.empty()) session.print("  no rule has decided anything of it");
  if (trace.dropped) session.print("  it was dropped");
  if (!trace.said.empty()) session.print(fmt::format("  what came back: {}", trace.said));
}

int exit_code_of(Reach reach) { return reach == Reach::kYes ? kDone : kFailed; }

// One packet for each way.
Result<Document> trace(Session& session, network::Explainer& explainer,
                       const Explanation& explanation, std::chrono::milliseconds wait) {
  Document documents = Document::array();
  for (const ExplainPath& path : explanation.paths) {
    if (!path.can_send && !session.line.json)
      session.print(fmt::format("nobody here can send from {}: send {} to {} now (waiting {} s)",
                                path.from, to_string(path.port), path.destination.to_string(),
                                std::chrono::duration_cast<std::chrono::seconds>(wait).count()));
    session.context.out.flush();
    TRY(const auto traced, explainer.trace(path, wait, session.context.interrupted));
    if (session.line.json)
      documents.push_back(native::encode_trace(traced));
    else
      print(session, path, traced);
    if (session.context.interrupted && session.context.interrupted()) break;
  }
  return documents;
}

Result<int> explain(Session& session, const ExplainQuery& query, std::chrono::milliseconds wait) {
  TRY(auto core, session.services());
  TRY(const auto explanation, core.explainer->explain(query));
  Document document;
  if (session.line.json)
    document = native::encode_explanation(explanation);
  else
    print(session, explanation);
  if (session.line.trace) {
    TRY(auto traces, trace(session, *core.explainer, explanation, wait));
    if (session.line.json) document.add("traces", std::move(traces));
  }
  if (session.line.json) session.print_json(document);
  return exit_code_of(explanation.reach);
}

}  // namespace

int explain_way(Session& session) {
  const auto query = query_of(session.line);
  if (!query) return session.misused(query.error());
  const auto wait = wait_of(session.line);
  if (!wait) return session.misused(wait.error());
  const auto code = explain(session, *query, *wait);
  // A question that has no answer is told apart from the answer no.
  if (code) return *code;
  session.failed("explain", code.error());
  return kUsage;
}

}  // namespace fairlead::cli
