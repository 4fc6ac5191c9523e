// Verbs for the trash, the pools of volumes, and jobs.
#include "plugin-api/native/operations.h"

namespace fairlead::native {

namespace {

template <class Value>
Document encode_all(const std::vector<Value>& values, Document (*encode)(const Value&)) {
  Document list = Document::array();
  for (const Value& value : values) list.push_back(encode(value));
  return list;
}

}  // namespace

Result<Answer> list_trash(const Core& core, const Call&) {
  TRY(auto trash, core.volumes.trash());
  return Answer{kOk, {{"trash", encode_all(trash, encode_trashed)}}};
}

Result<Answer> empty_trash(const Core& core, const Call&) {
  TRY(auto removed, core.volumes.empty_trash(""));
  return Answer{kOk, encode_removed(removed)};
}

Result<Answer> restore_trashed(const Core& core, const Call& call) {
  TRY(auto name, decode_trash_restore(call.body));
  TRY(auto volume, core.volumes.restore_from_trash(call.params[0], name));
  return Answer{kOk, encode_volume(volume)};
}

Result<Answer> delete_trashed(const Core& core, const Call& call) {
  TRY(auto removed, core.volumes.empty_trash(call.params[0]));
  if (removed == 0)
    return fail(Code::kInUse, "remove {} from the trash: something still has it mounted",
                call.params[0]);
  return Answer{kNoContent, {}};
}

Result<Answer> list_pools(const Core& core, const Call&) {
  TRY(auto pools, core.pools.list());
  return Answer{kOk, {{"pools", encode_all(pools, encode_pool)}}};
}

Result<Answer> create_pool(const Core& core, const Call& call) {
  TRY(auto spec, decode_pool_spec(call.body));
  TRY(auto pool, core.pools.create(spec));
  return Answer{kCreated, encode_pool(pool)};
}

Result<Answer> get_pool(const Core& core, const Call& call) {
  TRY(auto pool, core.pools.inspect(call.params[0]));
  return Answer{kOk, encode_pool(pool)};
}

Result<Answer> grow_pool(const Core& core, const Call& call) {
  TRY(auto size, decode_pool_growth(call.body));
  TRY(auto pool, core.pools.grow(call.params[0], size));
  return Answer{kOk, encode_pool(pool)};
}

Result<Answer> delete_pool(const Core& core, const Call& call) {
  TRY_STATUS(core.pools.remove(call.params[0]));
  return Answer{kNoContent, {}};
}

Result<Answer> list_jobs(const Core& core, const Call&) {
  TRY(auto jobs, core.jobs.list());
  return Answer{kOk, {{"jobs", encode_all(jobs, encode_job)}}};
}

Result<Answer> stop_job(const Core& core, const Call& call) {
  TRY_STATUS(core.jobs.stop(call.params[0]));
  return Answer{kNoContent, {}};
}

}  // namespace fairlead::native
