// One lock folder for all who have a store open, over every store.
#include "base/state/lock_folder.h"

#include <algorithm>
#include <thread>

#include "tests/conformance/store/stores.h"

namespace fairlead::state {
namespace {

class LockFolderTest : public StoreTest {
 protected:
  std::string agree(const std::string& boot_id, const std::string& proposed) {
    const auto agreed = agree_on_lock_folder(*store_, boot_id, proposed);
    return agreed ? *agreed : agreed.error().text;
  }
};

INSTANTIATE_TEST_SUITE_P(Every, LockFolderTest, ::testing::ValuesIn(all_stores()), kind_name);

TEST_P(LockFolderTest, TheFirstOfABootDecidesForAll) {
  EXPECT_EQ(agree("boot-1", "/run/a/locks"), "/run/a/locks");
  EXPECT_EQ(agree("boot-1", "/run/b/locks"), "/run/a/locks");
  EXPECT_EQ(agree("boot-2", "/run/b/locks"), "/run/b/locks");
  EXPECT_EQ(agree("boot-2", "/run/a/locks"), "/run/b/locks");
}

TEST_P(LockFolderTest, ManyAtOnceAgree) {
  std::vector<std::string> agreed(8);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < agreed.size(); ++i)
    threads.emplace_back([&, i] { agreed[i] = agree("boot", "/run/" + std::to_string(i)); });
  for (std::thread& each : threads) each.join();
  for (const std::string& each : agreed) EXPECT_EQ(each, agreed.front());
  EXPECT_TRUE(agreed.front().starts_with("/run/"));
}

TEST_P(LockFolderTest, WhoAgreesAgainWritesNothing) {
  agree("boot", "/run/a/locks");
  const auto before = store_->revision();
  agree("boot", "/run/b/locks");
  EXPECT_EQ(*store_->revision(), *before);
}

TEST_P(LockFolderTest, ADamagedRecordIsReplaced) {
  for (const std::string damaged : {R"({"boot": 1})", R"({"boot": "boot"})", "[]"}) {
    ASSERT_TRUE(store_->commit({.puts = {{std::string(kLockFolder), damaged}}}));
    EXPECT_EQ(agree("boot", "/run/a/locks"), "/run/a/locks");
    EXPECT_EQ(agree("boot", "/run/b/locks"), "/run/a/locks");
  }
}

// A full disk: every commit fails, and what is there can be read.
class Unwritable : public Store {
 public:
  explicit Unwritable(Store& store) : store_(store) {}
  Result<std::optional<Record>> get(std::string_view key) override { return store_.get(key); }
  Result<std::vector<Record>> list(std::string_view prefix, std::string_view start_after,
                                   std::size_t limit) override {
    return store_.list(prefix, start_after, limit);
  }
  Result<CommitResult> commit(const Txn&) override {
    return fail(Code::kExhausted, "the disk is full");
  }
  Result<std::unique_ptr<Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<Event>&)> on_events) override {
    return store_.watch(prefix, after, std::move(on_events));
  }
  Result<std::int64_t> revision() override { return store_.revision(); }

 private:
  Store& store_;
};

TEST_P(LockFolderTest, AFullDiskKeepsNobodyFromWorking) {
  Unwritable full(*store_);
  EXPECT_EQ(*agree_on_lock_folder(full, "boot", "/run/a/locks"), "/run/a/locks");
  agree("boot", "/run/b/locks");
  EXPECT_EQ(*agree_on_lock_folder(full, "boot", "/run/a/locks"), "/run/b/locks");
}

}  // namespace
}  // namespace fairlead::state
