// A volume as the service hands it to a backend, ready and not there yet.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/hash.h"
#include "tests/volume/spec.h"
#include "volume/api/backend.h"

namespace fairlead::volume::testing {

inline Volume a_volume(const std::string& backend, const Texts& options = {}) {
  return {.id = random_hex(32),
          .name = VolumeName::parse("shop").value(),
          .backend = backend,
          .options = options_of(options),
          .phase = Phase::kReady,
          .created = 1000};
}

// Made by the backend; the test fails when it is not.
inline Volume made_by(Backend& backend, Volume volume) {
  Rollback undo;
  const auto done = backend.create(volume, undo);
  EXPECT_TRUE(done) << done.error().text;
  if (done) undo.commit();
  return volume;
}

}  // namespace fairlead::volume::testing
