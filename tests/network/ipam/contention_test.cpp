// Many at once over SQLite, and the cost of one address as a pool fills.
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <set>
#include <thread>

#include "base/state/sqlite_store.h"
#include "tests/network/ipam/ipam_fixture.h"

namespace fairlead::network {
namespace {

class ContentionTest : public IpamTest {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "fairlead-ipam-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    auto opened = state::open_sqlite_store(path());
    ASSERT_TRUE(opened) << opened.error().text;
    store_ = std::move(*opened);
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::string path() const { return folder_ / "state.db"; }

  std::filesystem::path folder_;
};

TEST_F(ContentionTest, SixteenThreadsEmptyA24WithoutGivingAnAddressTwice) {
  make_pool("10.1.0.0/24", "", "10.1.0.1");
  std::mutex guard;
  std::set<IpAddress> given;
  std::size_t total = 0, exhausted = 0;
  std::vector<std::string> problems;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 16; ++t)
      threads.emplace_back([&, t] {
        auto store = state::open_sqlite_store(path());  // as a process of its own would
        Ipam mine(**store, {.boot_id = "boot-1", .ula_seed = "a host"});
        for (int i = 0; i < 17; ++i) {
          const auto address =
              mine.allocate(subnet("10.1.0.0/24"), {.owner = fmt::format("{}/{}", t, i)});
          const std::scoped_lock hold(guard);
          if (address) {
            given.insert(address->address());
            ++total;
          } else if (address.error().code == Code::kExhausted) {
            ++exhausted;
          } else {
            problems.push_back(address.error().text);
          }
        }
      });
  }
  EXPECT_THAT(problems, ::testing::IsEmpty());
  EXPECT_EQ(total, 253U) << "254 addresses without the gateway";
  EXPECT_EQ(given.size(), total) << "an address was given twice";
  EXPECT_EQ(exhausted, 16U * 17U - 253U);
  EXPECT_EQ(leases("10.1.0.0/24").size(), 253U);
}

TEST_F(ContentionTest, EightCreatorsGetPoolsThatDoNotOverlap) {
  std::mutex guard;
  std::vector<Cidr> pools;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 4; ++i) {
          const auto pool =
              ipam().create_pool({.prefix_length = 24U + static_cast<unsigned>(t) % 3});
          const std::scoped_lock hold(guard);
          ASSERT_TRUE(pool) << pool.error().text;
          pools.push_back(pool->subnet);
        }
      });
  }
  ASSERT_EQ(pools.size(), 32U);
  for (std::size_t a = 0; a < pools.size(); ++a)
    for (std::size_t b = a + 1; b < pools.size(); ++b)
      EXPECT_FALSE(pools[a].overlaps(pools[b]))
          << pools[a].to_string() << " and " << pools[b].to_string();
}

TEST_F(ContentionTest, TheTenThousandthAddressCostsWhatTheFirstCosts) {
  make_pool("10.1.0.0/16", "", "10.1.0.1");
  Ipam allocator = ipam();
  constexpr int kBlock = 1000;
  for (int block = 0; block < 10; ++block) {
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < kBlock; ++i)
      ASSERT_TRUE(allocator.allocate(subnet("10.1.0.0/16"), {.owner = "web"}));
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - began;
    std::cout << fmt::format("addresses {:>5} to {:>5}: {:.0f} us each\n", block * kBlock + 1,
                             (block + 1) * kBlock, took.count() / kBlock);
  }
  EXPECT_EQ(store_->list("lease/")->size(), 10U * kBlock);
}

}  // namespace
}  // namespace fairlead::network
