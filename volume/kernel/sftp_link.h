// The connection of an SftpClient: sends messages, and a thread takes the replies to whom they
// belong.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "volume/kernel/sftp_client.h"

namespace fairlead::volume {

struct SftpCall::State {
  std::uint32_t id = 0;
  std::span<char> into;               // where the bytes of a read go
  std::size_t got = 0;                // of them
  std::optional<sftp::Reply> answer;  // `bytes` is empty, or within `kept`
  std::string kept;                   // what an extended reply holds
  std::optional<Error> failure;       // it could not be sent
};

class SftpLink : public std::enable_shared_from_this<SftpLink> {
 public:
  using Clock = std::chrono::steady_clock;
  using Call = std::shared_ptr<SftpCall::State>;

  SftpLink(RemoteProcess process, SftpSettings settings)
      : process_(std::move(process)), settings_(std::move(settings)), heard_(Clock::now()) {}
  ~SftpLink() { finish(); }

  // Sends the greeting and waits for the server's.
  Result<sftp::Greeting> greet();
  void run();     // starts the thread
  void finish();  // ends the program and the thread

  std::uint32_t next_id() { return ++last_id_; }
  // `message` ends with `data`. Failures are kept in the call.
  void send(const Call& call, std::string_view message, std::string_view data);
  // Returns once there is an answer, or why there never will be one.
  Status wait(const Call& call, SftpClient::Patience patience);
  bool is_answered(const Call& call);
  void abandon(const Call& call);

  const SftpSettings& settings() const { return settings_; }
  const RemoteProcess& process() const { return process_; }

 private:
  Status transmit(std::string_view message, std::string_view data);
  Result<std::string> first_message();
  Status check_stopped();
  void listen();
  bool listen_once();
  bool receive();
  bool take_messages();
  void deliver(const sftp::Reply& reply);
  void hear_errors();
  void lose(Error why);
  Error lost();  // the connection ended
  std::optional<Error> lost_already();

  RemoteProcess process_;
  const SftpSettings settings_;
  std::atomic<std::uint32_t> last_id_ = 0;

  std::mutex sending_;  // one message at a time
  std::mutex mutex_;    // what follows
  std::condition_variable changed_;
  std::map<std::uint32_t, Call> calls_;
  std::optional<Error> lost_;
  std::optional<Clock::time_point> stopped_;
  Clock::time_point heard_;

  // Of the thread alone, and before it starts.
  std::string buffer_, words_;
  std::size_t begin_ = 0, end_ = 0;  // what of the buffer is not taken yet
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

}  // namespace fairlead::volume
