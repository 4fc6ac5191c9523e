// The stores that the suite runs over. A new store needs one entry in `all_stores`.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/state/etcd_store.h"
#include "base/state/memory_store.h"
#include "base/state/sqlite_store.h"
#include "tests/support/etcd_cluster.h"

namespace fairlead::state {

// A folder for each test, removed with the object.
class TempFolder {
 public:
  TempFolder() {
    std::string name = std::filesystem::temp_directory_path() / "fairlead-store-XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path(const std::string& name = "") const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// One server for all tests of a program, started when the first test needs it.
inline fairlead::testing::EtcdCluster& shared_etcd() {
  static fairlead::testing::EtcdCluster etcd({});
  return etcd;
}

inline Result<std::unique_ptr<EtcdStore>> open_on_shared_etcd() {
  return open_etcd_store({.endpoints = shared_etcd().endpoints(),
                          .prefix = shared_etcd().new_prefix(),
                          .call_timeout = std::chrono::seconds(10),
                          .deadline = std::chrono::seconds(20)});
}

struct StoreKind {
  std::string name;
  // Opens an empty store that remembers `remembered` commits for watches.
  std::function<Result<std::unique_ptr<Store>>(const TempFolder&, std::int64_t remembered)> open;
  std::int64_t first_revision = 0;  // of a new store; -1: any
  int most_changes = 1000;          // in one commit
  // Makes the store forget everything before the revision, unless it forgets by itself.
  std::function<void(std::int64_t revision)> forget = [](std::int64_t) {};
  // Breaks the connections of watches, if there are any.
  std::function<void()> cut_watches = [] {};
};

inline std::vector<StoreKind> all_stores() {
  return {
      {.name = "memory",
       .open = [](const TempFolder&, std::int64_t remembered) -> Result<std::unique_ptr<Store>> {
         return make_memory_store(remembered);
       }},
      {.name = "sqlite",
       .open =
           [](const TempFolder& folder, std::int64_t remembered) {
             return open_sqlite_store(folder.path("state.db"), {.remembered = remembered});
           }},
      {.name = "etcd",
       .open = [](const TempFolder&, std::int64_t) -> Result<std::unique_ptr<Store>> {
         return open_on_shared_etcd();
       },
       .first_revision = -1,
       .most_changes = kMostEtcdChanges,
       .forget = [](std::int64_t revision) { shared_etcd().compact(revision); },
       .cut_watches =
           [] {
             shared_etcd().kill(0);
             shared_etcd().start(0);
             shared_etcd().wait_until_ready();
           }},
  };
}

class StoreTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override { reopen(kRememberedCommits); }
  void reopen(std::int64_t remembered) {
    store_.reset();
    folder_.emplace();
    auto opened = GetParam().open(*folder_, remembered);
    ASSERT_TRUE(opened) << opened.error().text;
    store_ = std::move(*opened);
    start_ = *store_->revision();
  }

  // ---- verbs

  Result<CommitResult> commit(Txn txn) { return store_->commit(txn); }
  std::int64_t put(const std::string& key, const std::string& value) {
    auto done = commit({.puts = {{key, value}}});
    EXPECT_TRUE(done) << done.error().text;
    return done ? done->revision : -1;
  }
  std::int64_t remove(const std::string& key) {
    auto done = commit({.deletes = {key}});
    EXPECT_TRUE(done) << done.error().text;
    return done ? done->revision : -1;
  }
  std::string value_of(const std::string& key) {
    auto found = store_->get(key);
    EXPECT_TRUE(found) << found.error().text;
    return found && *found ? (*found)->value : "<absent>";
  }
  std::int64_t revision_of(const std::string& key) {
    auto found = store_->get(key);
    return found && *found ? (*found)->revision : kAbsent;
  }
  std::vector<std::string> keys(std::string_view prefix, std::string_view after = {},
                                std::size_t limit = 0) {
    auto records = store_->list(prefix, after, limit);
    EXPECT_TRUE(records);
    std::vector<std::string> found;
    for (const Record& record : *records) found.push_back(record.key);
    return found;
  }
  static Code code_of(const Result<CommitResult>& result) {
    EXPECT_FALSE(result) << "the commit should have failed";
    return result ? Code::kInternal : result.error().code;
  }

  std::optional<TempFolder> folder_;
  std::unique_ptr<Store> store_;
  std::int64_t start_ = 0;  // the revision when the test began
};

inline std::string kind_name(const ::testing::TestParamInfo<StoreKind>& info) {
  return info.param.name;
}

}  // namespace fairlead::state
