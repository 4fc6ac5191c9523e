#include "base/state/record_fields.h"

namespace fairlead::state {

Error damaged(const Record& record, Error error) {
  error.code = Code::kIo;
  return with_context(std::move(error), fmt::format("read the record {}", record.key));
}

Status read_record_into(const Record& record, std::span<const json::Field> table, void* into) {
  const auto document = json::parse(record.value);
  if (!document) return fail(damaged(record, document.error()));
  auto done = json::read_object(json::Slot(*document, {}), table, into);
  if (!done) return fail(damaged(record, std::move(done.error())));
  return {};
}

}  // namespace fairlead::state
