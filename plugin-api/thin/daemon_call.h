// One call to fairleadd: headers and a body to its socket, and the answer back. Knows HTTP and
// where a daemon is, but no protocol of a runtime: what is sent, what is done without a daemon and how a
// failure is told is the business of the caller (cni.cpp).
//
// Which daemon it is: FAIRLEAD_RUN_DIR names its folder; without it, the daemon of the host's
// configuration listens at the default place, whatever its folders are called. The request carries
// the variables that name another configuration or store, and a daemon that is not meant answers
// 421 (plugin-api/bin/instance.h).
#pragma once

#include <sys/un.h>

#include "plugin-api/thin/text.h"

namespace client {

enum class Outcome {
  kOk,
  kUnfit,       // a value that no header can carry, or a configuration that only a reader of JSON
                // can follow; nothing was sent
  kNobody,      // nobody listens there; nothing was sent
  kDenied,      // this process may not connect
  kNoSocket,    // no descriptor is left
  kNoStreams,   // stdin, stdout or stderr is closed
  kTurnedAway,  // the daemon answered that it has not begun: an older one, one over a limit, or
                // that of another instance
  kLate,        // no answer within the deadline; the daemon may still act
  kBroken,      // the answer ended in the middle, or was none; the daemon may have acted
};

// The steps in their order: begin, add, connect, add, send. Not more than one call per object, and
// the object has static storage: it is as large as the largest answer.
class DaemonCall {
 public:
  constexpr DaemonCall() = default;

  // `path`: "/v1/cni". `exit_header`: the header of the answer with the exit code, in lower case
  // and with ':'. The deadline counts from here; milliseconds. kUnfit or kOk.
  Outcome begin(Text path, Text exit_header, long timeout);
  // `name` ends with ": ". Empty values are left out.
  Outcome add(Text name, Text value);
  void add(Text name, long number);
  Outcome connect();
  // Sends what was added and the body, and waits for the answer.
  Outcome send(Text body);

  const Answer& answer() const { return answer_; }  // after kOk
  Text socket_path() const { return socket_path_.text(); }

 private:
  static constexpr std::size_t kMostHeader = 15 << 10;  // a little less than the server's limit
  static constexpr std::size_t kMostAnswer = 1 << 20;

  bool wait_for_input() const;
  bool send_all(Text body) const;
  Outcome receive();

  Text exit_header_;
  long deadline_ = 0;  // milliseconds of CLOCK_MONOTONIC
  int fd_ = 0;
  Answer answer_{.complete = false, .status = 0, .exit_code = 0, .body = {}};  // zero: see Text
  Builder<sizeof(sockaddr_un::sun_path)> socket_path_;
  Builder<kMostHeader> head_;
  char bytes_[kMostAnswer] = {};
};

}  // namespace client
