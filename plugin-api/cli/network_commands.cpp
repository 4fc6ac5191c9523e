#include <algorithm>
#include <fstream>
#include <istream>
#include <iterator>

#include "network/api/options.h"
#include "plugin-api/cli/archive_file.h"
#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/network_arguments.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/native/docker_objects.h"

namespace fairlead::cli {

using native::Document;
using network::Network;
using network::NetworkSpec;
using network::NetworkUsage;

namespace {

std::string subnets_text(const Network& network) {
  std::string text;
  for (const network::Subnet& subnet : network.subnets)
    text += (text.empty() ? "" : ", ") + subnet.subnet.to_string();
  return text;
}

std::string age_text(const Network& network, long long now) {
  if (network.phase == network::Phase::kReady) return ago(network.created, now);
  return std::string(network::to_string(network.phase));
}

Table table_of(const Session& session, const std::vector<NetworkUsage>& networks) {
  using enum Column::Fit;
  Columns columns({{"NETWORK ID"},
                   {"NAME", kShrink},
                   {"PROJECT", kShrink},
                   {"MODE"},
                   {"SUBNETS", kShrink},
                   {"ENDPOINTS"},
                   {"CREATED"}},
                  2);
  for (const auto& [network, endpoints] : networks)
    columns.add({session.id_text(network.id), title_of(network), project_of(network),
                 network.options.mode, subnets_text(network), std::to_string(endpoints),
                 age_text(network, session.context.now)});
  return columns.table();
}

Status list(Session& session) {
  TRY(auto core, session.services());
  TRY(auto all, core.networks->list_networks());
  std::vector<NetworkUsage> shown;
  for (NetworkUsage& usage : all) {
    if (session.passes_filters(usage.network.name.str()) ||
        session.passes_filters(title_of(usage.network)))
      shown.push_back(std::move(usage));
  }
  std::ranges::stable_sort(shown, {},
                           [](const NetworkUsage& usage) { return title_of(usage.network); });
  if (session.line.json) {
    Document documents = Document::array();
    for (const auto& [network, endpoints] : shown)
      documents.push_back(native::encode_network(network, endpoints));
    session.print_json(documents);
  } else if (session.quiet()) {
    for (const NetworkUsage& usage : shown) session.print(session.id_text(usage.network.id));
  } else {
    session.print(table_of(session, shown));
  }
  return {};
}

// ---- create

Result<std::string> read_all(std::istream& in, const std::string& name) {
  constexpr std::size_t kMost = 1 << 20;
  std::string text;
  for (std::istreambuf_iterator<char> at(in), end; at != end && text.size() <= kMost; ++at)
    text += *at;
  if (text.size() > kMost) return fail(Code::kInvalid, "read {}: it is larger than 1 MiB", name);
  return text;
}

Result<std::string> read_file(Session& session, const std::string& path) {
  if (path == "-") return read_all(session.context.in, "stdin");
  TRY_STATUS(open_input(path));  // a named pipe is refused
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail_errno(errno, fmt::format("read {}", path));
  return read_all(file, path);
}

// The file holds one object, or an array of them as inspect prints it.
Result<std::vector<NetworkSpec>> specs_of_file(Session& session, const std::string& path) {
  TRY(auto text, read_file(session, path));
  auto document = json::parse(text);
  if (!document) return fail(with_context(document.error(), fmt::format("read {}", path)));
  if (!document->is_array()) *document = json::Json::array({*document});
  std::vector<NetworkSpec> specs;
  for (const json::Json& element : *document) {
    auto spec = native::decode_network_spec(element);
    if (!spec)
      return fail(
          with_context(spec.error(), fmt::format("read {}: network {}", path, specs.size() + 1)));
    specs.push_back(std::move(*spec));
  }
  return specs;
}

// A NAME given with a file makes a copy of the network in the file, with that name and an id of its
// own.
Result<std::vector<NetworkSpec>> wanted_specs(Session& session) {
  const Invocation& line = session.line;
  if (line.file.empty()) {
    TRY(auto spec, network_spec_of(line));
    return std::vector<NetworkSpec>{std::move(spec)};
  }
  if (describes_network(line))
    return fail(Code::kInvalid, "--file excludes the options that describe a network");
  TRY(auto specs, specs_of_file(session, line.file));
  if (line.names.empty()) return specs;
  if (specs.size() != 1)
    return fail(Code::kInvalid, "NAME needs a file with one network; {} has {}", line.file,
                specs.size());
  TRY(auto name, NetworkName::parse(line.names.front()));
  if (name != specs[0].name) specs[0].id.clear();
  specs[0].name = name;
  return specs;
}

// Only the daemon is connected to the cluster, and can make a network of several hosts.
Result<std::shared_ptr<network::NetworkService>> maker_of(Session& session,
                                                          const NetworkSpec& spec) {
  TRY(auto core, session.services());
  TRY(const auto traits, core.networks->traits(spec.options));
  if (traits.scope == network::NetworkTraits::Scope::kCluster) return session.daemon_networks();
  return core.networks;
}

Status create(Session& session, const NetworkSpec& spec) {
  TRY(const auto networks, maker_of(session, spec));
  TRY(const auto network, networks->create_network(spec));
  if (session.line.json)
    session.print_json(native::encode_network(network));
  else if (!session.quiet())
    session.print(network.id);
  return {};
}

int show_plan(Session& session, const std::vector<NetworkSpec>& specs) {
  Document documents = Document::array();
  for (const NetworkSpec& spec : specs) documents.push_back(native::encode_network_spec(spec));
  session.print_json(documents);
  return kDone;
}

}  // namespace

int network_list(Session& session) {
  if (auto known = session.check_filters(); !known) return session.misused(known.error());
  return session.finish("list networks", list(session));
}

int network_inspect(Session& session) {
  Document documents = Document::array();
  const int exit_code =
      session.for_each_name("inspect network", [&](const std::string& name) -> Status {
        TRY(auto core, session.services());
        TRY(auto network, core.networks->inspect_network(network::NetworkText{name}));
        TRY(const auto endpoints, core.networks->list_endpoints(network::NetworkId{network.id}));
        documents.push_back(native::encode_network(network, endpoints.size(), endpoints));
        return {};
      });
  session.print_json(documents);
  return exit_code;
}

int network_create(Session& session) {
  const auto specs = wanted_specs(session);
  if (!specs) return session.misused(specs.error());
  if (session.line.dry_run) return show_plan(session, *specs);
  int exit_code = kDone;
  for (const NetworkSpec& spec : *specs) {
    const int one =
        session.finish(fmt::format("create network {}", spec.name.str()), create(session, spec));
    if (one != kDone) exit_code = one;
  }
  return exit_code;
}

int network_remove(Session& session) {
  return session.for_each_name("remove network", [&](const std::string& name) -> Status {
    TRY(auto core, session.services_for_removal());
    if (!session.line.force)
      TRY_STATUS(native::check_not_dockers(*core.networks, network::NetworkText{name}));
    TRY_STATUS(core.networks->remove_network(network::NetworkText{name}));
    if (!session.quiet()) session.print(name);
    return {};
  });
}

}  // namespace fairlead::cli
