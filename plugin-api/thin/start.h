// The start of a thin client's process, with the C library or without.
#pragma once

namespace client {

// The client's own part; start.cpp calls it once the process is set up (process.h).
[[noreturn]] void run();

}  // namespace client
