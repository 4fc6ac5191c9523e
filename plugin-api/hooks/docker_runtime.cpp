#include "plugin-api/hooks/docker_runtime.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/http_client/http_client.h"
#include "plugin-api/hooks/docker_codec.h"

namespace fairlead::hooks {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kMostAnswer = 16U << 20;
constexpr std::chrono::milliseconds kLook{50};  // whether a command has ended
constexpr int kMostLooks = 60;

class Docker : public Runtime {
 public:
  Docker(const std::string& socket, const std::string& plugin)
      : server_(http_client::unix_server(socket)),
        client_(server_, kMostAnswer),
        pid_file_(std::filesystem::path(socket).replace_filename("docker.pid")),
        driver_(std::filesystem::path(plugin).stem()) {}

  std::string name() const override { return "Docker"; }

  Result<std::vector<Container>> using_volumes(const std::vector<std::string>& volumes) override {
    if (!runs()) return std::vector<Container>();
    TRY(const auto answer, call("GET", filters_path(volumes), {}));
    return decode_containers(answer, driver_, volumes);
  }

  Result<std::map<std::string, std::string>> labels_of_image(const std::string& image) override {
    TRY(const auto answer, call("GET", "/images/" + image + "/json", {}));
    return decode_image_labels(answer);
  }

  Result<Answer> run(const Container& container, const Command& command,
                     Clock::time_point deadline) override {
    TRY(const auto made,
        call("POST", "/containers/" + container.id + "/exec", encode_command(command)));
    TRY(const auto id, decode_id(made));
    Answer answer;
    TRY(answer.output, follow(id, deadline));
    TRY(answer.exit_code, exit_of(id));
    return answer;
  }

 private:
  // dockerd writes docker.pid where its socket is, unless told otherwise.
  bool runs() const {
    std::ifstream file(pid_file_);
    pid_t pid = 0;
    return file >> pid && pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
  }

  Result<std::string> call(std::string method, std::string path, std::string body) {
    auto answer = client_.call({.path = std::move(path),
                                .headers = {},
                                .body = std::move(body),
                                .method = std::move(method)},
                               kPatience);
    if (!answer) return fail(Code::kIo, "dockerd does not answer: {}", answer.error().text);
    if (answer->status / 100 == 2) return std::move(answer->body);
    return fail(answer->status == 404 ? Code::kNotFound : Code::kConflict, "dockerd says: {}",
                decode_refusal(answer->body));
  }

  // Until the command closes its streams. Lines are the parts in which the frames arrive.
  Result<std::string> follow(const std::string& id, Clock::time_point deadline) {
    const auto left = [&] {
      return std::max(
          std::chrono::milliseconds(1),
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
    };
    const http_client::Request request{.path = "/exec/" + id + "/start",
                                       .headers = {},
                                       .body = R"({"Detach":false,"Tty":false})",
                                       .method = "POST"};
    std::string frames;
    auto stream = http_client::LineStream::open(server_, request, left(), {});
    while (stream && Clock::now() < deadline) {
      const auto line = (*stream)->next_line(left());
      if (!line && Clock::now() < deadline && line.error().code != Code::kIo)
        return fail(line.error());
      if (!line) break;
      if (!*line) {
        const std::string text = decode_frames(frames);
        if ((*stream)->status() == 200) return text;
        return fail(Code::kConflict, "dockerd says: {}", decode_refusal(frames));
      }
      if (frames.size() < kMostOutput) (frames += **line) += '\n';
    }
    if (!stream && Clock::now() < deadline) return fail(Code::kIo, "{}", stream.error().text);
    return fail(Code::kUnavailable, "the deadline has passed");
  }

  // The streams are closed a moment before dockerd knows the end.
  Result<int> exit_of(const std::string& id) {
    for (int look = 0; look < kMostLooks; ++look) {
      TRY(const auto answer, call("GET", "/exec/" + id + "/json", {}));
      TRY(const auto code, decode_exit(answer));
      if (code) return *code;
      std::this_thread::sleep_for(kLook);
    }
    return fail(Code::kUnavailable, "the command goes on without its streams");
  }

  const http_client::Server server_;
  http_client::Client client_;
  const std::filesystem::path pid_file_;
  const std::string driver_;
};

}  // namespace

std::unique_ptr<Runtime> make_docker_runtime(const std::string& socket, const std::string& plugin) {
  return std::make_unique<Docker>(socket, plugin);
}

}  // namespace fairlead::hooks
