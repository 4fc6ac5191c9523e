#include "volume/service/pack_writer.h"

#include <algorithm>
#include <exception>

#include "base/fault.h"
#include "volume/service/backup_index.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kPackSize = 16U << 20, kBatch = kChunkSize;
constexpr std::size_t kMostInBatch = 4096;  // chunks
constexpr std::size_t kMostInPack = 32768;  // chunks: of small ones, the list takes the memory
constexpr unsigned kMostWorkers = 8;
// On their way. Who gives goes on when half of them are written, or it would be woken for each.
constexpr std::size_t kMostBatches = 24, kFewBatches = kMostBatches / 2;
constexpr std::size_t kMostSpare = 8;  // buffers

std::string_view text_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

unsigned worker_count() {
  return std::clamp(std::thread::hardware_concurrency(), 1U, kMostWorkers);
}

PackWriter::PackWriter(BackupStorage& storage, const BackupCipher* cipher)
    : storage_(storage), cipher_(cipher) {
  for (unsigned k = 0; k < worker_count(); ++k)
    threads_.emplace_back([this] { run(&PackWriter::compress); });
  threads_.emplace_back([this] { run(&PackWriter::write); });
}

void PackWriter::wake_all() {
  has_room_.notify_all();
  has_work_.notify_all();
  has_packed_.notify_all();
}

PackWriter::~PackWriter() {
  {
    const std::lock_guard guard(mutex_);
    ending_ = true;
  }
  wake_all();
}

void PackWriter::end(Error error) {
  {
    const std::lock_guard guard(mutex_);
    if (!error_) error_ = std::move(error);
  }
  wake_all();
}

// The body of each thread. Memory that is lacking ends the run like any other failure.
void PackWriter::run(void (PackWriter::*stage)()) {
  try {
    (this->*stage)();
  } catch (const std::exception& wrong) {
    end({Code::kInternal, 0, fmt::format("write the backup: {}", wrong.what())});
  }
}

Status PackWriter::put(const Digest& digest, std::string_view bytes) {
  if (filling_ &&
      (filling_->plain.size() + bytes.size() > kBatch || filling_->chunks.size() >= kMostInBatch))
    TRY_STATUS(send());
  if (!filling_) {
    filling_ = std::make_unique<Batch>();
    const std::lock_guard guard(mutex_);
    filling_->plain = spare();
  }
  filling_->plain.append(bytes);
  filling_->chunks.push_back(
      {.digest = digest, .length = static_cast<std::uint32_t>(bytes.size())});
  return {};
}

// An empty buffer. The caller holds the lock, here and below.
std::string PackWriter::spare() {
  std::string buffer;
  if (!spare_.empty()) {
    buffer = std::move(spare_.back());
    spare_.pop_back();
  }
  buffer.reserve(kBatch);
  return buffer;
}

void PackWriter::give_back(std::string& buffer) {
  buffer.clear();
  if (spare_.size() < kMostSpare) spare_.push_back(std::move(buffer));
  buffer = {};
}

Status PackWriter::send() {
  {
    std::unique_lock guard(mutex_);
    if (batches_.size() >= kMostBatches)
      has_room_.wait(guard, [&] { return is_over() || batches_.size() <= kFewBatches; });
    if (error_) return fail(*error_);
    batches_.push_back(std::move(filling_));
  }
  has_work_.notify_one();
  return {};
}

Status PackWriter::finish() {
  if (filling_) TRY_STATUS(send());
  std::unique_lock guard(mutex_);
  finishing_ = true;
  finished_ = false;
  has_packed_.notify_all();
  has_room_.wait(guard, [&] { return finished_ || error_.has_value(); });
  finishing_ = false;
  if (error_) return fail(*error_);
  return {};
}

std::vector<FinishedPack> PackWriter::take_finished() {
  const std::lock_guard guard(mutex_);
  return std::exchange(done_, {});
}

// ---- the compressing threads

void PackWriter::compress() {
  ZstdWriter zstd(ZstdLevel::kChunks);
  for (;;) {
    Batch* batch = nullptr;
    {
      std::unique_lock guard(mutex_);
      has_work_.wait(guard, [&] { return is_over() || taken_ < batches_.size(); });
      if (is_over()) return;
      batch = batches_[taken_++].get();
      batch->packed = spare();
    }
    pack(*batch, zstd);
    bool is_first = false;
    {
      const std::lock_guard guard(mutex_);
      batch->is_packed = true;
      give_back(batch->plain);
      is_first = batches_.front().get() == batch;
    }
    if (is_first) has_packed_.notify_one();
  }
}

void PackWriter::pack(Batch& batch, ZstdWriter& zstd) const {
  std::size_t at = 0;
  for (PackedChunk& chunk : batch.chunks) {
    const std::string_view plain = std::string_view(batch.plain).substr(at, chunk.length);
    at += chunk.length;
    const std::string_view packed = zstd.pack_in_place(plain);
    const std::string_view smaller = packed.size() < plain.size() ? packed : plain;
    chunk.offset = static_cast<std::uint32_t>(batch.packed.size());
    if (cipher_ != nullptr)
      cipher_->seal(smaller, text_of(chunk.digest), batch.packed);
    else
      batch.packed.append(smaller);
    chunk.stored = static_cast<std::uint32_t>(batch.packed.size()) - chunk.offset;
  }
}

// ---- the writing thread

void PackWriter::write() {
  for (;;) {
    std::unique_ptr<Batch> batch;
    bool has_room = false;
    {
      std::unique_lock guard(mutex_);
      has_packed_.wait(guard, [&] {
        return is_over() || (!batches_.empty() && batches_.front()->is_packed) ||
               (batches_.empty() && finishing_ && !finished_);
      });
      if (is_over()) return;
      if (!batches_.empty()) {
        batch = std::move(batches_.front());
        batches_.pop_front();
        --taken_;
        has_room = batches_.size() == kFewBatches;
      }
    }
    if (has_room) has_room_.notify_one();
    const auto done = batch ? append(*batch) : close_pack();
    if (!done) return end(done.error());
    const std::lock_guard guard(mutex_);
    if (batch) {
      give_back(batch->packed);
      continue;
    }
    finished_ = true;
    has_room_.notify_all();
  }
}

Status PackWriter::append(const Batch& batch) {
  if (!open_.file) {
    TRY(open_.file, storage_.create());
    const std::string_view magic = pack_magic(cipher_);
    TRY_STATUS(open_.file->append(magic));
    open_.hash.add(magic);
    open_.size = magic.size();
  }
  for (PackedChunk chunk : batch.chunks) {
    chunk.offset += static_cast<std::uint32_t>(open_.size);
    open_.chunks.push_back(chunk);
  }
  TRY_STATUS(open_.file->append(batch.packed));
  open_.hash.add(batch.packed);
  open_.size += batch.packed.size();
  const bool is_full = open_.size >= kPackSize || open_.chunks.size() >= kMostInPack;
  return is_full ? close_pack() : Status();
}

Status PackWriter::close_pack() {
  if (!open_.file) return {};
  const std::string tail = to_pack_end(open_.chunks, cipher_);
  TRY_STATUS(open_.file->append(tail));
  open_.hash.add(tail);
  FinishedPack finished{.name = open_.hash.finish(),
                        .chunks = std::move(open_.chunks),
                        .size = open_.size + tail.size()};
  fault_point("backup.pack.written");
  TRY_STATUS(open_.file->publish(pack_name(finished.name)));
  fault_point("backup.pack.renamed");
  open_.file.reset();
  open_.chunks = {};
  const std::lock_guard guard(mutex_);
  done_.push_back(std::move(finished));
  return {};
}

}  // namespace fairlead::volume
