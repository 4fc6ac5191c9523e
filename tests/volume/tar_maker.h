// Archives as an attacker writes them: ustar headers by hand, whatever they say.
#pragma once

#include <cstring>
#include <string>

#include "base/result.h"

namespace fairlead::volume::testing {

class TarMaker {
 public:
  struct Header {
    std::string name;
    char type = '0';  // 0 file, 1 hard link, 2 symbolic link, 3 and 4 devices, 5 folder, 6 FIFO
    std::string link;
    std::string size;  // octal; empty: that of the content
    std::string mode = "0000644", uid = "0000000", gid = "0000000";
  };

  TarMaker& add(const Header& header, const std::string& content = {}) {
    std::string block(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) {
      std::memcpy(block.data() + at, text.data(), text.size());
    };
    put(0, header.name.substr(0, 100));
    put(100, header.mode);
    put(108, header.uid);
    put(116, header.gid);
    put(124, header.size.empty() ? fmt::format("{:011o}", content.size()) : header.size);
    put(136, "14000000000");
    put(148, "        ");
    block[156] = header.type;
    put(157, header.link.substr(0, 100));
    put(257, std::string("ustar\00000", 8));
    put(329, "0000001");
    put(337, "0000003");
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    bytes_ += block + content + std::string((512 - content.size() % 512) % 512, '\0');
    return *this;
  }
  TarMaker& file(const std::string& name, const std::string& content) {
    return add({.name = name}, content);
  }
  TarMaker& folder(const std::string& name) { return add({.name = name, .type = '5'}); }
  TarMaker& link(const std::string& name, const std::string& to) {
    return add({.name = name, .type = '2', .link = to});
  }
  TarMaker& hard_link(const std::string& name, const std::string& to) {
    return add({.name = name, .type = '1', .link = to});
  }
  // A pax header for the next entry: "path", or whatever.
  TarMaker& pax(const std::string& key, const std::string& value) {
    std::size_t length = key.size() + value.size() + 3;
    while (std::to_string(length).size() + key.size() + value.size() + 3 != length) ++length;
    const std::string record = fmt::format("{} {}={}\n", length, key, value);
    return add({.name = "pax", .type = 'x'}, record);
  }
  std::string bytes() const { return bytes_ + std::string(1024, '\0'); }

 private:
  std::string bytes_;
};

}  // namespace fairlead::volume::testing
