// Archives of strangers: libarchive's entries into a folder of this run, from which nothing may
// lead out.
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "volume/kernel/archive.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/remove_tree.h"
#include "volume/kernel/tree_writer.h"

namespace {

using namespace fairlead;
using namespace fairlead::volume;

// top/data is filled; nothing else may appear in top.
struct Place {
  std::string path = "/dev/shm/fairlead-fuzz-XXXXXX";
  Place() {
    if (::mkdtemp(path.data()) == nullptr) ::abort();
  }
  ~Place() {
    if (const auto parent = Folder::open("/dev/shm")) (void)remove_tree(*parent, path.substr(9));
  }
};

Status extract(std::string_view bytes, int data) {
  bool given = false;
  TRY(auto reader, ArchiveReader::open([&]() -> Result<std::string_view> {
        if (given) return std::string_view();
        given = true;
        return bytes;
      }));
  TreeWriter writer(data, Origin::kForeign, {.bytes = 1 << 20, .entries = 1000});
  for (;;) {
    TRY(const auto entry, reader.next());
    if (!entry) return {};
    TRY_STATUS(writer.add(*entry));
    for (;;) {
      TRY(const auto block, reader.read());
      if (!block) break;
      TRY_STATUS(writer.write(block->offset, block->bytes));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  const auto top = Folder::open(place.path);
  if (!top) __builtin_trap();
  if (!remove_tree(*top, "data") || !top->make_folder("data", 0700)) __builtin_trap();
  const auto folder = top->folder("data");
  (void)extract({reinterpret_cast<const char*>(data), size}, folder->fd());
  const auto names = top->names();
  if (!names || names->size() != 1 || names->front() != "data") __builtin_trap();
  return 0;
}
