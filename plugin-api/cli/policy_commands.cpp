#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"

namespace fairlead::cli {

using native::Document;
using network::Policy;
using network::PolicySpec;

namespace {

std::string ports_text(const std::vector<network::PolicyPort>& ports) {
  std::vector<std::string> texts;
  for (const network::PolicyPort& port : ports) texts.push_back(to_string(port));
  return texts.empty() ? "any" : fmt::format("{}", fmt::join(texts, ","));
}

// FROM TO [PORT...], and ports may also be separated by commas.
Result<PolicySpec> spec_of(const Invocation& line, network::PolicyAction action) {
  PolicySpec spec{.action = action, .from = {}, .to = {}, .ports = {}};
  TRY(spec.from, network::parse_policy_end(line.names[0]));
  TRY(spec.to, network::parse_policy_end(line.names[1]));
  for (std::size_t i = 2; i < line.names.size(); ++i)
    for (std::string_view rest = line.names[i]; !rest.empty();) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      TRY(const auto port, network::parse_policy_port(rest.substr(0, end)));
      spec.ports.push_back(port);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  return spec;
}

Status add(Session& session, const PolicySpec& spec) {
  TRY(auto core, session.services());
  TRY(const auto policy, core.networks->add_policy(spec, session.line.dry_run));
  if (session.line.json)
    session.print_json(native::encode_policy(policy));
  else if (session.quiet() || !session.line.dry_run)
    session.print(policy.id);
  else
    session.print(fmt::format("{} {} -> {}: {}", to_string(policy.spec.action),
                              to_string(policy.spec.from), to_string(policy.spec.to),
                              ports_text(policy.spec.ports)));
  return {};
}

int add(Session& session, network::PolicyAction action) {
  const auto spec = spec_of(session.line, action);
  if (!spec) return session.misused(spec.error());
  return session.finish(to_string(action), add(session, *spec));
}

Status list(Session& session) {
  TRY(auto core, session.services());
  TRY(const auto policies, core.networks->list_policies());
  Document documents = Document::array();
  using enum Column::Fit;
  Table table(
      {{"ID"}, {"ACTION"}, {"FROM", kShrink}, {"TO", kShrink}, {"PORTS", kShrink}, {"CREATED"}});
  for (const Policy& policy : policies) {
    documents.push_back(native::encode_policy(policy));
    table.add({policy.id, std::string(to_string(policy.spec.action)), to_string(policy.spec.from),
               to_string(policy.spec.to), ports_text(policy.spec.ports),
               ago(policy.created, session.context.now)});
    if (session.quiet() && !session.line.json) session.print(policy.id);
  }
  if (session.line.json)
    session.print_json(documents);
  else if (!session.quiet())
    session.print(table);
  return {};
}

}  // namespace

int policy_allow(Session& session) { return add(session, network::PolicyAction::kAllow); }
int policy_deny(Session& session) { return add(session, network::PolicyAction::kDeny); }

int policy_list(Session& session) { return session.finish("list policies", list(session)); }

int policy_inspect(Session& session) {
  Document documents = Document::array();
  const int exit_code =
      session.for_each_name("inspect policy", [&](const std::string& id) -> Status {
        TRY(auto core, session.services());
        TRY(const auto policy, core.networks->inspect_policy(id));
        documents.push_back(native::encode_policy(policy));
        return {};
      });
  session.print_json(documents);
  return exit_code;
}

int policy_remove(Session& session) {
  return session.for_each_name("remove policy", [&](const std::string& id) -> Status {
    TRY(auto core, session.services_for_removal());
    TRY_STATUS(core.networks->remove_policy(id));
    if (!session.quiet()) session.print(id);
    return {};
  });
}

}  // namespace fairlead::cli
