// Runs nft text through libnftables. The library is loaded when it is first needed, because loading
// it takes a millisecond of start time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct nft_ctx;

namespace fairlead::kernel {

// Not thread-safe. Its socket is opened in the network namespace of the thread that calls open().
class NftText {
 public:
  // kUnsupported when libnftables.so.1 is not installed.
  static Result<NftText> open();

  // Runs the text as one transaction and returns what it prints. kInvalid (with the first line of
  // nft's complaint) when nft or the kernel refuses it.
  Result<std::string> run(std::string_view text);

  enum class Form {
    kText,
    kHandles,  // text with the handles of rules
    kJson,     // libnftables-json(5)
  };
  // How run() prints from now on.
  void print_as(Form form);

 private:
  struct Free {
    void operator()(nft_ctx* context) const;
  };
  explicit NftText(std::unique_ptr<nft_ctx, Free> context) : context_(std::move(context)) {}

  std::unique_ptr<nft_ctx, Free> context_;
};

}  // namespace fairlead::kernel
