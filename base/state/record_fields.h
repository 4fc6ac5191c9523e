// Records by tables of fields (base/json/fields.h).
#pragma once

#include <span>

#include "base/json/fields.h"
#include "base/state/store.h"

namespace fairlead::state {

// A record is Fairlead's own: what is wrong with it is damage, not bad input. kIo, with "read the
// record <key>" in front.
Error damaged(const Record& record, Error error);

Status read_record_into(const Record& record, std::span<const json::Field> table, void* into);

// The value of the record; its errors are those of damaged().
template <class T, std::size_t N>
Result<T> read_record(const Record& record, const json::Fields<T, N>& table) {
  Result<T> value{T()};
  if (auto done = read_record_into(record, table.rows, &*value); !done)
    return fail(std::move(done.error()));
  return value;
}

}  // namespace fairlead::state
