// The picture of the host: who comes in through which port, which container is in which network, and the other hosts.
// Large networks are drawn as a field of squares, so that a thousand endpoints are one look and not one scroll.

import {svg, count} from "./dom.js";
import {addressOf, keyOf, nameOf, portText, titleOf} from "./model.js";

const CHIP = {width: 172, height: 42, gap: 10};
const DOT = {size: 11, gap: 4};
const PAD = 16, HEAD = 48, GAP = 16, FRAME = 16, FRAME_HEAD = 34;
const MOST_CHIPS = 24; // of a network; beyond it are squares
const MOST_LISTED = 10; // published endpoints that stand at the edge, one below the other
const MOST_NETWORKS = 60;

const pen = document.createElement("canvas").getContext("2d");

// The text, cut so that it fits.
function fit(text, width, font) {
  pen.font = font;
  if (pen.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && pen.measureText(text.slice(0, length) + "…").width > width) --length;
  return text.slice(0, length) + "…";
}

function text(x, y, className, words, width, font) {
  return svg("text", {x, y, class: className}, fit(words, width, font));
}

const families = () => getComputedStyle(document.body).fontFamily;

class Pen {
  constructor(model, width, matches) {
    const narrow = width < 720;
    Object.assign(this, {model, width, matches});
    this.left = narrow ? 92 : 164;
    this.right = model.hosts.length > 0 ? (narrow ? 92 : 176) : 0;
    this.x = this.left + (narrow ? 10 : 28) + FRAME;
    this.area = width - this.x - FRAME - (this.right ? this.right + 28 : 0);
    this.y = FRAME_HEAD;
    this.lines = [];
    this.shapes = [];
    this.overlays = [];
    const family = families();
    this.fonts = {name: `600 13px ${family}`, small: `12px ${family}`, port: `600 12px ${family}`, title: `600 14px ${family}`};
  }

  draw() {
    const matching = this.model.networks.filter((network) => this.matches === null || this.matches.networks.has(network.id));
    const isEmpty = (network) => this.model.endpointsOf(network).length === 0;
    const shown = [...matching.filter((network) => !isEmpty(network)), ...matching.filter(isEmpty)];
    for (const network of shown.slice(0, MOST_NETWORKS)) this.network(network);
    this.more(shown.length - MOST_NETWORKS);
    const hosts = this.right ? FRAME_HEAD + this.model.hosts.length * 58 : 0;
    const height = Math.max(this.y + FRAME - GAP, hosts, 120);
    if (this.right) this.hosts();
    return svg("svg", {class: "picture", viewBox: `0 0 ${this.width} ${height + 1}`, width: this.width, height: height + 1, role: "img",
                       "aria-label": this.summary()},
      this.frame(height), this.shapes, this.lines);
  }

  summary() {
    const {networks, endpoints, hosts} = this.model;
    const others = hosts.length > 0 ? `, and ${count(hosts.length, "host")} of the cluster` : "";
    return `Picture of ${count(networks.length, "network")}, ${count(endpoints.size, "endpoint")} and ` +
      `${count(this.model.ports().length, "published port")}${others}. The views of networks, endpoints and ports say the same in words.`;
  }

  frame(height) {
    return [
      svg("text", {x: 0, y: 21, class: "p-heading"}, "Outside"),
      svg("rect", {x: this.x - FRAME, y: 0.5, width: this.area + FRAME * 2 - 1, height: height - 0.5, rx: 12, class: "p-frame"}),
      text(this.x, 21, "p-heading", `This host${this.model.session.host ? ` · ${this.model.session.host}` : ""}`, this.area, this.fonts.title),
    ];
  }

  more(number) {
    if (number <= 0) return;
    this.shapes.push(svg("text", {x: this.x, y: this.y + 14, class: "p-small"}, `${count(number, "more network")}: search for one, or see Networks`));
    this.y += 32;
  }

  network(network) {
    const all = this.model.endpointsOf(network);
    const matching = this.matches === null ? all : all.filter((endpoint) => this.matches.endpoints.has(endpoint));
    const endpoints = (matching.length > 0 ? matching : all).slice().sort(byWeight);
    const top = this.y;
    const group = svg("g", {class: "p-network", "data-network": network.id});
    const body = top + HEAD;
    const bottom = endpoints.length === 0 ? top + HEAD - PAD
      : endpoints.length <= MOST_CHIPS ? this.chips(group, endpoints, body) : this.squares(group, network, endpoints, body);
    const height = bottom + PAD - top;
    const card = svg("rect", {x: this.x, y: top + 0.5, width: this.area, height, rx: 10, class: "p-card"});
    group.prepend(card, ...this.title(network, all.length, top));
    this.shapes.push(group);
    if (network.state.overlay) this.overlays.push({network, y: top + height / 2});
    this.y = top + height + GAP;
  }

  title(network, endpoints, top) {
    const subnets = network.subnets.map((one) => one.subnet).join(", ");
    const words = [network.options?.mode ?? "bridge", network.internal ? "internal" : "", subnets, count(endpoints, "endpoint")];
    const width = this.area - PAD * 2;
    return [
      text(this.x + PAD, top + 22, "p-title", titleOf(network), width, this.fonts.title),
      text(this.x + PAD, top + 38, "p-small", words.filter(Boolean).join(" · "), width, this.fonts.small),
    ];
  }

  // ---- small networks: a chip for each container; those with ports stand at the edge, beside them

  chips(group, endpoints, top) {
    const columns = Math.max(1, Math.floor((this.area - PAD * 2 + CHIP.gap) / (CHIP.width + CHIP.gap)));
    const width = Math.min(CHIP.width, this.area - PAD * 2);
    const published = endpoints.filter((endpoint) => endpoint.ports.length > 0);
    const listed = published.length <= MOST_LISTED ? published : [];
    const others = endpoints.filter((endpoint) => !listed.includes(endpoint));
    const free = listed.length > 0 ? columns - 1 : columns;
    const place = (column, row) => ({x: this.x + PAD + column * (width + CHIP.gap), y: top + row * (CHIP.height + CHIP.gap), width});
    listed.forEach((endpoint, row) => {
      const at = place(0, row);
      group.append(this.chip(endpoint, at));
      this.pills(endpoint, at.x, at.y + CHIP.height / 2);
    });
    let rows = listed.length;
    others.forEach((endpoint, index) => {
      const at = free > 0 ? place(columns - free + (index % free), Math.floor(index / free)) : place(0, listed.length + index);
      rows = Math.max(rows, free > 0 ? Math.floor(index / free) + 1 : listed.length + index + 1);
      group.append(this.chip(endpoint, at));
    });
    if (listed.length === 0 && published.length > 0) this.manyPorts(published, this.x, top + CHIP.height / 2);
    return top + rows * (CHIP.height + CHIP.gap) - CHIP.gap;
  }

  chip(endpoint, {x, y, width}) {
    const inside = width - 34;
    return svg("g", {class: `p-chip ${phaseOf(endpoint)}`, "data-endpoint": keyOf(endpoint), "data-container": endpoint.container || endpoint.id},
      svg("rect", {x: x + 0.5, y: y + 0.5, width: width - 1, height: CHIP.height - 1, rx: 8}),
      svg("circle", {cx: x + 15, cy: y + CHIP.height / 2, r: 4}),
      text(x + 27, y + 18, "p-name", nameOf(endpoint), inside, this.fonts.name),
      text(x + 27, y + 33, "p-small", addressOf(endpoint), inside, this.fonts.small));
  }

  // ---- ports

  pills(endpoint, x, y) {
    const [first, ...rest] = endpoint.ports;
    const {where, host, inside, protocol} = portText(first);
    const arrow = host === inside ? "" : ` → ${inside}`;
    const full = `${where ? where + ":" : ""}${host}${arrow}/${protocol}`;
    this.pill(`${this.left > 150 ? full : host}${rest.length ? `  +${rest.length}` : ""}`, x, y, endpoint);
  }

  manyPorts(published, x, y) {
    const ports = published.reduce((sum, endpoint) => sum + endpoint.ports.length, 0);
    this.pill(count(ports, "port"), x, y, null);
  }

  pill(words, x, y, endpoint) {
    const width = this.left;
    this.lines.push(svg("path", {class: "p-line", d: `M${width} ${y}H${x}`}), svg("circle", {class: "p-end", cx: x, cy: y, r: 3}));
    this.shapes.push(svg("g", {class: "p-pill", "data-endpoint": endpoint && keyOf(endpoint), "data-container": endpoint?.container},
      svg("rect", {x: 0.5, y: y - 13, width: width - 1, height: 26, rx: 13}),
      text(13, y + 4, "p-port", words, width - 24, this.fonts.port)));
  }

  // ---- large networks

  squares(group, network, endpoints, top) {
    const step = DOT.size + DOT.gap;
    const columns = Math.max(1, Math.floor((this.area - PAD * 2 + DOT.gap) / step));
    endpoints.forEach((endpoint, index) => {
      group.append(svg("rect", {
        class: `p-dot ${phaseOf(endpoint)}${endpoint.ports.length > 0 ? " published" : ""}`, "data-endpoint": keyOf(endpoint),
        "data-container": endpoint.container || endpoint.id,
        x: this.x + PAD + (index % columns) * step, y: top + Math.floor(index / columns) * step, width: DOT.size, height: DOT.size, rx: 3}));
    });
    const published = endpoints.filter((endpoint) => endpoint.ports.length > 0);
    if (published.length > 0) this.manyPorts(published, this.x + PAD, top + DOT.size / 2 + 8);
    return top + Math.ceil(endpoints.length / columns) * step - DOT.gap;
  }

  // ---- other hosts

  hosts() {
    const x = this.width - this.right;
    this.shapes.push(svg("text", {x, y: 21, class: "p-heading"}, "Hosts"));
    this.model.hosts.forEach((host, index) => {
      const y = FRAME_HEAD + index * 58;
      this.shapes.push(svg("g", {class: `p-host ${host.state}`},
        svg("rect", {x: x + 0.5, y: y + 0.5, width: this.right - 1, height: 46, rx: 8}),
        svg("circle", {cx: x + 15, cy: y + 23, r: 4}),
        text(x + 27, y + 20, "p-name", host.name, this.right - 34, this.fonts.name),
        text(x + 27, y + 36, "p-small", host.address, this.right - 34, this.fonts.small)));
      if (host.name === this.model.session.host) return;
      for (const overlay of this.overlays) {
        const from = this.x + this.area - 1;
        const middle = (from + x) / 2;
        this.lines.push(svg("path", {class: "p-line far", d: `M${from} ${overlay.y}C${middle} ${overlay.y} ${middle} ${y + 23} ${x} ${y + 23}`}));
      }
    });
  }
}

const phaseOf = (endpoint) => (endpoint.state.phase !== "ready" ? "changing" : endpoint.state.joined ? "joined" : "waiting");

function byWeight(a, b) {
  return Math.sign(b.ports.length) - Math.sign(a.ports.length) || nameOf(a).localeCompare(nameOf(b), "en", {numeric: true});
}

// matches: null, or {networks: Set of ids, endpoints: Set of endpoints} that a search has found.
export function drawPicture(model, width, matches) {
  return new Pen(model, Math.max(width, 320), matches).draw();
}
