// Each tests/golden/netavark/<case>.input.json is a call as Podman and netavark make it (5.4.2 and 1.14.0,
// unless it says otherwise); <case>.golden.json is what the core is asked for and what Podman reads.
// FAIRLEAD_UPDATE_GOLDEN=1 writes the second anew: the diff is the review.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/plugin-api/netavark/recording_service.h"

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

TEST_P(Golden, AsksTheCoreAndAnswersPodmanAsWrittenDown) {
  const std::filesystem::path folder = GOLDEN_FOLDER;
  const auto input = json::parse(read_file(folder / (GetParam() + ".input.json")));
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
  const auto golden = folder / (GetParam() + ".golden.json");
  const std::string text = seen.sorted_dump(2) + "\n";
  if (std::getenv("FAIRLEAD_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << text;
  EXPECT_EQ(read_file(golden), text);
}

INSTANTIATE_TEST_SUITE_P(Netavark, Golden, ::testing::ValuesIn(cases()), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
});

}  // namespace
}  // namespace fairlead::testing
