// Pictures of networks in the languages of other programs. Names of whatever characters are text in them.
#pragma once

#include <string>

#include "plugin-api/cli/graph_model.h"

namespace fairlead::cli {

std::string dot_of(const GraphModel& model);      // graphviz(7)
std::string mermaid_of(const GraphModel& model);  // a flowchart of mermaid.js

// Text between tags of XML, and in attributes. What XML cannot hold (control characters) becomes U+FFFD.
std::string xml_escaped(std::string_view text);

}  // namespace fairlead::cli
