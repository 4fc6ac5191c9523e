// Every source file is compiled: a list that forgets one would drop its tests without a word.
#include "tests/architecture/build_lists.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/paths.h"

namespace fairlead::architecture {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BuildLists, NameEverySource) {
  EXPECT_THAT(sources_not_built(fairlead::testing::source_path("")), IsEmpty());
}

TEST(BuildLists, AForgottenSourceIsFound) {
  std::string name = std::filesystem::temp_directory_path() / "fairlead-lists-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const std::filesystem::path root = name;
  std::filesystem::create_directories(root / "tests/fuzz");
  for (const char* path :
       {"tests/named_test.cpp", "tests/listed_test.cpp", "tests/old_test.cpp",
        "tests/fuzz/fuzz_json.cpp", "tests/fuzz/below.cpp", "tests/fuzz/json.cpp"})
    std::ofstream(root / path) << "\n";
  std::ofstream(root / "tests/CMakeLists.txt")
      << "test(a SOURCES named_test.cpp fuzz/below.cpp)\nforeach(name listed renamed)\n";
  std::ofstream(root / "tests/fuzz/CMakeLists.txt") << "fuzzer(json LINK x)\n";
  EXPECT_THAT(sources_not_built(root), ElementsAre("tests/fuzz/json.cpp", "tests/old_test.cpp"));
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace fairlead::architecture
