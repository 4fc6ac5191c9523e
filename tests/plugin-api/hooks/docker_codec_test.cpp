// What dockerd says, and what it may not say.
#include "plugin-api/hooks/docker_codec.h"

#include <gmock/gmock.h>

namespace fairlead::hooks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::string_literals;

constexpr const char* kTwo = R"([
  {"Id":"7d4c","Names":["/web/db","/db"],"ImageID":"sha256:1","Labels":{"a":"b","n":7},
   "Mounts":[{"Type":"volume","Name":"data","Driver":"fairlead"},
             {"Type":"volume","Name":"data","Driver":"fairlead"},
             {"Type":"bind","Source":"/srv"}]},
  {"Id":"00ff","Names":["/other"],"Labels":null,
   "Mounts":[{"Type":"volume","Name":"data","Driver":"local"}]}])";

// Docker's own volume of the same name is another one.
TEST(DockerCodec, ContainersWithOurVolumesAreRead) {
  const auto read = decode_containers(kTwo, "fairlead", {"data", "more"});
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_THAT(*read, ElementsAre(Container{.id = "7d4c",
                                           .name = "db",
                                           .image = "sha256:1",
                                           .labels = {{"a", "b"}},
                                           .volumes = {"data"}}));
  EXPECT_THAT(*decode_containers(kTwo, "fairlead", {"other"}), IsEmpty());
}

TEST(DockerCodec, NonsenseIsRefused) {
  for (const char* text : {"", "{}", "[7]", R"([{"Id":"../x","Mounts":[]}])", "[{}]"})
    EXPECT_FALSE(decode_containers(text, "fairlead", {"data"})) << text;
  for (const char* text : {"", "7", "{}", R"({"Id":"../x"})"})
    EXPECT_FALSE(decode_id(text)) << text;
  EXPECT_FALSE(decode_exit("[]"));
}

TEST(DockerCodec, CommandsAndTheirEnds) {
  EXPECT_EQ(
      encode_command({.words = {"sh", "-c", "x"}, .user = "u", .environment = {{"A", "b=c"}}}),
      R"({"AttachStderr":true,"AttachStdout":true,"Cmd":["sh","-c","x"],"Env":["A=b=c"],"User":"u"})");
  EXPECT_EQ(**decode_exit(R"({"Running":false,"ExitCode":3})"), 3);
  EXPECT_FALSE(*decode_exit(R"({"Running":true,"ExitCode":null})"));
  EXPECT_EQ(filters_path({"db", "files"}),
            "/containers/json?filters=%7B%22volume%22%3A%5B%22db%22%2C%22files%22%5D%7D");
}

TEST(DockerCodec, FramesAreUnpacked) {
  EXPECT_EQ(decode_frames("\1\0\0\0\0\0\0\2hi\2\0\0\0\0\0\0\3no\n"s), "hino\n");
  EXPECT_EQ(decode_frames("\1\0\0\0\0\0\0\7cut"s), "cut");
  EXPECT_EQ(decode_frames("\1\0\0\0\xff\xff\xff\xff"s), "");
  EXPECT_EQ(decode_frames("plain text"), "plain text");
  EXPECT_EQ(decode_frames(""), "");
}

}  // namespace
}  // namespace fairlead::hooks
