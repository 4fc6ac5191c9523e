// Serialises a Response for one send.
#pragma once

#include <string>

#include "plugin-api/http/message.h"

namespace fairlead::http {

enum class Connection { kKeep, kClose };
enum class Body { kSend, kLeaveOut };  // kLeaveOut: for HEAD requests

// Header and body together. Control characters in header values become spaces, so that no value can
// add a header.
std::string to_text(const Response& response, Connection connection, Body body = Body::kSend);

// "Not Found" for 404; "Unknown" for a status without a name.
std::string_view reason_phrase(int status);

}  // namespace fairlead::http
