#include "plugin-api/native/codec_explain.h"

#include "base/json/fields.h"
#include "plugin-api/native/forms.h"

namespace fairlead::native {

using json::fields;
using json::object;
using json::required;
using json::sparse;
using network::ExplainPath;
using network::ExplainStep;
using network::Explanation;
using network::PacketTrace;
using network::Reach;
using network::TraceStep;

namespace {

Result<Reach> parse_reach(std::string_view text) {
  for (const Reach reach : {Reach::kYes, Reach::kNo, Reach::kUnseen})
    if (to_string(reach) == text) return reach;
  return fail(Code::kInvalid, "it must be yes, no or unseen");
}
Result<Reach> read_reach(const json::Slot& slot) {
  if (!slot.value().is_string()) return slot.wrong("a string");
  return parse_reach(slot.value().string());
}
json::Json write_reach(const Reach& reach) { return to_string(reach); }
constexpr auto kReach = json::custom<&read_reach, &write_reach>();

constexpr auto kStep =
    fields(required<&ExplainStep::place>("place"), required<&ExplainStep::what>("what"),
           required<&ExplainStep::stops>("stops"), sparse<&ExplainStep::table>("table"),
           sparse<&ExplainStep::chains>("chains"), sparse<&ExplainStep::rule>("rule"),
           sparse<&ExplainStep::elements>("elements"));

constexpr auto kPath = fields(
    required<&ExplainPath::from>("from"), required<&ExplainPath::to>("to"),
    required<&ExplainPath::source>("source"), required<&ExplainPath::destination>("destination"),
    required<&ExplainPath::port>("port", json::text<&network::parse_explain_port>()),
    required<&ExplainPath::published>("published"), required<&ExplainPath::reach>("reach", kReach),
    required<&ExplainPath::answers>("answers", kReach),
    required<&ExplainPath::sentence>("sentence"),
    required<&ExplainPath::steps>("steps", object(kStep)));

constexpr auto kExplanation = fields(
    required<&Explanation::reach>("reach", kReach), required<&Explanation::sentence>("sentence"),
    required<&Explanation::paths>("paths", object(kPath)), required<&Explanation::notes>("notes"));

constexpr auto kTraceStep =
    fields(required<&TraceStep::table>("table"), required<&TraceStep::chain>("chain"),
           required<&TraceStep::rule>("rule"), required<&TraceStep::verdict>("verdict"));

constexpr auto kTrace =
    fields(required<&PacketTrace::sent>("sent"), required<&PacketTrace::dropped>("dropped"),
           sparse<&PacketTrace::answered>("answered"), sparse<&PacketTrace::said>("said"),
           required<&PacketTrace::steps>("steps", object(kTraceStep)));

}  // namespace

Document encode_explanation(const Explanation& explanation) {
  return json::write(explanation, kExplanation);
}

Document encode_trace(const PacketTrace& trace) { return json::write(trace, kTrace); }

}  // namespace fairlead::native
