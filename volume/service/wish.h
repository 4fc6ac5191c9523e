// What a create asks for, checked against everything that can be known before anything is stored.
#pragma once

#include <map>
#include <string>

#include "volume/api/backend.h"
#include "volume/api/options.h"

namespace fairlead::volume {

struct Wish {
  VolumeName name;
  VolumeOptions options;
  std::map<std::string, std::string> labels;  // of the request and of label.<key> options
  BackendRegistry::Choice choice;
};

// The errors of parse_options, of BackendRegistry::choose and of Backend::validate; kInvalid for
// bad labels.
Result<Wish> check_wish(const VolumeSpec& spec, BackendRegistry& backends);

// In what an existing volume differs from the wish; empty: in nothing. A wish without a backend
// takes any.
std::string difference(const Volume& volume, const Wish& wish);

}  // namespace fairlead::volume
