// Each tests/golden/cni/<case>.input.json is a call as a runtime makes it; <case>.golden.json is
// what the core is asked for and what the runtime reads. FAIRLEAD_UPDATE_GOLDEN=1 writes the second
// anew: the diff is the review.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/plugin-api/cni/recording_service.h"

namespace fairlead::testing {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  const std::string ending = ".input.json";
  for (const auto& entry : std::filesystem::directory_iterator(GOLDEN_FOLDER)) {
    const std::string name = entry.path().filename();
    if (name.ends_with(ending)) names.push_back(name.substr(0, name.size() - ending.size()));
  }
  std::ranges::sort(names);
  return names;
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, AsksTheCoreAndAnswersTheRuntimeAsWrittenDown) {
  const std::filesystem::path folder = GOLDEN_FOLDER;
  const auto input = json::parse(read_file(folder / (GetParam() + ".input.json")));
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
  const auto golden = folder / (GetParam() + ".golden.json");
  const std::string text = seen.sorted_dump(2) + "\n";
  if (std::getenv("FAIRLEAD_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << text;
  EXPECT_EQ(read_file(golden), text);
}

INSTANTIATE_TEST_SUITE_P(Cni, Golden, ::testing::ValuesIn(cases()), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
});

}  // namespace
}  // namespace fairlead::testing
