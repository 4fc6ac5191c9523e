// The reaper of short-lived programs: a child process makes the slow call and outlives its parent.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"
#include "network/kernel/host/lasting_child.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/removal.h"

namespace fairlead::kernel {

namespace {

class ProcessReaper final : public LinkReaper {
 public:
  explicit ProcessReaper(NetlinkSocket socket) : socket_(std::move(socket)) {}

  Status submit(const std::vector<int>& indexes) override {
    std::vector<std::uint8_t> bytes;
    for (const int index : indexes) {
      const NetlinkMessage message = delete_link(index);
      bytes.insert(bytes.end(), message.bytes().begin(), message.bytes().end());
    }
    const std::lock_guard lock(mutex_);
    if (!life_line_) TRY_STATUS(open_life_line());
    const Status left =
        leave_child({.message = bytes, .socket = socket_.fd(), .life_line = life_line_.get()});
    if (!left) return fail(with_context(left.error(), "delete links"));
    return {};
  }

  // read(2) returns at the end of the pipe, when no child holds the other end any more.
  void finish() override {
    const std::lock_guard lock(mutex_);
    life_line_.reset();
    if (!end_of_life_) return;
    char none = 0;
    while (::read(end_of_life_.get(), &none, 1) < 0 && errno == EINTR) {
    }
    end_of_life_.reset();
  }

 private:
  Status open_life_line() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "open a pipe");
    end_of_life_.reset(ends[0]);
    life_line_.reset(ends[1]);
    return {};
  }

  std::mutex mutex_;
  NetlinkSocket socket_;
  UniqueFd end_of_life_, life_line_;
};

}  // namespace

Result<std::unique_ptr<LinkReaper>> make_process_reaper() {
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
  return std::make_unique<ProcessReaper>(std::move(socket));
}

}  // namespace fairlead::kernel
