// Explanations of packets' ways as documents.
#pragma once

#include "network/api/explain.h"
#include "plugin-api/native/codec.h"

namespace fairlead::native {

Document encode_explanation(const network::Explanation& explanation);
Document encode_trace(const network::PacketTrace& trace);

}  // namespace fairlead::native
