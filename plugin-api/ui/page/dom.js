// Elements and words. Every text becomes a text node, so that no name of a container can be markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

// el("button", {class: "tool", type: "button", onclick: go}, "Go"). Attributes that are false or null are left out.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  return fill(node, children);
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  return fill(node, children);
}

export function show(node, ...children) {
  node.replaceChildren();
  return fill(node, children);
}

export const byId = (id) => document.getElementById(id);

// Tells whoever cannot see it.
export function say(text) {
  byId("said").textContent = text;
}

export function badge(kind, text) {
  return el("span", {class: `badge ${kind}`}, text);
}

// ---- words

export function count(number, one, many = one + "s") {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (number >= 1024 && unit + 1 < units.length) {
    number /= 1024;
    ++unit;
  }
  return `${unit === 0 || number >= 100 ? Math.round(number) : number.toFixed(1)} ${units[unit]}`;
}

export function ago(time) {
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 45) return "just now";
  const steps = [[60, "minute"], [3600, "hour"], [86400, "day"]];
  const [size, word] = steps.findLast(([size]) => seconds >= size * 0.9) ?? steps[0];
  return `${count(Math.max(1, Math.round(seconds / size)), word)} ago`;
}

export function time(text) {
  return el("time", {datetime: text, title: new Date(text).toLocaleString()}, ago(text));
}

export const short = (id) => (/^[0-9a-f]{32,}$/.test(id) ? id.slice(0, 12) : id);
