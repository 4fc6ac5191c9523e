#include "volume/service/chunk_stream.h"

#include <exception>

namespace fairlead::volume {

namespace {

constexpr std::uint64_t kGroup = 1U << 20;     // of content
constexpr std::size_t kMostInGroup = 1024;     // chunks
constexpr std::uint32_t kNoPack = UINT32_MAX;  // of a chunk that is in none

}  // namespace

ChunkStream::ChunkStream(const ChunkStore& store) : store_(store) {
  for (unsigned k = 0; k < store.readers(); ++k) threads_.emplace_back([this] { work(); });
}

ChunkStream::~ChunkStream() {
  {
    const std::lock_guard guard(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
}

bool ChunkStream::fits(const ChunkLocation& place) const {
  return filling_->chunks.back().place.pack == place.pack && filling_->bytes < kGroup &&
         filling_->chunks.size() < kMostInGroup;
}

void ChunkStream::ask(const Chunk& chunk) {
  auto place = store_.place_of(chunk.digest).value_or(ChunkLocation{.pack = kNoPack});
  if (place.length != chunk.length) place.pack = kNoPack;  // or memory would not be bounded
  if (filling_ && !fits(place)) close();
  if (!filling_) filling_ = std::make_unique<Group>();
  filling_->chunks.push_back({.digest = chunk.digest, .place = place});
  filling_->lengths.push_back(chunk.length);
  filling_->bytes += chunk.length;
  pending_ += chunk.length;
}

void ChunkStream::close() {
  {
    const std::lock_guard guard(mutex_);
    groups_.push_back(std::move(filling_));
  }
  changed_.notify_all();
}

void ChunkStream::work() {
  for (;;) {
    Group* group = nullptr;
    {
      std::unique_lock guard(mutex_);
      changed_.wait(guard, [&] {
        for (const auto& one : groups_)
          if (group = one.get(); !group->taken) return true;
        group = nullptr;
        return ending_;
      });
      if (ending_) return;
      group->taken = true;
    }
    std::vector<Result<std::string>> texts;
    try {
      if (group->chunks.front().place.pack == kNoPack)
        texts.assign(group->chunks.size(),
                     fail(Code::kNotFound, "a chunk is in no pack with its length"));
      else
        texts = store_.read(group->chunks);
    } catch (const std::exception& wrong) {
      texts.assign(group->chunks.size(), fail(Code::kInternal, "read a chunk: {}", wrong.what()));
    }
    {
      const std::lock_guard guard(mutex_);
      group->texts = std::move(texts);
      group->is_read = true;
    }
    changed_.notify_all();
  }
}

Result<std::string_view> ChunkStream::next() {
  std::unique_lock guard(mutex_);
  if (groups_.empty()) {  // the chunk is in the group that is being filled
    guard.unlock();
    close();
    guard.lock();
  }
  Group& first = *groups_.front();
  changed_.wait(guard, [&] { return first.is_read; });
  const std::uint32_t length = first.lengths[at_];
  auto text = std::move(first.texts[at_]);
  pending_ -= length;
  if (++at_ == first.chunks.size()) {
    groups_.pop_front();
    at_ = 0;
  }
  if (!text) return fail(text.error());
  current_ = std::move(*text);
  return std::string_view(current_);
}

}  // namespace fairlead::volume
