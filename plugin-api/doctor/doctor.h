// The doctor, as the command line and the API ask it. Made by plugin-api/bin/doctor.h.
#pragma once

#include <span>
#include <string>

#include "plugin-api/doctor/finding.h"

namespace fairlead::doctor {

// Thread-safe.
class Doctor {
 public:
  virtual ~Doctor() = default;
  // Looks at the host and makes the checks with these ids, or all. The ids must be known. Changes nothing.
  virtual Diagnosis examine(std::span<const std::string> ids) = 0;
  // Mends what can be mended of the findings, and examines again.
  virtual Diagnosis mend(const Diagnosis& found, std::span<const std::string> ids) = 0;
};

}  // namespace fairlead::doctor
