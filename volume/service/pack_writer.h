// Writes chunks into packs, with all cores: one thread gives chunks, several compress (and encrypt)
// them, one appends them to the pack, in the order in which they came.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "volume/kernel/zstd.h"
#include "volume/service/backup_storage.h"
#include "volume/service/pack_format.h"

namespace fairlead::volume {

struct FinishedPack {
  Digest name{};
  std::vector<PackedChunk> chunks;
  std::uint64_t size = 0;
};

// Its functions are called by one thread. Memory: some 40 MiB, which is used again and again: fresh
// memory for each chunk would cost the kernel as much as reading it.
class PackWriter {
 public:
  // Both are borrowed; `cipher` is nullptr in a folder that is not encrypted.
  PackWriter(BackupStorage& storage, const BackupCipher* cipher);
  // What finish() has not completed is discarded.
  ~PackWriter();

  // Copies the bytes and returns; waits while too many are on their way. A failure in any stage is
  // returned here, or by finish().
  Status put(const Digest& digest, std::string_view bytes);
  // Waits until everything that was put is in published packs. After a failure nothing more is
  // written; packs that were published before stay.
  Status finish();
  // The packs that were published since the last call.
  std::vector<FinishedPack> take_finished();

 private:
  // Chunks that go through the stages together, so that small ones cost little.
  struct Batch {
    std::string plain, packed;
    std::vector<PackedChunk> chunks;  // offset: in `packed`, once it is packed
    bool is_packed = false;
  };
  struct OpenPack {
    std::unique_ptr<BackupWriter> file;
    Sha256 hash;
    std::vector<PackedChunk> chunks;
    std::uint64_t size = 0;
  };

  std::string spare();
  void give_back(std::string& buffer);
  Status send();
  void run(void (PackWriter::*stage)());
  void compress();
  void pack(Batch& batch, ZstdWriter& zstd) const;
  void write();
  Status append(const Batch& batch);
  Status close_pack();
  void end(Error error);
  void wake_all();
  bool is_over() const { return ending_ || error_.has_value(); }

  BackupStorage& storage_;
  const BackupCipher* cipher_;
  std::unique_ptr<Batch> filling_;
  OpenPack open_;  // of the writing thread

  std::mutex mutex_;
  // Of who gives, who compresses, and who writes.
  std::condition_variable has_room_, has_work_, has_packed_;
  std::deque<std::unique_ptr<Batch>> batches_;  // in the order in which they are written
  std::size_t taken_ = 0;                       // of those, from the first on
  bool finishing_ = false, finished_ = false, ending_ = false;
  std::optional<Error> error_;
  std::vector<FinishedPack> done_;
  std::vector<std::string> spare_;     // empty, with room for a batch
  std::vector<std::jthread> threads_;  // the last member: joined first
};

// How many threads shall compress, decrypt or hash at the same time: one for each core, 8 at most.
unsigned worker_count();

}  // namespace fairlead::volume
