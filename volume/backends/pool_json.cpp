#include "volume/backends/pool_json.h"

#include "base/json/fields.h"
#include "base/json/format.h"
#include "volume/backends/volume_json.h"

namespace fairlead::volume {

using json::fields;
using json::required;

namespace {

constexpr std::int64_t kFormat = 1;

json::Json show_format(const VolumePool&) { return kFormat; }

constexpr auto kPool =
    fields(json::shown<VolumePool, show_format>("format"), required<&VolumePool::name>("name"),
           required<&VolumePool::id>("id"), required<&VolumePool::fstype>("fstype"),
           required<&VolumePool::device>("device"), required<&VolumePool::size>("size"),
           required<&VolumePool::created>("created"));

}  // namespace

std::string to_pool_json(const VolumePool& pool) { return json::dump(json::write(pool, kPool)); }

Result<VolumePool> parse_pool_json(std::string_view text) {
  TRY(const auto document, json::parse(text));
  TRY_STATUS(status_of(json::read_format(document, "pool.json", kFormat)));
  TRY(auto pool, json::read(document, kPool));
  TRY_STATUS(check_written_id(pool.id));
  return pool;
}

}  // namespace fairlead::volume
