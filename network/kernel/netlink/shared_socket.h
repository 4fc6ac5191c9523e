// A netlink socket that several threads use.
#pragma once

#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "network/kernel/netlink/netlink.h"

namespace fairlead::kernel {

// The requests of a NetlinkSocket, one caller at a time: who comes second waits until the kernel has
// answered the first. Thread-safe.
class SharedSocket {
 public:
  explicit SharedSocket(NetlinkSocket socket) : socket_(std::move(socket)) {}

  Status request(NetlinkMessage message, std::string_view what,
                 const NetlinkSocket::OnMessage& on_message = {}) {
    const std::lock_guard lock(mutex_);
    return socket_.request(std::move(message), what, on_message);
  }
  Status batch(std::vector<NetlinkStep> steps, const NetlinkSocket::OnMessage& on_message = {},
               const NetlinkSocket::OnFailure& on_tolerated = {}) {
    const std::lock_guard lock(mutex_);
    return socket_.batch(std::move(steps), on_message, on_tolerated);
  }
  Status exchange(std::vector<NetlinkMessage> messages, std::string_view what,
                  const NetlinkSocket::OnFailure& on_failure,
                  const NetlinkSocket::OnMessage& on_message = {}) {
    const std::lock_guard lock(mutex_);
    return socket_.exchange(std::move(messages), what, on_failure, on_message);
  }
  Status dump(const NetlinkMessage& message, std::string_view what,
              const std::function<void()>& restart, const NetlinkSocket::OnMessage& on_message) {
    const std::lock_guard lock(mutex_);
    return socket_.dump(message, what, restart, on_message);
  }
  // The objects of a dump that `parse` (from a MessageView to an optional value) accepts.
  template <class Parse>
  auto collect(const NetlinkMessage& message, std::string_view what, const Parse& parse)
      -> Result<std::vector<typename std::invoke_result_t<Parse, const MessageView&>::value_type>> {
    std::vector<typename std::invoke_result_t<Parse, const MessageView&>::value_type> found;
    TRY_STATUS(dump(
        message, what, [&] { found.clear(); },
        [&](const MessageView& each) {
          if (auto value = parse(each)) found.push_back(std::move(*value));
        }));
    return found;
  }

 private:
  std::mutex mutex_;
  NetlinkSocket socket_;
};

}  // namespace fairlead::kernel
