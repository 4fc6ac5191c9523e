// Serialises a Response for one send.
#pragma once

#include <string>
#include <string_view>

#include "plugin-api/http/message.h"

namespace fairlead::http {

enum class Connection { kKeep, kClose };
enum class Body { kSend, kLeaveOut };  // kLeaveOut: for HEAD requests

// Header and body together. Control characters in header values become spaces, so that no value can
// add a header.
std::string to_text(const Response& response, Connection connection, Body body = Body::kSend);

// The header of a response whose body is a stream, and the chunks of that. The connection is closed
// after it.
std::string stream_header(const Response& response);
std::string chunk(std::string_view bytes);  // not empty
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// "Not Found" for 404; "Unknown" for a status without a name.
std::string_view reason_phrase(int status);

}  // namespace fairlead::http
