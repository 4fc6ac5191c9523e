// Each tests/golden/cni/<case>.input.json is a call as a runtime makes it; <case>.golden.json is
// what the core is asked for and what the runtime reads. FAIRLEAD_UPDATE_GOLDEN=1 writes the second
// anew: the diff is the review.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include "tests/plugin-api/cni/recording_service.h"
#include "tests/support/paths.h"

namespace fairlead::testing {
namespace {

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, AsksTheCoreAndAnswersTheRuntimeAsWrittenDown) {
  const std::filesystem::path folder = source_path("tests/golden/cni");
  const auto input = json::parse(read_golden(folder / (GetParam() + ".input.json")));
  ASSERT_TRUE(input) << input.error().text;
  RecordingService service;
  service.has_network("shop", "10.40.0.0/24");

  cni::Call call = call_of((*input)["environment"], (*input)["config"].dump());
  if (input->contains("ipam"))  // what another IPAM plugin answers
    call.run_plugin = [&](const auto&, const auto& verb) -> Result<cni::PluginOutcome> {
      return cni::PluginOutcome{0, verb.command == "ADD" ? (*input)["ipam"].dump() : ""};
    };
  const cni::Outcome outcome = cni::run(call, service);

  json::Json seen{{"calls", service.calls}, {"exit", outcome.exit_code}};
  if (!outcome.out.empty()) {
    const auto answer = json::parse(outcome.out);
    ASSERT_TRUE(answer) << outcome.out;
    seen["stdout"] = *answer;
  }
  expect_golden(folder / (GetParam() + ".golden.json"), seen.sorted_dump(2) + "\n");
}

INSTANTIATE_TEST_SUITE_P(Cni, Golden,
                         ::testing::ValuesIn(golden_cases(source_path("tests/golden/cni"),
                                                          ".input.json")),
                         [](const auto& test) { return parameter_name(test.param); });

}  // namespace
}  // namespace fairlead::testing
