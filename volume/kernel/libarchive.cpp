#include "volume/kernel/libarchive.h"

#include <dlfcn.h>

namespace fairlead::volume {

namespace {

// The name of its interface since version 3.
constexpr const char* kName = "libarchive.so.13";

tl::unexpected<Error> missing() {
  const char* const text = ::dlerror();
  return fail(
      Code::kUnsupported,
      "archives need libarchive (in Debian the package libarchive13 or libarchive13t64): {}",
      text == nullptr ? kName : text);
}

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

Result<Libarchive> load() {
  void* const library = ::dlopen(kName, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return missing();
  Libarchive found{};
#define FAIRLEAD_FIND(name) \
  if (!find(library, #name, found.name)) return missing();
  FAIRLEAD_LIBARCHIVE_FUNCTIONS(FAIRLEAD_FIND)
#undef FAIRLEAD_FIND
  return found;
}

const Result<Libarchive>& loaded() {
  static const Result<Libarchive> result = load();
  return result;
}

}  // namespace

Status load_libarchive() { return status_of(loaded()); }

const Libarchive& lib() { return *loaded(); }

}  // namespace fairlead::volume
