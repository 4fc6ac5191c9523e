// nf_tables' answers.
#include <cstdint>
#include <span>
#include <vector>

#include "network/kernel/firewall/foreign_chains.h"
#include "network/kernel/firewall/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fairlead::kernel;
  const std::span<const std::uint8_t> bytes(data, size);
  (void)parse_answers(bytes).has_value();
  (void)parse_table_comment(bytes).has_value();
  const auto shape = parse_set_shape(bytes);
  std::vector<RawElement> raw;
  if (shape && parse_elements(bytes, "ports", *shape, raw))
    (void)join_intervals(std::move(raw), *shape);
  (void)parse_foreign_chain(bytes);
  (void)parse_foreign_table(bytes);
  (void)parse_foreign_rule(bytes);
  return 0;
}
