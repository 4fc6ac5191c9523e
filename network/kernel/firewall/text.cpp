#include "network/kernel/firewall/text.h"

#include <dlfcn.h>
#include <nftables/libnftables.h>

#include <cctype>

#include "network/kernel/host/lasting_child.h"

namespace fairlead::kernel {

namespace {

// The functions of nftables/libnftables.h, found at run time.
struct Library {
  decltype(&nft_ctx_new) ctx_new = nullptr;
  decltype(&nft_ctx_free) ctx_free = nullptr;
  decltype(&nft_ctx_buffer_output) buffer_output = nullptr;
  decltype(&nft_ctx_buffer_error) buffer_error = nullptr;
  decltype(&nft_ctx_get_output_buffer) output = nullptr;
  decltype(&nft_ctx_get_error_buffer) error = nullptr;
  decltype(&nft_run_cmd_from_buffer) run = nullptr;
  decltype(&nft_ctx_output_set_flags) set_flags = nullptr;
  std::string problem;
};

template <class Function>
void find(void* handle, const char* name, Function& into, std::string& problem) {
  into = reinterpret_cast<Function>(::dlsym(handle, name));
  if (into == nullptr) problem = name;
}

// The library is never unloaded, because contexts may live as long as the process.
Library load() {
  Library library;
  void* handle = ::dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    library.problem = reason == nullptr ? "unknown reason" : reason;
    return library;
  }
  find(handle, "nft_ctx_new", library.ctx_new, library.problem);
  find(handle, "nft_ctx_free", library.ctx_free, library.problem);
  find(handle, "nft_ctx_buffer_output", library.buffer_output, library.problem);
  find(handle, "nft_ctx_buffer_error", library.buffer_error, library.problem);
  find(handle, "nft_ctx_get_output_buffer", library.output, library.problem);
  find(handle, "nft_ctx_get_error_buffer", library.error, library.problem);
  find(handle, "nft_run_cmd_from_buffer", library.run, library.problem);
  find(handle, "nft_ctx_output_set_flags", library.set_flags, library.problem);
  return library;
}

const Library& library() {
  static const Library loaded = load();
  return loaded;
}

// nft prints "/dev/stdin:1:1-2: Error: syntax error", and then lines that show the place. The
// message of the first line is enough.
std::string first_complaint(std::string_view text) {
  std::string line(text.substr(0, text.find('\n')));
  if (const auto at = line.find("Error: "); at != std::string::npos) line.erase(0, at + 7);
  if (line.empty()) return "no reason given";
  line[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(line[0])));
  return line;
}

}  // namespace

void NftText::Free::operator()(nft_ctx* context) const { library().ctx_free(context); }

Result<NftText> NftText::open() {
  const Library& nft = library();
  if (!nft.problem.empty())
    return fail(Code::kUnsupported, "load libnftables: {} (is the package libnftables1 installed?)",
                nft.problem);
  expect_unknown_netfilter_sockets();
  std::unique_ptr<nft_ctx, Free> context(nft.ctx_new(NFT_CTX_DEFAULT));
  if (!context || nft.buffer_output(context.get()) != 0 || nft.buffer_error(context.get()) != 0)
    return fail(Code::kIo, "open libnftables: it refuses to start");
  return NftText(std::move(context));
}

Result<std::string> NftText::run(std::string_view text) {
  const Library& nft = library();
  const int status = nft.run(context_.get(), std::string(text).c_str());
  // Reading the buffers also empties them for the next run.
  const std::string printed = nft.output(context_.get());
  const std::string complaint = nft.error(context_.get());
  if (status != 0) return fail(Code::kInvalid, "{}", first_complaint(complaint));
  return printed;
}

void NftText::print_as(Form form) {
  unsigned flags = 0;
  if (form == Form::kHandles) flags = NFT_CTX_OUTPUT_HANDLE;
  if (form == Form::kJson) flags = NFT_CTX_OUTPUT_JSON;
  library().set_flags(context_.get(), flags);
}

}  // namespace fairlead::kernel
