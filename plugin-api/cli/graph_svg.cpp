#include "plugin-api/cli/graph_svg.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "plugin-api/cli/graph_text.h"

namespace fairlead::cli {

namespace {

// All in pixels.
constexpr int kMargin = 24, kCardWidth = 330, kGap = 28, kLine = 18, kPad = 14, kBoxGap = 10;
constexpr int kHead = 50, kLeft = 120;  // the host's line is on the left of all cards
constexpr std::size_t kMostCharacters = 38;

constexpr std::string_view kStyle = R"(<style>
  svg { --ink: #1c2733; --dim: #5b6b7b; --paper: #ffffff; --card: #f3f6f9; --edge: #c4cfda; --box: #ffffff; --port: #0b6e4f; --link: #8a5a00; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e8eef4; --dim: #9fb0c0; --paper: #14191f; --card: #1d252e; --edge: #3a4754; --box: #26313c; --port: #5fd3a8; --link: #e0b15c; }
  }
  text { font-family: system-ui, "DejaVu Sans", "Noto Sans", sans-serif; font-size: 13px; fill: var(--ink); }
  .title { font-weight: 600; font-size: 15px; } .name { font-weight: 600; } .dim { fill: var(--dim); } .port { fill: var(--port); }
  .paper { fill: var(--paper); } .card { fill: var(--card); stroke: var(--edge); } .box { fill: var(--box); stroke: var(--edge); }
  .way { fill: none; stroke: var(--port); stroke-width: 1.5; } .link { fill: none; stroke: var(--link); stroke-width: 1.5; stroke-dasharray: 5 4; }
</style>
)";

struct Line {
  std::string_view style;  // a class of kStyle
  std::string text;
};

struct Box {
  int x = 0, y = 0, height = 0;
  std::vector<Line> lines;
  bool published = false;
  int middle() const { return y + height / 2; }
};

struct Card {
  int x = 0, y = 0, height = 0;
  std::vector<Line> head;
  std::vector<Box> boxes;
};

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Of UTF-8, between characters.
std::string shortened(const std::string& text, std::size_t most = kMostCharacters) {
  if (characters_in(text) <= most) return text;
  std::string kept;
  std::size_t count = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80 && ++count == most) break;
    kept += c;
  }
  return kept + "…";
}

Box box_of(const GraphEndpoint& endpoint) {
  Box box{.lines = {{"name", endpoint.title}}, .published = !endpoint.ports.empty()};
  for (const std::string& address : endpoint.addresses) box.lines.push_back({"dim", address});
  if (!endpoint.names.empty())
    box.lines.push_back({"dim", fmt::format("also {}", fmt::join(endpoint.names, ", "))});
  for (const std::string& port : endpoint.ports) box.lines.push_back({"port", port});
  box.height = static_cast<int>(box.lines.size()) * kLine + kPad;
  return box;
}

Card card_of(const GraphNetwork& network) {
  Card card{.head = {{"title", network.title}, {"dim", network.kind}}, .boxes = {}};
  for (const std::string& subnet : network.subnets) card.head.push_back({"dim", subnet});
  card.height = static_cast<int>(card.head.size()) * kLine + 2 * kPad;
  for (const GraphEndpoint& endpoint : network.endpoints) {
    card.boxes.push_back(box_of(endpoint));
    card.height += card.boxes.back().height + kBoxGap;
  }
  return card;
}

void move_to(Card& card, int x, int y) {
  card.x = x;
  card.y = y;
  int at = y + kPad + static_cast<int>(card.head.size()) * kLine + kPad / 2;
  for (Box& box : card.boxes) {
    box.x = x + kPad;
    box.y = at;
    at += box.height + kBoxGap;
  }
}

struct Picture {
  std::vector<Card> cards;
  int width = 0, height = 0;
};

// As many columns as make the picture about as wide as it is high; each card goes where there is most room.
Picture lay_out(const GraphModel& model) {
  Picture picture;
  int total = 0;
  for (const GraphNetwork& network : model.networks) {
    picture.cards.push_back(card_of(network));
    total += picture.cards.back().height + kGap;
  }
  const auto wanted =
      static_cast<std::size_t>(std::ceil(std::sqrt(1.3 * total / (kCardWidth + kGap))));
  std::vector<int> columns(
      std::clamp<std::size_t>(wanted, 1, std::max<std::size_t>(picture.cards.size(), 1)),
      kMargin + kHead);
  for (Card& card : picture.cards) {
    const auto column = std::ranges::min_element(columns);
    const auto number = static_cast<int>(column - columns.begin());
    move_to(card, kLeft + kMargin + number * (kCardWidth + kGap), *column);
    *column += card.height + kGap;
  }
  picture.height = *std::ranges::max_element(columns) - kGap + kMargin;
  picture.width =
      kLeft + kMargin + static_cast<int>(columns.size()) * (kCardWidth + kGap) - kGap + kMargin;
  picture.height = std::max(picture.height, kMargin * 2 + kHead + 80);
  return picture;
}

std::string text_at(int x, int y, const Line& line) {
  return fmt::format("  <text x=\"{}\" y=\"{}\" class=\"{}\">{}</text>\n", x, y, line.style,
                     xml_escaped(shortened(line.text)));
}

std::string rectangle(int x, int y, int width, int height, std::string_view style) {
  return fmt::format(
      "  <rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\" class=\"{}\"/>\n", x, y, width,
      height, style);
}

std::string frame_of(const Card& card) {
  return rectangle(card.x, card.y, kCardWidth, card.height, "card");
}

std::string content_of(const Card& card) {
  std::string text;
  int y = card.y + kPad + kLine - 5;
  for (const Line& line : card.head) {
    text += text_at(card.x + kPad, y, line);
    y += kLine;
  }
  for (const Box& box : card.boxes) {
    text += rectangle(box.x, box.y, kCardWidth - 2 * kPad, box.height, "box");
    int at = box.y + kPad / 2 + kLine - 5;
    for (const Line& line : box.lines) {
      text += text_at(box.x + kPad, at, line);
      at += kLine;
    }
  }
  return text;
}

// From the host's line along the free space above and beside the cards.
std::string way_to(const Card& card, const Box& box, int spine) {
  if (card.x == kLeft + kMargin)
    return fmt::format("  <path class=\"way\" d=\"M {} {} H {}\"/>\n", spine, box.middle(), box.x);
  const int lane = card.x - kGap / 2;
  return fmt::format("  <path class=\"way\" d=\"M {} {} H {} V {} H {}\"/>\n", spine,
                     kMargin + kHead - 16, lane, box.middle(), box.x);
}

// Between two endpoints of one container: from the right side of the left one to the left side of the other, or in one
// column from right side to right side.
std::string link_between(const Box& one, const Box& other) {
  const Box& left = one.x <= other.x ? one : other;
  const Box& right = one.x <= other.x ? other : one;
  const int from = left.x + kCardWidth - 2 * kPad;
  const bool column = left.x == right.x;
  const int to = column ? from : right.x;
  const int bend = column ? from + 2 * kPad + kGap / 2 : (from + to) / 2;
  return fmt::format("  <path class=\"link\" d=\"M {} {} C {} {}, {} {}, {} {}\"/>\n", from,
                     left.middle(), bend, left.middle(), bend, right.middle(), to, right.middle());
}

std::string ways(const Picture& picture) {
  const int spine = kMargin + 60;
  int lowest = kMargin + kHead;
  std::string text;
  for (const Card& card : picture.cards)
    for (const Box& box : card.boxes) {
      if (!box.published) continue;
      if (card.x == kLeft + kMargin) lowest = std::max(lowest, box.middle());
      text += way_to(card, box, spine);
    }
  if (!text.empty())
    text +=
        fmt::format("  <path class=\"way\" d=\"M {} {} V {}\"/>\n", spine, kMargin + 34, lowest);
  return text;
}

}  // namespace

std::string svg_of(const GraphModel& model) {
  const Picture picture = lay_out(model);
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" "
      "role=\"img\">\n  <title>Networks of {2}</title>\n",
      picture.width, picture.height, xml_escaped(model.host));
  text += kStyle;
  text += fmt::format("  <rect class=\"paper\" width=\"{}\" height=\"{}\"/>\n", picture.width,
                      picture.height);
  text += rectangle(kMargin, kMargin, 2 * 60, 34, "box");
  text += fmt::format("  <text x=\"{}\" y=\"{}\" class=\"name\" text-anchor=\"middle\">{}</text>\n",
                      kMargin + 60, kMargin + 22, xml_escaped(shortened(model.host, 14)));
  for (const Card& card : picture.cards) text += frame_of(card);
  text += ways(picture);
  for (const GraphLink& link : links_of(model))
    text += link_between(picture.cards[link.network].boxes[link.endpoint],
                         picture.cards[link.other_network].boxes[link.other_endpoint]);
  for (const Card& card : picture.cards) text += content_of(card);
  if (model.networks.empty())
    text += text_at(kLeft + kMargin, kMargin + kHead + 30, {"dim", "There are no networks."});
  return text + "</svg>\n";
}

}  // namespace fairlead::cli
