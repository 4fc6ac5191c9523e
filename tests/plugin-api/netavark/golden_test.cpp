// Each tests/golden/netavark/<case>.input.json is a call as Podman and netavark make it (5.4.2 and 1.14.0,
// unless it says otherwise); <case>.golden.json is what the core is asked for and what Podman reads.
// FAIRLEAD_UPDATE_GOLDEN=1 writes the second anew: the diff is the review.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include "tests/plugin-api/netavark/recording_service.h"
#include "tests/support/paths.h"

namespace fairlead::testing {
namespace {

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, AsksTheCoreAndAnswersPodmanAsWrittenDown) {
  const std::filesystem::path folder = source_path("tests/golden/netavark");
  const auto input = json::parse(read_golden(folder / (GetParam() + ".input.json")));
  ASSERT_TRUE(input) << input.error().text;
  PodmanService service;
  auto& n1 = service.has_network("n1", "10.20.0.0/24");  // of another one's name
  if (GetParam() == "update") n1.labels = {{netavark::kFileLabel, ""}};
  netavark::Call call =
      netavark_call((*input)["command"].string(), (*input)["document"],
                    input->contains("netns") ? (*input)["netns"].string() : "/run/netns/web");
  call.environment.network = input->value<std::string>("network", "");
  call.environment.dns_servers = input->value<std::string>("dns_servers", "");

  const netavark::Outcome outcome = netavark::run(call, service.services());

  json::Json seen{{"calls", service.calls}, {"exit", outcome.exit_code}};
  if (!outcome.out.empty()) {
    const auto answer = json::parse(outcome.out);
    ASSERT_TRUE(answer) << outcome.out;
    seen["stdout"] = *answer;
  }
  expect_golden(folder / (GetParam() + ".golden.json"), seen.sorted_dump(2) + "\n");
}

INSTANTIATE_TEST_SUITE_P(Netavark, Golden,
                         ::testing::ValuesIn(golden_cases(source_path("tests/golden/netavark"),
                                                          ".input.json")),
                         [](const auto& test) { return parameter_name(test.param); });

}  // namespace
}  // namespace fairlead::testing
