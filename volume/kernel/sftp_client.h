// An SFTP client over a program's stdin and stdout. Requests are sent without waiting for the
// replies of those before, which is what makes far servers fast: send many, then wait for each.
//
// Our own, because the libraries that Debian has (libssh, libssh2) bring an SSH of their own, which
// knows neither the user's ssh_config(5) nor his agent, jump hosts and hardware keys as ssh(1) does,
// and cannot talk to `rclone serve sftp --stdio` at all.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "volume/kernel/remote_process.h"
#include "volume/kernel/sftp_messages.h"

namespace fairlead::volume {

class SftpLink;

// A request under way. Bytes of a read arrive in the caller's memory until this is destroyed; a
// reply that nobody waits for is dropped.
class SftpCall {
 public:
  struct State;
  SftpCall() = default;
  SftpCall(std::shared_ptr<SftpLink> link, std::shared_ptr<State> state)
      : link_(std::move(link)), state_(std::move(state)) {}
  SftpCall(SftpCall&&) noexcept = default;
  SftpCall& operator=(SftpCall&& other) noexcept;
  ~SftpCall() { abandon(); }

 private:
  friend class SftpClient;
  void abandon();
  std::shared_ptr<SftpLink> link_;
  std::shared_ptr<State> state_;
};

struct SftpSettings {
  std::string host;  // for messages: "nas"
  // A server that sends nothing for so long while it is asked something counts as gone.
  std::chrono::milliseconds silence = std::chrono::minutes(2);
  std::chrono::milliseconds opening = std::chrono::seconds(60);  // until its first message
  // Asked now and then by whoever waits, on his thread; thread-safe. From when it says true, calls
  // go on for `grace` and then fail with kUnavailable. A server that sends nothing for `hush` of it
  // hangs: its connection is given up at once, and with it what waits for it.
  std::function<bool()> stopped;
  std::chrono::milliseconds grace = std::chrono::seconds(10);
  std::chrono::milliseconds hush = std::chrono::seconds(3);
};

// Thread-safe. Errors: kNotFound; kExhausted for a full disk; kIo with the program's own last words
// when the connection is lost, and for a silent server; kUnavailable after a stop.
class SftpClient {
 public:
  static Result<std::unique_ptr<SftpClient>> start(RemoteProcess process, SftpSettings settings);
  ~SftpClient();

  using Handle = std::string;

  SftpCall open(const std::string& path, sftp::Open how);  // new files have mode 0600
  SftpCall close(const Handle& handle);
  // At most read_size() bytes; less arrive at the end of the file, or as the server likes.
  SftpCall read(const Handle& handle, std::uint64_t offset, std::span<char> into);
  SftpCall write(const Handle& handle, std::uint64_t offset, std::string_view bytes);
  SftpCall stat(const std::string& path);
  SftpCall open_folder(const std::string& path);
  SftpCall read_folder(const Handle& handle);
  SftpCall remove(const std::string& path);
  SftpCall make_folder(const std::string& path);                    // mode 0700
  SftpCall rename(const std::string& from, const std::string& to);  // replaces where it can
  SftpCall sync(const Handle& handle);  // succeeds where the server cannot

  // kStop: ends after a stop. kLast: for what is to be done after a stop too, for 5 s at most.
  enum class Patience { kStop, kLast };
  // The reply to each kind of request. `what` is for messages: "write packs/12.pack".
  Status wait(SftpCall& call, const std::string& what, Patience patience = Patience::kStop);
  Result<Handle> wait_handle(SftpCall& call, const std::string& what);
  Result<std::size_t> wait_read(SftpCall& call, const std::string& what);  // 0: the end
  Result<sftp::Attributes> wait_attributes(SftpCall& call, const std::string& what);
  Result<std::vector<sftp::Entry>> wait_entries(SftpCall& call, const std::string& what);
  // What an ordinary user can still write there. kUnsupported where the server does not tell.
  Result<std::uint64_t> free_bytes(const std::string& folder);
  // Whether a wait would return at once.
  bool is_answered(const SftpCall& call) const;

  std::uint32_t read_size() const { return read_size_; }
  std::uint32_t write_size() const { return write_size_; }
  bool can_sync() const { return can_sync_; }
  pid_t pid() const;

 private:
  explicit SftpClient(std::shared_ptr<SftpLink> link) : link_(std::move(link)) {}
  Status greet();
  template <class Encode>
  SftpCall ask(Encode encode, std::span<char> into = {}, std::string_view data = {});
  Result<sftp::Reply> reply(SftpCall& call, const std::string& what, Patience patience);
  Error to_error(const sftp::Reply& reply, const std::string& what);

  std::shared_ptr<SftpLink> link_;
  std::uint32_t read_size_ = 32 << 10, write_size_ = 32 << 10;  // what every server takes
  bool can_sync_ = false, can_replace_ = false, tells_free_space_ = false;
};

}  // namespace fairlead::volume
