// A server on loopback that says what a test has it say, over TCP or TLS.
#pragma once

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/http_client/http_client.h"
#include "base/unique_fd.h"

namespace fairlead::http_client::testing {

// One connection, as the server sees it.
class Peer {
 public:
  Peer(UniqueFd socket, SSL_CTX* tls);
  ~Peer();

  bool shake_hands();
  // The next request as it came, with its body; empty when the client has closed the connection.
  std::string request();
  void say(std::string_view bytes);
  // Waits until the client has closed the connection.
  void wait_for_end();

 private:
  std::size_t read(char* into, std::size_t most);

  UniqueFd socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
};

// Serves one connection after the other, each by `serve`, which closes it when it returns.
class ScriptedServer {
 public:
  // `family`: AF_INET or AF_INET6. With `tls`, the PEM files of the server.
  explicit ScriptedServer(std::function<void(Peer&)> serve, int family = AF_INET,
                          const TlsFiles& tls = {});
  ~ScriptedServer();

  ServerAddress address() const { return address_; }
  int connections() const { return connections_; }

 private:
  void run();

  std::function<void(Peer&)> serve_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_{nullptr, SSL_CTX_free};
  UniqueFd listener_;
  ServerAddress address_;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

}  // namespace fairlead::http_client::testing
