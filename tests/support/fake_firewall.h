// A firewall in memory with the kernel's semantics for elements. The conformance suite runs over it
// and over the kernel. It understands the part of nft's language that Fairlead writes: tables with
// their comment, sets, maps and elements, and chains as lines. It also understands the one-line
// commands by which others change a table: add, insert, flush and delete chains, rules and sets.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "network/kernel/firewall/firewall.h"
#include "network/kernel/firewall/shape.h"

namespace fairlead::testing {

class FakeFirewall : public kernel::Firewall {
 public:
  explicit FakeFirewall(kernel::TableName table = {"fairlead"}) : table_(std::move(table)) {}

  Status run(std::string_view nft_text) override;
  Status apply(std::span<const kernel::ElementChange> changes) override;
  Result<std::vector<kernel::Element>> elements(std::string_view set) override;
  Result<bool> present(std::string_view table_comment) override;
  Result<std::optional<std::string>> comment() override;
  Result<std::uint32_t> chain_uses(std::string_view chain) override;
  Result<std::vector<std::string>> differences(std::string_view nft_text) override;
  Result<std::string> list_text() override;

  // ---- for tests
  std::vector<std::string> texts() const;  // everything that was run, in order
  std::size_t transactions() const;  // apply() calls that changed or would have changed something
  void flush();                      // what `nft flush ruleset` does
  // every run() and apply() from now on; std::nullopt ends that
  void fail_with(std::optional<Error> error);

 private:
  using Lines = std::vector<std::string>;
  struct Set {
    std::vector<std::string> key_types, data_types;
    Lines properties;
    bool interval = false;
    std::map<std::vector<std::uint8_t>, kernel::Element> elements;
  };
  struct Table {
    std::string text, comment, flags;
    std::map<std::string, Set, std::less<>> sets;
    std::map<std::string, Lines, std::less<>> chains;
  };
  class Reader;

  static std::uint32_t uses_of(const Table& table, std::string_view chain);
  static kernel::TableShape shape_of(const std::optional<Table>& table);
  static Status change(Table& table, const kernel::ElementChange& change);

  const kernel::TableName table_;
  mutable std::mutex mutex_;
  std::optional<Table> state_;
  std::vector<std::string> texts_;
  std::size_t transactions_ = 0;
  std::optional<Error> failure_;
};

}  // namespace fairlead::testing
