#include "network/kernel/firewall/listing.h"

#include "network/kernel/firewall/text.h"

namespace fairlead::kernel {

Result<RulesetListing> list_ruleset() {
  RulesetListing listing;
  TRY(auto nft, NftText::open());
  nft.print_as(NftText::Form::kJson);
  TRY(listing.json, nft.run("list ruleset"));
  nft.print_as(NftText::Form::kHandles);
  TRY(listing.text, nft.run("list ruleset"));
  return listing;
}

}  // namespace fairlead::kernel
