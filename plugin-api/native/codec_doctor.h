// What the doctor found, as a document. Apart from codec.h, because programs that use the client library
// need none of it.
//
//   {"result": "problems", "checks": ["daemon", "mtu", ...],
//    "findings": [{"id": "mtu", "severity": "warning", "wrong": "...", "why": "...", "mend": "...",
//                  "fixable": false}],
//    "unseen": [], "mended": [], "failed": []}
#pragma once

#include "base/json/json.h"
#include "plugin-api/doctor/finding.h"

namespace fairlead::native {

json::Json encode_diagnosis(const doctor::Diagnosis& diagnosis);
Result<doctor::Diagnosis> decode_diagnosis(const json::Json& document);

struct DocumentTable;  // forms.h
std::vector<DocumentTable> doctor_tables();

}  // namespace fairlead::native
