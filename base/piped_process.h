// Another program that is given a document on stdin and answers with one on stdout, as plugins of runtimes
// do.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace fairlead {

struct PipedCall {
  std::vector<std::string> argv;         // argv[0] is the program's path
  std::vector<std::string> environment;  // "NAME=value"
  std::string input;                     // for stdin
};

struct PipedOutcome {
  int exit_code = 0;
  std::string out;  // what it wrote on stdout, at most 1 MiB; stderr is this process's
};

// Runs the program to its end. It is killed when the calling thread ends, so that it does not go on after
// a runtime has killed its caller. kIo when it cannot be started, or was killed.
Result<PipedOutcome> run_piped(const PipedCall& call);

}  // namespace fairlead
