// What a create asks for, checked against everything that can be known before anything is stored.
#pragma once

#include <map>
#include <string>

#include "volume/api/backend.h"
#include "volume/api/options.h"

namespace fairlead::volume {

struct CreatePlan {
  VolumeName name;
  VolumeOptions options;
  std::map<std::string, std::string> labels;  // of the request and of label.<key> options
  BackendRegistry::Choice choice;
};

// kInvalid for a bad label.
Status check_label(const std::string& key, const std::string& value);
Status check_label_count(std::size_t count);

// Without a choice yet. The errors of parse_options; kInvalid for bad labels, and for what a clone
// cannot be given because it is its source's.
Result<CreatePlan> plan_create(const VolumeSpec& spec);

// The errors of BackendRegistry::choose and of Backend::validate.
Status choose_backend(CreatePlan& plan, BackendRegistry& backends);

// The same for a clone: backend, pool, and the options that are a property of the data come from
// the source where the plan does not name them. kUnsupported for another backend or pool.
Status choose_as(CreatePlan& plan, const Volume& source, BackendRegistry& backends);

// In what an existing volume differs from the plan; empty: in nothing. A plan without a backend or
// a pool takes any, and that of a clone takes what it did not name.
std::string difference(const Volume& volume, const CreatePlan& plan);

}  // namespace fairlead::volume
