// fairlead doctor: what is wrong with this host, in words.
#include <algorithm>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/doctor/checks.h"
#include "plugin-api/native/codec_doctor.h"

namespace fairlead::cli {

namespace {

using doctor::Diagnosis;
using doctor::Finding;

constexpr int kCouldNotLook = 3;  // as monitoring expects it

int list_checks(Session& session) {
  if (session.line.json) {
    native::Document list = native::Document::array();
    for (const doctor::Check& check : doctor::checks())
      list.push_back({{"id", check.id}, {"about", check.about}});
    session.print_json(list);
    return kDone;
  }
  Table table({{"CHECK"}, {"WHAT SHOULD BE", Column::Fit::kShrink}});
  for (const doctor::Check& check : doctor::checks())
    table.add({std::string(check.id), std::string(check.about)});
  session.print(table);
  return kDone;
}

// Whoever is not root asks the daemon, which looks at everything.
Result<Diagnosis> ask_daemon(Session& session) {
  auto document = session.context.ask_daemon(session.line.settings, "GET", "/v1/doctor");
  if (!document)
    return fail(Code::kUnavailable,
                "only root can look at everything, and fairleadd cannot be asked ({}); use sudo",
                document.error().text);
  TRY(auto diagnosis, native::decode_diagnosis(*document));
  const auto& wanted = session.line.names;
  const auto is_other = [&](std::string_view id) {
    return !wanted.empty() && std::ranges::find(wanted, id) == wanted.end();
  };
  std::erase_if(diagnosis.checks, is_other);
  std::erase_if(diagnosis.findings, [&](const Finding& each) { return is_other(each.id); });
  std::erase_if(diagnosis.unseen, [&](const std::string& each) {
    return is_other(std::string_view(each).substr(0, each.find(':')));
  });
  return diagnosis;
}

Result<Diagnosis> diagnose(Session& session) {
  const CliContext& context = session.context;
  if (context.uid != 0) {
    if (session.line.fix) return fail(Code::kInvalid, "only root can mend something; use sudo");
    return ask_daemon(session);
  }
  const auto doctor = context.doctor(session.line.settings);
  auto found = doctor->examine(session.line.names);
  return session.line.fix ? doctor->mend(found, session.line.names) : found;
}

std::string headline(const Finding& finding) {
  std::string severity(to_string(finding.severity));
  std::ranges::transform(severity, severity.begin(),
                         [](char c) { return static_cast<char>(c - 'a' + 'A'); });
  return fmt::format("{:<8} {}", severity, finding.id);
}

void print_finding(Session& session, const Finding& finding) {
  session.print(headline(finding));
  session.print("  What:  " + finding.wrong);
  session.print("  Why:   " + finding.why);
  session.print("  Mend:  " + finding.mend);
  if (finding.fixable && !session.line.fix)
    session.print("         `fairlead doctor --fix` does it for you.");
  session.print("");
}

std::string counted(std::size_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::string summary(const Diagnosis& diagnosis) {
  const auto count = [&](doctor::Severity severity, std::string_view noun) {
    return counted(static_cast<std::size_t>(
                       std::ranges::count(diagnosis.findings, severity, &Finding::severity)),
                   noun);
  };
  const std::string made = counted(diagnosis.checks.size(), "check");
  if (diagnosis.findings.empty() && diagnosis.unseen.empty()) return made + ": all is well";
  return fmt::format("{}: {}, {}, {}", made, count(doctor::Severity::kProblem, "problem"),
                     count(doctor::Severity::kWarning, "warning"),
                     count(doctor::Severity::kNote, "note"));
}

void print_diagnosis(Session& session, const Diagnosis& diagnosis) {
  for (const std::string& done : diagnosis.mended) session.print("mended: " + done);
  for (const std::string& failure : diagnosis.failed) session.print("not mended: " + failure);
  if (!diagnosis.mended.empty() || !diagnosis.failed.empty()) session.print("");
  for (const Finding& finding : diagnosis.findings) print_finding(session, finding);
  for (const std::string& unseen : diagnosis.unseen) session.print("not looked at: " + unseen);
  session.print(summary(diagnosis));
}

}  // namespace

int run_doctor(Session& session) {
  if (session.line.list_checks) return list_checks(session);
  const auto could_not = [&](const Error& error) {
    session.failed("look at this host", error);
    return kCouldNotLook;
  };
  if (const auto known = doctor::check_ids(session.line.names); !known)
    return could_not(known.error());
  const auto diagnosis = diagnose(session);
  if (!diagnosis) return could_not(diagnosis.error());
  if (session.line.json)
    session.print_json(native::encode_diagnosis(*diagnosis));
  else if (!session.quiet())
    print_diagnosis(session, *diagnosis);
  return exit_code_of(*diagnosis);
}

}  // namespace fairlead::cli
