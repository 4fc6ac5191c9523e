// What a create asks for, after every check that is possible before anything is stored.
#pragma once

#include <map>
#include <string>

#include "volume/api/backend.h"
#include "volume/api/options.h"

namespace fairlead::volume {

struct CreatePlan {
  VolumeName name;
  VolumeOptions options;                      // without labels
  std::map<std::string, std::string> labels;  // of the request and of label.<key> options
  BackendRegistry::Choice choice;
};

// kInvalid for a bad label.
Status check_label(const std::string& key, const std::string& value);
Status check_label_count(std::size_t count);

// Checks the request, without choosing a backend yet. kInvalid for bad labels, and for options that
// a clone takes from its source.
Result<CreatePlan> plan_create(const VolumeSpec& spec);

// Fails with the errors of BackendRegistry::choose and of Backend::validate.
Status choose_backend(CreatePlan& plan, BackendRegistry& backends);

// The same for a clone: backend, pool and the options that are properties of the data come from the
// source where the plan does not name them. kUnsupported when the plan names another backend or
// pool.
Status choose_as(CreatePlan& plan, const Volume& source, BackendRegistry& backends);

// Describes how an existing volume differs from the plan; empty when it does not. A plan without a
// backend or a pool accepts any, and the plan of a clone accepts anything for the options that it
// did not name.
std::string difference(const Volume& volume, const CreatePlan& plan);

}  // namespace fairlead::volume
