// What the doctor says about a host: findings in words for somebody who has never seen the inside of
// Fairlead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fairlead::doctor {

enum class Severity {
  kNote,     // good to know; nothing is wrong
  kWarning,  // it works, and will not for long, or not for everybody
  kProblem,  // something does not work
};
std::string_view to_string(Severity severity);  // "note", "warning", "problem"

// What mends a finding without any risk. Everything else is left to people.
enum class Cure {
  kNone,
  kReconcile,    // makes the kernel follow what is stored
  kOwnersOnly,   // takes from others than root the right to change the folder, or to read the file,
                 // `target`
  kStaleSocket,  // removes the socket `target`, at which nobody listens
  kCniPlugin,    // puts this version of the plugin into the folder `target`
};

struct Finding {
  std::string id;  // of the check
  Severity severity = Severity::kNote;
  std::string wrong, why, mend;  // sentences; commands to type are in `backticks`
  Cure cure = Cure::kNone;
  std::string target = {};  // of the cure
  bool fixable = false;     // there is a cure

  bool operator==(const Finding&) const = default;
};

struct Diagnosis {
  std::vector<std::string> checks;  // the ids of those that were made
  std::vector<Finding> findings;    // the worst first
  std::vector<std::string> unseen;  // what could not be looked at, and why
  std::vector<std::string> mended;  // what --fix did
  std::vector<std::string> failed;  // what it could not do

  bool operator==(const Diagnosis&) const = default;
};

// As monitoring expects it of a plugin: 0 fine (or only notes), 1 warnings, 2 problems, 3 nothing of
// this, but something could not be looked at.
int exit_code_of(const Diagnosis& diagnosis);

}  // namespace fairlead::doctor
