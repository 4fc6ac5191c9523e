#include "plugin-api/cli/graph_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

namespace fairlead::cli {

namespace {

using Lines = std::vector<std::string>;

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

template <class Escape>
std::string escaped(std::string_view text, const Escape& escape) {
  std::string safe;
  for (const char c : text) {
    if (is_control(c))
      safe += kReplacement;
    else if (const std::string_view with = escape(c); !with.empty())
      safe += with;
    else
      safe += c;
  }
  return safe;
}

// Inside of double quotes (the DOT language). Entities are read there as well, so & is one.
std::string dot_text(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines)
    text += escaped(line,
                    [](char c) -> std::string_view {
                      if (c == '"') return "\\\"";
                      if (c == '\\') return "\\\\";
                      if (c == '&') return "&amp;";
                      return {};
                    }) +
            "\\n";
  return text;
}

// Inside of double quotes; mermaid.js reads HTML there, and #entities; in its own form.
std::string mermaid_text(const Lines& lines) {
  Lines safe;
  for (const std::string& line : lines)
    safe.push_back(escaped(line, [](char c) -> std::string_view {
      if (c == '"') return "#quot;";
      if (c == '<') return "#lt;";
      if (c == '>') return "#gt;";
      if (c == '&') return "#amp;";
      if (c == '#') return "#35;";
      if (c == '`') return "#96;";
      if (c == '\\') return "#92;";
      return {};
    }));
  return fmt::format("{}", fmt::join(safe, "<br/>"));
}

Lines lines_of(const GraphEndpoint& endpoint) {
  Lines lines{endpoint.title};
  lines.insert(lines.end(), endpoint.addresses.begin(), endpoint.addresses.end());
  if (!endpoint.names.empty())
    lines.push_back(fmt::format("also {}", fmt::join(endpoint.names, ", ")));
  return lines;
}

Lines lines_of(const GraphNetwork& network) {
  Lines lines{network.title, network.kind};
  lines.insert(lines.end(), network.subnets.begin(), network.subnets.end());
  return lines;
}

std::string id_of(std::size_t network, std::size_t endpoint) {
  return fmt::format("n{}e{}", network, endpoint);
}

}  // namespace

std::string dot_of(const GraphModel& model) {
  std::string text = fmt::format(
      "digraph fairlead {{\n  rankdir=LR;\n  node [shape=box, style=rounded, "
      "fontname=\"sans-serif\"];\n"
      "  host [shape=house, style=filled, fillcolor=\"#eeeeee\", label=\"{}\"];\n",
      dot_text({model.host}));
  for (std::size_t n = 0; n < model.networks.size(); ++n) {
    const GraphNetwork& network = model.networks[n];
    text += fmt::format("  subgraph cluster_{} {{\n    label=\"{}\";\n    style=rounded;\n", n,
                        dot_text(lines_of(network)));
    text += fmt::format("    n{} [shape=point, style=invis];\n", n);
    for (std::size_t e = 0; e < network.endpoints.size(); ++e)
      text += fmt::format("    {} [label=\"{}\"];\n", id_of(n, e),
                          dot_text(lines_of(network.endpoints[e])));
    text += "  }\n";
    for (std::size_t e = 0; e < network.endpoints.size(); ++e)
      if (!network.endpoints[e].ports.empty())
        text += fmt::format("  host -> {} [label=\"{}\"];\n", id_of(n, e),
                            dot_text(network.endpoints[e].ports));
  }
  for (const GraphLink& link : links_of(model))
    text +=
        fmt::format("  {} -> {} [dir=none, style=dashed];\n", id_of(link.network, link.endpoint),
                    id_of(link.other_network, link.other_endpoint));
  return text + "}\n";
}

std::string mermaid_of(const GraphModel& model) {
  std::string text = fmt::format("flowchart LR\n  host[/\"{}\"\\]\n", mermaid_text({model.host}));
  for (std::size_t n = 0; n < model.networks.size(); ++n) {
    const GraphNetwork& network = model.networks[n];
    text += fmt::format("  subgraph n{}[\"{}\"]\n", n, mermaid_text(lines_of(network)));
    if (network.endpoints.empty()) text += fmt::format("    n{}none[\"nobody\"]\n", n);
    for (std::size_t e = 0; e < network.endpoints.size(); ++e)
      text += fmt::format("    {}(\"{}\")\n", id_of(n, e),
                          mermaid_text(lines_of(network.endpoints[e])));
    text += "  end\n";
    for (std::size_t e = 0; e < network.endpoints.size(); ++e)
      if (!network.endpoints[e].ports.empty())
        text += fmt::format("  host -->|\"{}\"| {}\n", mermaid_text(network.endpoints[e].ports),
                            id_of(n, e));
  }
  for (const GraphLink& link : links_of(model))
    text += fmt::format("  {} -.- {}\n", id_of(link.network, link.endpoint),
                        id_of(link.other_network, link.other_endpoint));
  return text;
}

std::string xml_escaped(std::string_view text) {
  return escaped(text, [](char c) -> std::string_view {
    if (c == '<') return "&lt;";
    if (c == '>') return "&gt;";
    if (c == '&') return "&amp;";
    if (c == '"') return "&quot;";
    if (c == '\'') return "&apos;";
    return {};
  });
}

}  // namespace fairlead::cli
