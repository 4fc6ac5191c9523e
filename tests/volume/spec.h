// Options of volumes as a test writes them: as text, like a user.
#pragma once

#include <map>
#include <string>

#include "volume/api/options.h"
#include "volume/api/service.h"

namespace fairlead::volume::testing {

using Texts = std::map<std::string, std::string>;

// Of options that are right.
inline VolumeOptions options_of(const Texts& options) { return parse_options(options).value(); }
inline VolumeSpec spec_of(const std::string& name, const Texts& options = {}) {
  return {.name = VolumeName::parse(name).value(), .options = options_of(options), .labels = {}};
}

// As an adapter does it: options that are wrong are refused before the service sees them.
inline Result<Volume> create_volume(VolumeService& service, const std::string& name,
                                    const Texts& options = {}, const Progress& progress = {}) {
  VolumeSpec spec;
  TRY(spec.name, VolumeName::parse(name));
  TRY(spec.options, parse_options(options));
  return service.create(spec, progress);
}

}  // namespace fairlead::volume::testing
