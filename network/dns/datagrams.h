// Queries over UDP at one address.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "network/dns/front.h"
#include "network/dns/loop.h"
#include "network/dns/shares.h"

namespace fairlead::dns {

// Room for many datagrams at a time: one for all sockets of a thread.
class DatagramBatch;
std::shared_ptr<DatagramBatch> make_datagram_batch();

// Answers what comes in until it is gone; a later answer goes out from the same socket. What the kernel does not take at once
// is lost, as with UDP it may be.
class DatagramSocket {
 public:
  virtual ~DatagramSocket() = default;
};
// What the sockets of one address have in common.
struct DatagramService {
  Loop& loop;  // it and the front outlive the sockets
  Front& front;
  std::shared_ptr<DatagramBatch> batch;
  std::shared_ptr<ClientShares> shares;
};
// `fd` is bound and does not block.
Result<std::shared_ptr<DatagramSocket>> serve_datagrams(DatagramService service, UniqueFd fd);

}  // namespace fairlead::dns
