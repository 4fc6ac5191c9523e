#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <ostream>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/graph_model.h"
#include "plugin-api/cli/graph_svg.h"
#include "plugin-api/cli/graph_text.h"
#include "plugin-api/cli/session.h"

namespace fairlead::cli {

namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == 0) return "host";
  return name.data();
}

// Those that are named, or all.
Result<GraphModel> model_of(Session& session) {
  TRY(auto core, session.services());
  std::vector<network::Network> networks;
  for (const std::string& name : session.line.names) {
    TRY(auto network, core.networks->inspect_network(network::NetworkText{name}));
    networks.push_back(std::move(network));
  }
  if (session.line.names.empty()) {
    TRY(auto all, core.networks->list_networks());
    for (auto& usage : all) networks.push_back(std::move(usage.network));
  }
  TRY(const auto endpoints, core.networks->list_endpoints(std::nullopt));
  return graph_of(host_name(), networks, endpoints);
}

using Draw = std::string (*)(const GraphModel&);

Result<Draw> picture_of(const std::string& format) {
  if (format.empty() || format == "svg") return &svg_of;
  if (format == "dot") return &dot_of;
  if (format == "mermaid") return &mermaid_of;
  return fail(Code::kInvalid, "--format \"{}\" is not svg, dot or mermaid", format);
}

Status draw(Session& session, Draw picture) {
  TRY(const auto model, model_of(session));
  session.context.out << picture(model);
  return {};
}

}  // namespace

int show_graph(Session& session) {
  const auto picture = picture_of(session.line.picture);
  if (!picture) return session.misused(picture.error());
  return session.finish("draw networks", draw(session, *picture));
}

}  // namespace fairlead::cli
