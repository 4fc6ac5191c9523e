#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace fairlead {
namespace {

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFd, ClosesWhatItOwns) {
  int fd = -1;
  {
    const UniqueFd owner(open_null());
    fd = owner.get();
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, MovesItsOwnership) {
  UniqueFd first(open_null());
  const int fd = first.get();
  UniqueFd second(std::move(first));
  EXPECT_FALSE(first);
  EXPECT_EQ(second.get(), fd);
  UniqueFd third(open_null());
  const int other = third.get();
  third = std::move(second);
  EXPECT_FALSE(is_open(other)) << "what it had before is closed";
  EXPECT_TRUE(is_open(fd));
}

TEST(UniqueFd, CanLetGo) {
  UniqueFd owner(open_null());
  const int fd = owner.release();
  EXPECT_FALSE(owner);
  EXPECT_TRUE(is_open(fd));
  ::close(fd);
}

TEST(UniqueFd, DescriptorZeroIsOne) {
  EXPECT_FALSE(UniqueFd());
  UniqueFd zero(0);
  EXPECT_TRUE(zero);
  zero.release();
}

}  // namespace
}  // namespace fairlead
