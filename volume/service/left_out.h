// What the kernel's part could not keep, as the result of a verb.
#pragma once

#include <string_view>

#include "volume/api/types.h"
#include "volume/kernel/left_behind.h"

namespace fairlead::volume {

LeftOut left_out_of(const WalkNotes& notes);

// One line of the log for each note.
void log_left_out(const LeftOut& left_out, std::string_view verb, std::string_view volume);

}  // namespace fairlead::volume
