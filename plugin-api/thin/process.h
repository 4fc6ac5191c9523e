// This process as a thin client sees it: its environment, stdin, stdout, and the program that may
// take its place. No memory but static buffers, of which only the touched pages exist.
#pragma once

#include "plugin-api/thin/system_call.h"
#include "plugin-api/thin/text.h"

namespace client {

// Called first, with what the kernel passes to a program.
void set_process(char* const* argv, char** envp);

// The argument with that number, from 1 on; empty behind the last.
Text argument(std::size_t number);

// The value of a variable, or empty. `name_and_equals` ends with "=".
Text variable(Text name_and_equals);

// Writes all of it, or ends the process with 1.
void write_all(int fd, Text text);

// Reads stdin at the first call; later calls return the same. At most 2 MiB, the server's limit of
// a body; kTooLarge keeps nothing.
enum class Input { kRead, kTooLarge, kFailed };
Input read_input();
Text input();  // what was read; empty before

// Makes stdin readable again from its beginning, for a program that takes this one's place. Does
// nothing when it was not read. False when there is no memory.
bool rewind_input();

// Becomes <folder>/<name>, with this process's arguments and environment. Returns when that cannot
// be run; `folder` may be empty.
void try_program(Text folder, Text name);

// The folder of this executable, with links resolved.
Text own_folder();

}  // namespace client
