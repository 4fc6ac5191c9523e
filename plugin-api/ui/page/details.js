// One object in full, in a sheet at the side. Whatever it shows is built anew when the model changes.

import {ago, badge, byId, bytes, count, el, show, time} from "./dom.js";
import {addressOf, keyOf, nameOf, networkNameOf, portText, titleOf} from "./model.js";
import * as actions from "./actions.js";

let shown = null; // {kind, key}

const sheet = byId("sheet");
sheet.addEventListener("close", () => { shown = null; });
sheet.addEventListener("click", (event) => {
  if (event.target === sheet) sheet.close(); // beside it
});

export function openDetails(model, kind, key) {
  shown = {kind, key};
  if (!sheet.open) sheet.showModal();
  draw(model);
  sheet.scrollTop = 0;
}

export function closeDetails() {
  if (sheet.open) sheet.close();
}

export function refreshDetails(model) {
  if (shown && !sheet.contains(document.activeElement?.closest("form"))) draw(model);
}

const kinds = {network, endpoint, volume, job};

function draw(model) {
  const content = kinds[shown.kind](model, shown.key);
  if (!content) return sheet.close();
  const focused = document.activeElement?.dataset?.action;
  const close = el("button", {type: "button", class: "tool close", "data-action": "close", onclick: () => sheet.close()}, "Close");
  const word = shown.kind[0].toUpperCase() + shown.kind.slice(1);
  show(sheet,
    el("div", {class: "sheet-head"}, el("div", {}, el("p", {class: "kicker"}, word), el("h2", {id: "sheet-title"}, content.title)), close),
    content.parts);
  [...sheet.querySelectorAll("[data-action]")].find((one) => one.dataset.action === focused)?.focus();
}

function facts(...rows) {
  const there = rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && value.length !== 0);
  return el("dl", {class: "facts"}, there.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function section(title, ...children) {
  return el("section", {class: "part"}, el("h3", {}, title), children);
}

function labels(map) {
  return Object.entries(map ?? {}).map(([key, value]) => el("code", {class: "label"}, `${key}=${value}`));
}

export function button(words, run, kind = "", label = null) {
  return el("button", {type: "button", class: `act ${kind}`, "data-action": label ?? words, "aria-label": label, onclick: run}, words);
}

export function portWords(port) {
  const {where, host, inside, protocol} = portText(port);
  return `${where ? where + ":" : ""}${host} → ${inside}/${protocol}`;
}

// ---- kinds

function network(model, id) {
  const one = model.networks.find((network) => network.id === id);
  if (!one) return null;
  const endpoints = model.endpointsOf(one);
  const state = one.state;
  return {
    title: titleOf(one),
    parts: [
      facts(["Name", titleOf(one) === one.name ? null : el("code", {class: "id"}, one.name)], ["Id", el("code", {class: "id"}, one.id)],
        ["Mode", one.options?.mode ?? "bridge"], ["Bridge", state.bridge], ["Parent", state.parent],
        ["Subnets", one.subnets.map((subnet) => el("div", {}, el("code", {}, subnet.subnet), subnet.gateway ? ` gateway ${subnet.gateway}` : ""))],
        ["Reaches the outside", one.internal ? "no: it is internal" : "yes"], ["MTU", state.mtu ? String(state.mtu) : null],
        ["Names are answered at", (state.name_servers ?? []).join(", ")], ["Made", state.created ? time(state.created) : null],
        ["Labels", labels(one.labels)], ["Options", labels(one.options)]),
      section(count(endpoints.length, "endpoint"),
        el("ul", {class: "plain"}, endpoints.slice(0, 100).map((endpoint) => el("li", {},
          button(nameOf(endpoint), () => openDetails(model, "endpoint", keyOf(endpoint)), "link"), el("span", {class: "quiet"}, ` ${addressOf(endpoint)}`)))),
        endpoints.length > 100 ? el("p", {class: "quiet"}, `and ${count(endpoints.length - 100, "more", "more")}: search for one`) : null),
    ],
  };
}

function endpoint(model, key) {
  const one = model.endpoints.get(key);
  if (!one) return null;
  const state = one.state;
  const write = model.session.write;
  return {
    title: nameOf(one),
    parts: [
      facts(["Network", button(networkNameOf(one), () => openDetails(model, "network", state.network_id), "link")],
        ["Addresses", one.addresses.map((address) => el("div", {}, el("code", {}, address)))], ["Gateways", (state.gateways ?? []).join(", ")],
        ["MAC", one.mac ? el("code", {}, one.mac) : null], ["Interface", one.ifname], ["In the host", state.host_ifname],
        ["State", state.phase === "ready" ? (state.joined ? "joined" : "waits for its container") : state.phase],
        ["Runtime", one.runtime], ["Container", one.container ? el("code", {class: "id"}, one.container) : null],
        ["Compose", [one.names?.project, one.names?.service].filter(Boolean).join(" / ")], ["Aliases", (one.aliases ?? []).join(", ")],
        ["Made", state.created ? time(state.created) : null], ["Labels", labels({...one.names?.labels, ...one.labels})]),
      section("Published ports",
        one.ports.length === 0 ? el("p", {class: "quiet"}, "None") : el("ul", {class: "plain rows"}, one.ports.map((port) => el("li", {},
          el("code", {}, portWords(port)), write && button("Unpublish", () => actions.unpublish(one, port), "danger", `Unpublish ${portWords(port)}`)))),
        write && button("Publish a port…", () => actions.publish(one))),
    ],
  };
}

function volume(model, name) {
  const one = model.volumes.find((volume) => volume.name === name);
  if (!one) return null;
  const state = one.state;
  const write = model.session.write;
  const snapshots = model.snapshots(one).slice().reverse();
  return {
    title: one.name,
    parts: [
      state.condition !== "ok" ? el("p", {class: "note warning"}, state.health) : null,
      usage(one),
      facts(["Backend", state.backend], ["Pool", state.pool], ["Used by", state.users || (state.in_use ? "somebody" : "nobody")],
        ["Only in snapshots", state.only_in_snapshots ? bytes(state.only_in_snapshots) : null],
        ["Files", state.inodes ? `${(state.inodes_used ?? 0).toLocaleString("en")} of ${state.inodes.toLocaleString("en")}` : null],
        ["Last backup", state.last_backup ? time(state.last_backup) : null], ["Backups fail", state.backup_error],
        ["Path", state.mountpoint ? el("code", {class: "id"}, state.mountpoint) : null], ["Made", state.created ? time(state.created) : null],
        ["Labels", labels(one.labels)], ["Options", labels(one.options)]),
      section(count(snapshots.length, "snapshot"),
        el("ul", {class: "plain rows"}, snapshots.map((snapshot) => el("li", {},
          el("span", {}, el("strong", {}, snapshot.name), el("span", {class: "quiet"}, ` ${ago(snapshot.state.created)}, ${snapshot.state.origin}`)),
          write && el("span", {class: "acts"}, button("Roll back…", () => actions.rollBack(one, snapshot), "", `Roll back to ${snapshot.name}`),
            button("Remove…", () => actions.removeSnapshot(one, snapshot), "danger", `Remove the snapshot ${snapshot.name}`))))),
        write && button("Take a snapshot", () => actions.takeSnapshot(one))),
      write ? section("Remove", button("Remove this volume…", () => actions.removeVolume(one), "danger")) : null,
    ],
  };
}

function job(model, id) {
  const one = model.jobs.find((job) => job.id === id);
  if (!one) return null;
  return {
    title: `${one.verb} ${one.volume}`,
    parts: [
      progress(one),
      facts(["State", one.state], ["Id", el("code", {}, one.id)], ["Started", time(one.started)], ["Ended", one.ended ? time(one.ended) : null],
        ["Error", one.error], ["Left out", one.left_out ? count(one.left_out, "entry", "entries") : null], ["Arguments", labels(one.arguments)]),
      model.session.write && one.state === "running" ? section("Stop", button("Stop this job…", () => actions.stopJob(one), "danger")) : null,
    ],
  };
}

// ---- bars

// A bar with words beside it; screen readers get the words.
function bar(part, words, kind = "") {
  const inner = el("span", {class: `fill ${kind}`});
  inner.style.width = `${Math.min(100, 100 * part)}%`;
  return el("span", {class: "meter"}, el("span", {class: "track", "aria-hidden": "true"}, inner), el("span", {class: "words"}, words));
}

export function usage({state}) {
  if (state.used === undefined && !state.size) return el("span", {class: "quiet"}, "not known");
  if (!state.size) return bar(0, `${bytes(state.used ?? 0)}, no limit`, "none");
  const part = (state.used ?? 0) / state.size;
  return bar(part, `${bytes(state.used ?? 0)} of ${bytes(state.size)}`, part > 0.95 ? "error" : part > 0.85 ? "warning" : "");
}

export function progress(job) {
  if (job.state !== "running") return badge({done: "ok", stopped: ""}[job.state] ?? "error", job.state);
  if (!job.total) return bar(0, `${bytes(job.done)} so far`, "none");
  return bar(job.done / job.total, `${Math.floor(100 * job.done / job.total)} % of ${bytes(job.total)}`);
}

