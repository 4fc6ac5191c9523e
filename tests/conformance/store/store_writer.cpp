// store_writer <database> <key> <value>: a process that writes one record, for tests that kill it.
#include <cstdio>

#include "base/state/sqlite_store.h"

int main(int count, char** words) {
  if (count != 4) return 2;
  auto store = fairlead::state::open_sqlite_store(words[1]);
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().text.c_str());
    return 1;
  }
  return (*store)->commit({.puts = {{words[2], words[3]}}}) ? 0 : 1;
}
