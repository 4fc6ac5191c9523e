// Starts a program in the background of a test.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace fairlead::testing {

// arguments[0] is looked up in PATH. The program's output is appended to the file `log`. `netns`
// (borrowed) is the network namespace to run in; -1 means the caller's. The program dies with the
// thread that called this. The caller waits for the returned pid.
pid_t start_program(const std::vector<std::string>& arguments, const std::string& log,
                    int netns = -1);

}  // namespace fairlead::testing
