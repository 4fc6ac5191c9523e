// What is wrong with this host, as `fairlead doctor` says it.
#include "plugin-api/native/codec_doctor.h"
#include "plugin-api/native/operations.h"

namespace fairlead::native {

Result<Answer> get_doctor(const Core& core, const Call&) {
  if (core.doctor == nullptr)
    return fail(Code::kUnsupported, "nobody looks at this host here; use `fairlead doctor`");
  return Answer{kOk, encode_diagnosis(core.doctor->examine({}))};
}

}  // namespace fairlead::native
