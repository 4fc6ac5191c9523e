// What dockerd's API says of containers, images and commands in containers. Pure; any text is safe
// to read.
//
//   GET /containers/json?filters={"volume":["db"]}
//     [{"Id":"7d4c...","Names":["/db"],"ImageID":"sha256:...","Labels":{...},
//       "Mounts":[{"Type":"volume","Name":"db","Driver":"fairlead"}]}]
//   GET /images/sha256:.../json     {"Config":{"Labels":{...}}}
//   POST /containers/ID/exec        {"AttachStdout":true,"Cmd":[...],"Env":[...],"User":""} -> {"Id":"..."}
//   POST /exec/ID/start             {"Detach":false,"Tty":false} -> frames of both streams
//   GET /exec/ID/json               {"Running":false,"ExitCode":0}
//
// (moby's api/swagger.yaml; the same since API 1.24.) A frame is a byte for the stream, three zero
// bytes, the length as 4 bytes (big-endian), and the bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin-api/hooks/runtime.h"

namespace fairlead::hooks {

// Those that mount one of `volumes` by this driver; kInvalid for anything but an answer of
// dockerd's.
Result<std::vector<Container>> decode_containers(std::string_view body, const std::string& driver,
                                                 const std::vector<std::string>& volumes);
std::string filters_path(const std::vector<std::string>& volumes);
Result<std::map<std::string, std::string>> decode_image_labels(std::string_view body);
std::string encode_command(const Command& command);
Result<std::string> decode_id(std::string_view body);  // hex digits: it becomes part of a path
// std::nullopt while it runs.
Result<std::optional<int>> decode_exit(std::string_view body);
std::string decode_refusal(std::string_view body);
// What was said in these frames; of a text that is none, the text.
std::string decode_frames(std::string_view frames);

}  // namespace fairlead::hooks
