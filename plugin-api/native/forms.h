// Forms of the codec's tables (base/json/fields.h): how values of the core look in the documents of
// API v1.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/fields.h"
#include "base/json/scalars.h"
#include "network/api/types.h"
#include "plugin-api/native/codec.h"
#include "volume/api/types.h"

namespace fairlead::native {

// How requests are read: a field that no table has is refused, with a suggestion.
inline constexpr json::Reading kStrict{.refuse_unknown = true};
// How a client reads answers: a newer daemon may say more than it knows.
inline constexpr json::Reading kLenient{};

// 1 to `most` characters of [0-9a-zA-Z_.-]: ids and names of other programs.
Result<std::string> parse_token(std::string_view text, std::size_t most);
Result<std::string> parse_id(std::string_view text);     // at most 128
Result<std::string> parse_label(std::string_view text);  // at most 255: container, runtime, host
// A container's name or id; a pod's is "namespace/name".
Result<std::string> parse_container(std::string_view text);
inline constexpr auto kId = json::text<&parse_id>();
// What a driver shows of its links, as fields of the object that describes their owner.
json::Json written(const network::DriverRecord& links);
// The reverse: what is in the object and none of the rows of its owner.
network::DriverRecord read_links(const json::Json& object, std::span<const json::Field> rows);

inline constexpr auto kLabel = json::text<&parse_label>();

// Options and labels: keys are 1 to 256 bytes, and neither keys nor values hold a NUL.
using Texts = std::map<std::string, std::string>;
Status check_text(const json::Slot& map, std::string_view key, std::string_view value);
Result<Texts> read_texts(const json::Slot& slot);
json::Json write_texts(const Texts& texts);
inline constexpr auto kTexts = json::custom<&read_texts, &write_texts>();

// Bytes: a positive number, or a text as in options ("10g").
Result<std::uint64_t> read_size(const json::Slot& slot);
json::Json write_size(const std::uint64_t& bytes);
inline constexpr auto kSize = json::custom<&read_size, &write_size>();

// Unix seconds as RFC 3339 has them; only in answers.
Result<long long> read_time(const json::Slot& slot);
json::Json write_time(const long long& seconds);
inline constexpr auto kTime = json::custom<&read_time, &write_time>();

// What a verb could not keep.
inline constexpr auto kLeftOut = json::fields(json::required<&volume::LeftOut::count>("count"),
                                              json::required<&volume::LeftOut::notes>("notes"));
inline constexpr auto kMountHint =
    json::fields(json::required<&volume::MountHint::client>("client"),
                 json::required<&volume::MountHint::id>("id"),
                 json::required<&volume::MountHint::count>("count"));

// A table and the schema of openapi.json that describes it; a test compares the two. Several tables
// may make up one schema.
struct DocumentTable {
  std::string_view schema;
  std::span<const json::Field> table;
};
std::vector<DocumentTable> network_tables();
std::vector<DocumentTable> lease_tables();
std::vector<DocumentTable> endpoint_tables();
std::vector<DocumentTable> policy_tables();
std::vector<DocumentTable> volume_tables();
std::vector<DocumentTable> snapshot_tables();
std::vector<DocumentTable> storage_tables();
std::vector<DocumentTable> cluster_tables();
std::vector<DocumentTable> event_tables();

}  // namespace fairlead::native
