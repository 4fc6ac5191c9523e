// The plugin's handler over services that a test has in its hands.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "plugin-api/http/message.h"
#include "tests/plugin-api/docker/values.h"
#include "tests/support/mock_services.h"

namespace fairlead::docker::testing {

using ::testing::_;
using ::testing::Return;

enum class Core {
  kSaysYes,         // to everything, with fixed values
  kMustNotBeAsked,  // any call fails the test
};

class Plugin {
 public:
  explicit Plugin(Core core = Core::kSaysYes);
  ~Plugin();
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  http::Response call(std::string_view verb, std::string_view body);
  std::function<bool()> hung_up = [] { return false; };

 private:
  std::unique_ptr<fairlead::testing::MockNetworkService> networks_;
  std::unique_ptr<fairlead::testing::MockPoolService> pools_;
  std::unique_ptr<fairlead::testing::MockVolumeService> volumes_;

 public:
  fairlead::testing::MockNetworkService& networks;
  fairlead::testing::MockPoolService& pools;
  fairlead::testing::MockVolumeService& volumes;
  const http::Handler handler;

 private:
  void answer_for_networks();
  void answer_for_pools();
  void answer_for_volumes();
};

}  // namespace fairlead::docker::testing
