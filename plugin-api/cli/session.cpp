#include "plugin-api/cli/session.h"

#include <algorithm>
#include <ostream>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/text.h"

namespace fairlead::cli {

namespace {
constexpr std::string_view kNameFilter = "name=";

// Whether the text begins with the action. The services do that themselves, with names in quotes:
// resize volume "data": ...
bool tells(std::string_view text, std::string_view action) {
  for (const char c : action) {
    if (text.starts_with('"') && c != '"') text.remove_prefix(1);
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
  }
  return true;
}
}  // namespace

Result<CliServices> Session::services() {
  if (context.uid != 0) return fail(Code::kIo, "fairlead needs root: run it with sudo");
  if (!services_) services_ = context.open(line.settings);
  return *services_;
}

Result<CliServices> Session::services_for_removal() {
  TRY(auto core, services());
  if (core.claim_networks) TRY_STATUS(core.claim_networks());
  return core;
}

Result<json::Json> Session::ask_daemon(std::string_view method, std::string_view path) {
  return context.ask_daemon(line.settings, method, path);
}

Result<std::shared_ptr<network::NetworkService>> Session::daemon_networks() {
  return context.daemon_networks(line.settings);
}

void Session::print(std::string_view text) { context.out << printable(text) << '\n'; }

void Session::print(const Table& table) {
  context.out << table.render(context.is_tty && !line.no_trunc ? context.width : 0);
}

void Session::print_json(const native::Document& document) {
  if (formatted_)
    print_json_line(document);
  else
    context.out << document.dump(2) << '\n';
}

void Session::print_json_line(const native::Document& document) {
  if (!formatted_) {
    context.out << document.dump() << '\n';
    return;
  }
  if (!shown_) return;
  std::set<std::string> notes;
  const auto text = formatted_->show(document, context.is_tty ? context.width : 0, notes);
  if (text)
    context.out << *text;
  else
    shown_ = fail(text.error());
  for (const std::string& note : notes)
    if (told_.insert(note).second) context.err << "note: --format: " << printable(note) << '\n';
}

void Session::warn(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings)
    context.err << "warning: " << printable(warning) << '\n';
}

int Session::failed(std::string_view action, const Error& error) {
  const bool told = tells(error.text, action) || context.uid != 0;
  context.err << "fairlead: "
              << printable(told ? error.text : fmt::format("{}: {}", action, error.text)) << '\n';
  return kFailed;
}

int Session::misused(const Error& error) {
  const std::string name = fmt::format("fairlead {}{}{}", line.command->group,
                                       line.command->group.empty() ? "" : " ", line.command->name);
  context.err << "fairlead: " << printable(error.text) << "; see \"" << name << " --help\"\n";
  return kUsage;
}

int Session::finish(std::string_view action, const Status& status) {
  return status ? kDone : failed(action, status.error());
}

int Session::for_each_name(std::string_view action,
                           const std::function<Status(const std::string&)>& work) {
  if (auto core = services(); !core) return failed(action, core.error());
  int exit_code = kDone;
  for (const std::string& name : line.names) {
    const Status done = work(name);
    if (done || (line.force && done.error().code == Code::kNotFound)) continue;
    exit_code = failed(fmt::format("{} {}", action, name), done.error());
  }
  return exit_code;
}

Status Session::check_filters() const {
  for (const std::string& filter : line.filters)
    if (!filter.starts_with(kNameFilter))
      return fail(Code::kInvalid, "filter \"{}\" is not known; use name=TEXT", filter);
  return {};
}

bool Session::passes_filters(std::string_view name) const {
  return std::ranges::all_of(line.filters, [&](std::string_view filter) {
    return name.find(filter.substr(kNameFilter.size())) != std::string_view::npos;
  });
}

std::string Session::id_text(std::string_view id) const {
  return line.no_trunc ? std::string(id) : short_id(id);
}

}  // namespace fairlead::cli
