#include "plugin-api/native/codec_doctor.h"

#include <array>

#include "base/json/fields.h"
#include "plugin-api/native/forms.h"

namespace fairlead::native {

using doctor::Diagnosis;
using doctor::Finding;
using doctor::Severity;
using json::fields;
using json::Json;
using json::object;
using json::one_of;
using json::required;
using json::shown;

namespace {

// By the exit code of `fairlead doctor`.
Json result_of(const Diagnosis& diagnosis) {
  constexpr std::array<std::string_view, 4> kWords{"fine", "warnings", "problems", "unknown"};
  return Json(kWords[static_cast<std::size_t>(exit_code_of(diagnosis))]);
}

constexpr auto kFinding =
    fields(required<&Finding::id>("id"),
           required<&Finding::severity>(
               "severity", one_of<Severity::kProblem, Severity::kWarning, Severity::kNote>()),
           required<&Finding::wrong>("wrong"), required<&Finding::why>("why"),
           required<&Finding::mend>("mend"), required<&Finding::fixable>("fixable"));

constexpr auto kDiagnosis =
    fields(shown<Diagnosis, result_of>("result"), required<&Diagnosis::checks>("checks"),
           required<&Diagnosis::findings>("findings", object(kFinding)),
           required<&Diagnosis::unseen>("unseen"), required<&Diagnosis::mended>("mended"),
           required<&Diagnosis::failed>("failed"));

}  // namespace

Json encode_diagnosis(const Diagnosis& diagnosis) { return json::write(diagnosis, kDiagnosis); }

Result<Diagnosis> decode_diagnosis(const Json& document) {
  return json::read(json::Slot(document, kLenient), kDiagnosis);
}

std::vector<DocumentTable> doctor_tables() {
  return {{"Diagnosis", kDiagnosis.rows}, {"Finding", kFinding.rows}};
}

}  // namespace fairlead::native
