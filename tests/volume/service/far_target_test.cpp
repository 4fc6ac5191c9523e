// Targets over the programs that reach them: rclone, and ssh in the shape of a script, because a
// real sshd is part of the end-to-end tests.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/process.h"
#include "tests/support/paths.h"
#include "tests/volume/scratch.h"
#include "tests/volume/service/storage_files.h"
#include "tests/volume/sftp_server.h"
#include "tests/volume/tree_facts.h"
#include "volume/kernel/run_tool.h"
#include "volume/service/far_storage.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using testing::get;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::noise;
using testing::put;
using testing::Scratch;
using ::testing::SizeIs;
using Use = BackupStorage::Use;

Result<std::unique_ptr<BackupStorage>> open(const std::string& text) {
  TRY(const auto target, parse_backup_target(text));
  return open_far_storage(target);
}

// Everything that a backup folder needs, twice, as two runs.
void use(const std::string& target) {
  const std::string large = noise(20'000'000, 1);
  {
    const auto storage = open(target);
    ASSERT_TRUE(storage) << storage.error().text;
    const auto lock = (*storage)->lock(Use::kWrite, "backup");
    ASSERT_TRUE(lock) << lock.error().text;
    const auto prepared = (*storage)->prepare();
    ASSERT_TRUE(prepared) << prepared.error().text;
    ASSERT_TRUE(put(**storage, "packs/1.pack", large));
    ASSERT_TRUE(put(**storage, "packs/2.pack", "small"));
    ASSERT_TRUE(put(**storage, "backups/x.index", "index"));
    const auto synced = (*storage)->sync();
    ASSERT_TRUE(synced) << synced.error().text;
    EXPECT_EQ(get(**storage, "packs/1.pack"), large);
    const auto other = open(target);
    ASSERT_TRUE(other) << other.error().text;
    const auto refused = (*other)->lock(Use::kRead, "verify");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text, HasSubstr("in use by backup on"));
  }
  const auto storage = open(target);
  ASSERT_TRUE(storage) << storage.error().text;
  const auto lock = (*storage)->lock(Use::kWrite, "prune");
  ASSERT_TRUE(lock) << lock.error().text;
  ASSERT_TRUE((*storage)->prepare());
  EXPECT_THAT((*storage)->list("packs").value(), SizeIs(2));
  EXPECT_THAT((*storage)->list("tmp").value(), IsEmpty());
  EXPECT_EQ(get(**storage, "backups/x.index"), "index");
  EXPECT_EQ((*storage)->open("packs/3.pack").error().code, Code::kNotFound);
  ASSERT_TRUE((*storage)->remove("packs/1.pack"));
  ASSERT_TRUE((*storage)->sync());
  EXPECT_THAT((*storage)->list("packs").value(), SizeIs(1));
}

TEST(FarTarget, RcloneKeepsABackupFolder) {
  if (!has_tool("rclone")) GTEST_SKIP() << "rclone is not installed";
  const Scratch scratch;
  ::setenv("RCLONE_CONFIG", "/dev/null", 1);
  use("rclone::local:" + (scratch / "b"));
  EXPECT_EQ(testing::read_text(scratch / "b/packs/2.pack"), "small");
  for (const auto& entry : std::filesystem::directory_iterator(scratch / "b"))
    EXPECT_FALSE(entry.path().filename().string().starts_with("lock.")) << entry.path();
}

TEST(FarTarget, WhatRcloneSaysIsTheCause) {
  if (!has_tool("rclone")) GTEST_SKIP() << "rclone is not installed";
  ::setenv("RCLONE_CONFIG", "/dev/null", 1);
  const auto storage = open("rclone:nowhere:b");
  ASSERT_FALSE(storage);
  EXPECT_THAT(storage.error().text, AllOf(HasSubstr("rclone"), HasSubstr("nowhere")));
}

// A server of S3 in a network namespace of this test's own.
class S3Server {
 public:
  explicit S3Server(const std::string& folder) {
    std::filesystem::create_directories(folder + "/bucket");
    const std::vector<std::string> up{"ip", "link", "set", "lo", "up"};
    ready_ = ::unshare(CLONE_NEWNET) == 0 && run_process(up, std::chrono::seconds(10)).has_value();
    if (!ready_) return;
    const std::string server = fairlead::testing::source_path("tests/support/s3_server.py");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execlp("python3", "python3", server.c_str(), folder.c_str(), "4568", nullptr);
      ::_exit(127);
    }
    for (int attempt = 0; attempt < 600 && !answers(); ++attempt) ::usleep(50'000);
  }
  S3Server(const S3Server&) = delete;
  ~S3Server() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  bool ready() const { return ready_; }

 private:
  static bool answers() {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(4568);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
           0;
  }
  pid_t pid_ = -1;
  bool ready_ = false;
};

TEST(FarTarget, S3KeepsABackupFolder) {
  if (!has_tool("rclone")) GTEST_SKIP() << "rclone is not installed";
  if (!testing::is_root()) GTEST_SKIP() << "a network namespace needs root";
  const Scratch scratch;
  const S3Server server(scratch / "s3");
  ASSERT_TRUE(server.ready());
  ::setenv("RCLONE_CONFIG", "/dev/null", 1);
  ::setenv("AWS_ACCESS_KEY_ID", "key", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
  ::unsetenv("AWS_CA_BUNDLE");  // rclone 1.60 fails with it
  use("s3:http://127.0.0.1:4568/bucket/folder");
  EXPECT_TRUE(testing::is_there(scratch / "s3/bucket/folder%2Fpacks%2F2.pack"));
}

TEST(FarTarget, SshIsAnyProgramThatTheEnvironmentNames) {
  if (!testing::has_sftp_server()) GTEST_SKIP() << "openssh-sftp-server is not installed";
  const Scratch scratch;
  testing::write_text(scratch / "ssh", fmt::format("#!/bin/sh\necho \"$@\" >{}\nexec {}\n",
                                                   scratch / "words", testing::kSftpServer));
  std::filesystem::permissions(scratch / "ssh", std::filesystem::perms::owner_all);
  ::setenv("FAIRLEAD_SSH", ((scratch / "ssh") + " -i key").c_str(), 1);
  use("sftp:me@nas:2222:" + (scratch / "b"));
  EXPECT_THAT(testing::read_text(scratch / "words"),
              AllOf(HasSubstr("-i key -o BatchMode=yes"), HasSubstr("-s -- nas sftp")));
  ::setenv("FAIRLEAD_SSH", "no-such-ssh", 1);
  const auto missing = open("sftp:nas:/b");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kUnsupported);
  EXPECT_THAT(missing.error().text, HasSubstr("no-such-ssh"));
  ::unsetenv("FAIRLEAD_SSH");
}

}  // namespace
}  // namespace fairlead::volume
