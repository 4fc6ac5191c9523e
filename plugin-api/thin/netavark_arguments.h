// netavark's command line, as far as a thin client has to know it. Pure, so that tests can call it.
// plugin-api/netavark/invocation.h has the whole of it.
#pragma once

#include "plugin-api/thin/text.h"

namespace client {

struct NetavarkArguments {
  Text command;      // "setup"; "--version"
  Text subject;      // the namespace, or the network of update
  Text dns_servers;  // of update
  Text file;         // in place of stdin
  bool rootless = false;
  // Options that only the program with the whole command line knows.
  bool others = false;
};

struct NetavarkOption {
  Text name, letter;
};
constexpr NetavarkOption kNetavarkOptions[] = {{"--file", "-f"},
                                               {"--config", "-c"},
                                               {"--rootless", "-r"},
                                               {"--aardvark-binary", "-a"},
                                               {"--firewall-driver", ""},
                                               {"--plugin-directory", ""},
                                               {"--network-dns-servers", ""}};

// Takes the arguments one after the other.
class NetavarkReader {
 public:
  void take(Text argument) {
    if (pending_ != nullptr) return value(*pending_, argument);
    if (argument == "--version" || argument == "-V") {
      if (read_.command.empty()) read_.command = "--version";
      return;
    }
    for (const NetavarkOption& option : kNetavarkOptions)
      if (take_option(option, argument)) return;
    if (argument.starts_with("-"))
      read_.others = true;
    else if (read_.command.empty())
      read_.command = argument;
    else if (read_.subject.empty())
      read_.subject = argument;
    else
      read_.others = true;
  }
  NetavarkArguments result() const {
    NetavarkArguments all = read_;
    all.others = all.others || pending_ != nullptr;
    return all;
  }

 private:
  bool take_option(const NetavarkOption& option, Text argument) {
    const bool is_long = argument.starts_with(option.name);
    const bool is_letter = !is_long && !option.letter.empty() &&
                           argument.starts_with(option.letter) && !argument.starts_with("--");
    if (!is_long && !is_letter) return false;
    Text rest = argument.from(is_long ? option.name.size : option.letter.size);
    if (rest.empty()) {
      pending_ = &option;
      return true;
    }
    const bool equals = rest.data[0] == '=';
    if (is_long && !equals) return false;
    value(option, equals ? rest.from(1) : rest);
    return true;
  }

  void value(const NetavarkOption& option, Text text) {
    pending_ = nullptr;
    if (option.name == "--file") read_.file = text;
    if (option.name == "--rootless") read_.rootless = text == "true";
    if (option.name == "--network-dns-servers") read_.dns_servers = text;
  }

  NetavarkArguments read_;
  const NetavarkOption* pending_ = nullptr;
};

}  // namespace client
