// Chunks in the order in which they are needed, read and checked ahead on all cores.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "volume/service/backup_index.h"
#include "volume/service/chunk_store.h"

namespace fairlead::volume {

// Of one thread. The store is borrowed, and nothing may be put into it meanwhile.
class ChunkStream {
 public:
  explicit ChunkStream(const ChunkStore& store);
  ~ChunkStream();

  // Asks for one more. Neighbours in a pack are read together.
  void ask(const Chunk& chunk);
  // The bytes of the next chunk that was asked for; borrowed until the next call. kInvalid when it
  // is missing, damaged or of another length: the ones behind it can still be taken.
  Result<std::string_view> next();
  // Bytes that were asked for and not taken: the memory that is used.
  std::uint64_t pending() const { return pending_; }

 private:
  // Chunks of one pack that are read together.
  struct Group {
    std::vector<ChunkStore::Wanted> chunks;
    std::vector<std::uint32_t> lengths;  // as the index says
    std::vector<Result<std::string>> texts;
    std::uint64_t bytes = 0;
    bool taken = false, is_read = false;
  };
  bool fits(const ChunkLocation& place) const;
  void close();
  void work();

  const ChunkStore& store_;
  std::unique_ptr<Group> filling_;
  std::size_t at_ = 0;  // in the first group
  std::string current_;
  std::uint64_t pending_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Group>> groups_;
  bool ending_ = false;
  std::vector<std::jthread> threads_;  // the last member: joined first
};

}  // namespace fairlead::volume
