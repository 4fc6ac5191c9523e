// The picture itself: a column for the host's ports, and a card for each network, in columns of about the same height.
#pragma once

#include <string>

#include "plugin-api/cli/graph_model.h"

namespace fairlead::cli {

// A whole document, which needs nothing but a font: browsers show it light or dark, as their user has it.
std::string svg_of(const GraphModel& model);

}  // namespace fairlead::cli
