// A backup folder over Debian's sftp-server: what the interface promises, the lock, slow and cut
// lines, full disks.
#include "volume/service/remote_storage.h"

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <thread>

#include "base/host.h"
#include "tests/volume/scratch.h"
#include "tests/volume/service/storage_files.h"
#include "tests/volume/sftp_server.h"
#include "tests/volume/tree_facts.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::get;
using ::testing::HasSubstr;
using testing::is_there;
using ::testing::IsEmpty;
using testing::Line;
using testing::noise;
using testing::put;
using testing::Scratch;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using Use = BackupStorage::Use;
using namespace std::chrono_literals;

class RemoteStorageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::has_sftp_server()) GTEST_SKIP() << "openssh-sftp-server is not installed";
  }
  std::unique_ptr<BackupStorage> open(const Line& line = {}, LockTimes times = {}) {
    auto client = testing::connect(line);
    EXPECT_TRUE(client) << client.error().text;
    if (!client) return nullptr;
    RemotePlace place{.name = "sftp:nas:/b", .path = folder_, .times = times};
    place.data = std::move(*client);
    place.reconnect = [] { return testing::connect(); };
    return make_remote_storage(std::move(place));
  }
  std::vector<std::string> locks() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      if (is_lock_name(entry.path().filename().string())) names.push_back(entry.path().string());
    return names;
  }

  const Scratch scratch_;
  const std::string folder_ = scratch_ / "a/b";
};

TEST_F(RemoteStorageTest, FilesAppearWholeUnderTheirNames) {
  const auto storage = open();
  const auto lock = storage->lock(Use::kWrite, "backup");
  ASSERT_TRUE(lock) << lock.error().text;
  ASSERT_TRUE(storage->prepare());
  const std::string large = noise(3'000'001, 1);
  {
    const auto writer = storage->create().value();
    ASSERT_TRUE(writer->append(large));
    EXPECT_THAT(storage->list("packs").value(), IsEmpty());
  }  // discarded
  ASSERT_TRUE(put(*storage, "packs/1.pack", large));
  ASSERT_TRUE(put(*storage, "backups/x.index", "index"));
  ASSERT_TRUE(put(*storage, "fairlead-backup.json", ""));
  ASSERT_TRUE(storage->sync());
  EXPECT_EQ(testing::read_text(folder_ + "/packs/1.pack"), large);
  EXPECT_EQ(testing::entries_in(folder_ + "/tmp"), 0U);
  EXPECT_EQ(get(*storage, "packs/1.pack"), large);
  EXPECT_EQ(get(*storage, "backups/x.index"), "index");
  EXPECT_EQ(get(*storage, "fairlead-backup.json"), "");
  const auto packs = storage->list("packs").value();
  ASSERT_THAT(packs, SizeIs(1));
  EXPECT_EQ(packs[0].name, "1.pack");
  EXPECT_EQ(packs[0].size, large.size());
  std::vector<std::string> top;
  const auto all = storage->list("").value();
  for (const auto& file : all)
    if (!is_lock_name(file.name)) top.push_back(file.name);
  EXPECT_THAT(top, UnorderedElementsAre("packs/", "backups/", "tmp/", "fairlead-backup.json"));
  EXPECT_EQ(storage->open("packs/2.pack").error().code, Code::kNotFound);
  EXPECT_EQ(storage->open("packs").error().code, Code::kInvalid);
  EXPECT_TRUE(storage->remove("packs/1.pack"));
  EXPECT_TRUE(storage->remove("packs/1.pack"));
  EXPECT_TRUE(storage->sync());
  EXPECT_FALSE(is_there(folder_ + "/packs/1.pack"));
  EXPECT_THAT(storage->list("nowhere").value(), IsEmpty());
}

TEST_F(RemoteStorageTest, ReadsInAnyOrderAreRight) {
  std::filesystem::create_directories(folder_ + "/packs");
  const std::string bytes = noise(9'000'000, 1);
  testing::write_text(folder_ + "/packs/1.pack", bytes);
  const auto storage = open();
  const auto file = storage->open("packs/1.pack").value();
  const auto expect = [&](std::uint64_t offset, std::size_t size) {
    std::string into(size, '\0');
    const BackupRange range{.offset = offset, .into = into};
    const auto read = file->read({&range, 1});
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(into, bytes.substr(offset, size)) << offset << " " << size;
  };
  expect(bytes.size() - 20, 20);
  expect(bytes.size() - 50'000, 40'000);
  for (std::uint64_t at = 0; at < bytes.size(); at += 700'000)  // one after the other
    expect(at, std::min<std::size_t>(700'000, bytes.size() - at));
  expect(5'000'000, 10);
  expect(5'000'010, 10);
  expect(5'000'020, 2'000'000);
  expect(1, 3'000'000);
  std::string one(1000, '\0'), two(500'000, '\0'), none;
  const std::array<BackupRange, 3> ranges{
      {{8'000'000, std::span(one)}, {17, std::span(two)}, {0, std::span(none)}}};
  ASSERT_TRUE(file->read(ranges));
  EXPECT_EQ(one, bytes.substr(8'000'000, 1000));
  EXPECT_EQ(two, bytes.substr(17, 500'000));
  const BackupRange beyond{.offset = bytes.size() - 1, .into = std::span(one)};
  EXPECT_EQ(file->read({&beyond, 1}).error().code, Code::kInvalid);
}

TEST_F(RemoteStorageTest, AFarServerIsAskedForMuchAtOnce) {
  std::filesystem::create_directories(folder_ + "/packs");
  for (int i = 0; i < 1500; ++i)
    testing::write_text(folder_ + "/packs/" + std::to_string(i) + ".pack", "x");
  testing::write_text(folder_ + "/packs/large.pack", noise(16'000'000, 1));
  const auto storage = open({.delay = 25});
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_THAT(storage->list("packs").value(), SizeIs(1501));
  // One after the other, 16 answers of names take 0.8 s.
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 600ms);
  const auto file = storage->open("packs/large.pack").value();
  std::string small(1000, '\0');
  std::vector<std::string> pieces(500, small);
  std::vector<BackupRange> ranges;
  for (std::size_t i = 0; i < pieces.size(); ++i) ranges.push_back({i * 31'000, pieces[i]});
  ASSERT_TRUE(file->read(ranges));  // one after the other: 25 s
  std::string mib(1 << 20, '\0');
  for (std::uint64_t at = 0; at + mib.size() < 16'000'000; at += mib.size()) {
    const BackupRange range{.offset = at, .into = mib};
    ASSERT_TRUE(file->read({&range, 1}));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 8s);
}

TEST_F(RemoteStorageTest, ManyThreadsShareIt) {
  const auto storage = open({.delay = 5});
  ASSERT_TRUE(storage->lock(Use::kWrite, "backup"));
  ASSERT_TRUE(storage->prepare());
  std::vector<std::thread> threads;
  std::vector<std::string> contents;
  for (int i = 0; i < 8; ++i) contents.push_back(noise(700'000, static_cast<unsigned>(i) + 1));
  for (std::size_t i = 0; i < contents.size(); ++i)
    threads.emplace_back([&, i] {
      const std::string name = "packs/" + std::to_string(i) + ".pack";
      EXPECT_TRUE(put(*storage, name, contents[i]));
      EXPECT_EQ(get(*storage, name), contents[i]);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(storage->list("packs").value(), SizeIs(8));
}

TEST_F(RemoteStorageTest, ACutLineLeavesNoHalfFileUnderAName) {
  {
    const auto storage = open();
    const auto lock = storage->lock(Use::kWrite, "backup");
    ASSERT_TRUE(storage->prepare());
    ASSERT_TRUE(put(*storage, "packs/0.pack", "whole"));
    ASSERT_TRUE(storage->sync());
  }
  Status status;
  {
    const auto storage = open({.after = 3'000'000});
    const auto lock = storage->lock(Use::kWrite, "backup");
    ASSERT_TRUE(storage->prepare());
    for (int i = 1; i < 20 && status; ++i)
      status =
          put(*storage, fmt::format("packs/{}.pack", i), noise(500'000, static_cast<unsigned>(i)));
    if (status) status = storage->sync();
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().text, HasSubstr("connection to nas is lost"));
    EXPECT_FALSE(storage->sync());  // and it stays so
  }
  EXPECT_THAT(locks(), IsEmpty());  // given back over a new connection
  for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/packs")) {
    if (entry.path().filename() != "0.pack") {
      EXPECT_EQ(entry.file_size(), 500'000U) << entry.path();
    }
  }
  const auto storage = open();
  const auto lock = storage->lock(Use::kWrite, "backup");
  ASSERT_TRUE(lock) << lock.error().text;
  ASSERT_TRUE(storage->prepare());
  EXPECT_EQ(testing::entries_in(folder_ + "/tmp"), 0U);
  EXPECT_EQ(get(*storage, "packs/0.pack"), "whole");
}

TEST_F(RemoteStorageTest, AFullDiskIsToldAsOne) {
  if (!testing::is_root()) GTEST_SKIP() << "mounts need root";
  ASSERT_TRUE(testing::enter_own_mount_namespace());
  std::filesystem::create_directories(folder_);
  ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=4m"), 0);
  {
    const auto storage = open();
    const auto lock = storage->lock(Use::kWrite, "backup");
    ASSERT_TRUE(lock) << lock.error().text;
    ASSERT_TRUE(storage->prepare());
    auto status = put(*storage, "packs/1.pack", noise(6'000'000, 1));
    if (status) status = storage->sync();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kExhausted) << status.error().text;
    EXPECT_THAT(status.error().text, HasSubstr("disk is full"));
    EXPECT_FALSE(is_there(folder_ + "/packs/1.pack"));
  }
  EXPECT_THAT(locks(), IsEmpty());
  ::umount2(folder_.c_str(), MNT_DETACH);
}

TEST_F(RemoteStorageTest, AFileInTheWayIsNamed) {
  std::filesystem::create_directories(scratch_ / "a");
  testing::write_text(folder_, "a file");
  const auto storage = open();
  const auto lock = storage->lock(Use::kWrite, "backup");
  ASSERT_FALSE(lock);
  EXPECT_THAT(lock.error().text, HasSubstr("a file has its place"));
}

// --- the lock

TEST_F(RemoteStorageTest, OneWriterOrManyReaders) {
  const auto first = open(), second = open();
  {
    const auto writer = first->lock(Use::kWrite, "backup");
    ASSERT_TRUE(writer);
    EXPECT_TRUE((*writer)->check());
    const auto refused = second->lock(Use::kWrite, "prune");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kUnavailable);
    EXPECT_THAT(refused.error().text, AllOf(HasSubstr("in use by backup on"),
                                            HasSubstr(fmt::format("process {}", ::getpid()))));
    EXPECT_FALSE(second->lock(Use::kRead, "verify"));
    EXPECT_THAT(locks(), SizeIs(1));
  }
  EXPECT_THAT(locks(), IsEmpty());
  const auto one = first->lock(Use::kRead, "verify"), two = second->lock(Use::kRead, "restore");
  EXPECT_TRUE(one && two);
  EXPECT_FALSE(first->lock(Use::kWrite, "backup"));
}

TEST_F(RemoteStorageTest, OfManyAtOnceNeverTwoHaveIt) {
  std::filesystem::create_directories(folder_);
  std::atomic<int> holders = 0, most = 0, had = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i)
    threads.emplace_back([&] {
      const auto storage = open();
      for (int round = 0; round < 3; ++round) {
        const auto lock = storage->lock(Use::kWrite, "backup");
        if (!lock) continue;
        most = std::max(most.load(), ++holders);
        ++had;
        std::this_thread::sleep_for(20ms);
        --holders;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
  EXPECT_GE(had, 1);
  EXPECT_THAT(locks(), IsEmpty());
}

TEST_F(RemoteStorageTest, TheLockOfADeadProcessIsTakenOver) {
  std::filesystem::create_directories(folder_);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto storage = open();
    const auto lock = storage->lock(Use::kWrite, "backup");
    ::kill(::getpid(), SIGKILL);
  }
  ASSERT_GT(child, 0);
  ::waitpid(child, nullptr, 0);
  ASSERT_THAT(locks(), SizeIs(1));
  const auto storage = open();
  const auto lock = storage->lock(Use::kWrite, "backup");
  EXPECT_TRUE(lock) << lock.error().text;
  EXPECT_THAT(locks(), SizeIs(1));
}

TEST_F(RemoteStorageTest, ALockThatNobodyRenewsIsTakenOver) {
  std::filesystem::create_directories(folder_);
  const std::string other = folder_ + "/lock.0123456789abcdef.w.7";
  testing::write_text(
      other,
      R"({"host":"far","verb":"backup","since":1,"boot":"other","pid_namespace":"pid:[1]","pid":1,"started":1})");
  const auto storage = open();
  const auto refused = storage->lock(Use::kWrite, "backup");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("backup on far"));
  std::filesystem::last_write_time(other, std::filesystem::file_time_type::clock::now() - 16min);
  EXPECT_TRUE(storage->lock(Use::kWrite, "backup"));
  EXPECT_FALSE(is_there(other));
  // A file of that name with something else in it counts by its age alone.
  testing::write_text(other, "\0nonsense");
  EXPECT_FALSE(storage->lock(Use::kRead, "verify"));
}

TEST_F(RemoteStorageTest, ALockIsRenewedAndToldWhenItIsLost) {
  const auto storage = open({}, {.renew = 50ms, .doubt = 60s, .stale = 900s});
  const auto lock = storage->lock(Use::kWrite, "backup");
  ASSERT_TRUE(lock);
  const auto first = locks();
  ASSERT_THAT(first, SizeIs(1));
  while (is_there(first[0])) std::this_thread::sleep_for(10ms);
  EXPECT_TRUE((*lock)->check());
  // Somebody else takes it over.
  while ((*lock)->check()) {
    for (const auto& name : locks()) std::filesystem::remove(name);
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ((*lock)->check().error().code, Code::kUnavailable);
}

TEST_F(RemoteStorageTest, ALockThatCannotBeRenewedIsDoubted) {
  const auto storage =
      open({.end = "cut", .after = 2'000}, {.renew = 20ms, .doubt = 200ms, .stale = 900s});
  const auto lock = storage->lock(Use::kWrite, "backup");
  ASSERT_TRUE(lock) << lock.error().text;
  while ((*lock)->check()) std::this_thread::sleep_for(20ms);
  EXPECT_THAT((*lock)->check().error().text, HasSubstr("lost"));
}

TEST_F(RemoteStorageTest, AReaderNeedsNoPlaceToWrite) {
  std::filesystem::create_directories(folder_ + "/packs");
  testing::write_text(folder_ + "/packs/1.pack", "x");
  auto client = testing::connect({.server = {testing::kSftpServer, "-R"}});  // read-only
  ASSERT_TRUE(client);
  RemotePlace place{.name = "sftp:nas:/b", .path = folder_};
  place.data = std::move(*client);
  const auto storage = make_remote_storage(std::move(place));
  EXPECT_TRUE(storage->lock(Use::kRead, "verify"));
  EXPECT_EQ(get(*storage, "packs/1.pack"), "x");
  EXPECT_FALSE(storage->lock(Use::kWrite, "backup"));
}

}  // namespace
}  // namespace fairlead::volume
