// The views: what is in `main` for each entry of the navigation. A view has node, and update() for when the model has changed.

import {badge, bytes, count, el, short, show, time} from "./dom.js";
import {addressOf, keyOf, nameOf, networkNameOf, portText, titleOf} from "./model.js";
import {button, openDetails, portWords, progress, usage} from "./details.js";
import {drawPicture} from "./picture.js";
import {Table} from "./table.js";
import {reconcile} from "./actions.js";

// ---- searching

const has = (query, ...texts) => texts.some((text) => text && String(text).toLowerCase().includes(query));
const labelTexts = (map) => Object.entries(map ?? {}).map(([key, value]) => `${key}=${value}`);

const found = {
  network: (one, query) => has(query, titleOf(one), one.name, one.id, one.options?.mode, ...one.subnets.map((subnet) => subnet.subnet), ...labelTexts(one.labels)),
  endpoint: (one, query) => has(query, nameOf(one), one.container, one.id, networkNameOf(one), one.mac, ...one.addresses, ...(one.aliases ?? []),
    ...one.ports.map(portWords), ...labelTexts(one.labels), ...labelTexts(one.names?.labels), one.names?.project, one.names?.service),
  port: ({port, endpoint}, query) => has(query, portWords(port), port.host_port, nameOf(endpoint), networkNameOf(endpoint), ...endpoint.addresses),
  volume: (one, query) => has(query, one.name, one.state.backend, one.state.pool, one.state.users, ...labelTexts(one.labels),
    ...(one.state.snapshots ?? []).map((snapshot) => snapshot.name)),
  job: (one, query) => has(query, one.id, one.verb, one.volume, one.state),
  problem: (one, query) => has(query, one.what, one.why, one.how),
  event: (one, query) => has(query, one.kind, one.action, one.name, one.id, ...Object.values(one.attributes)),
};

function filtered(rows, kind, query) {
  return query === "" ? rows : rows.filter((row) => found[kind](row, query));
}

// What the picture shows of a search: the networks that match, or have an endpoint that does.
function matchesOf(model, query) {
  if (query === "") return null;
  const endpoints = new Set(filtered([...model.endpoints.values()], "endpoint", query));
  const ids = new Set([...endpoints].map((endpoint) => endpoint.state.network_id));
  for (const network of filtered(model.networks, "network", query)) ids.add(network.id);
  return {networks: ids, endpoints};
}

// ---- tables

const heading = (title, ...more) => el("div", {class: "view-head"}, el("h2", {}, title), more);

function nothing(what, query, hint) {
  return () => (query() === "" ? [el("strong", {}, `No ${what}`), el("span", {}, hint)] : [el("strong", {}, `No ${what} with “${query()}”`), el("span", {}, "Clear the search to see all.")]);
}

function tableView(app, {title, kind, what, hint, columns, rows, key}) {
  const table = new Table({caption: title, columns, key, empty: nothing(what, () => app.query, hint)});
  const number = el("span", {class: "total"});
  return {
    title,
    node: el("div", {}, heading(title, number), table.node),
    update() {
      const all = rows();
      const kept = filtered(all, kind, app.query);
      number.textContent = kept.length === all.length ? all.length.toLocaleString("en") : `${kept.length.toLocaleString("en")} of ${all.length.toLocaleString("en")}`;
      table.update(kept);
    },
  };
}

const open = (app, kind, key, words) => button(words, () => openDetails(app.model, kind, key), "link");
const mono = (text) => el("code", {}, text);

function networks(app) {
  return tableView(app, {
    title: "Networks", kind: "network", what: "networks", hint: "docker network create -d fairlead shop, or: fairlead network create shop",
    key: (one) => one.id, rows: () => app.model.networks,
    columns: [
      {title: "Name", sort: titleOf, cell: (one) => open(app, "network", one.id, titleOf(one))},
      {title: "Mode", sort: (one) => one.options?.mode ?? "bridge", cell: (one) => [el("span", {}, one.options?.mode ?? "bridge"), one.internal && badge("", "internal")]},
      {title: "Subnets", className: "wide", sort: (one) => one.subnets[0]?.subnet ?? "", cell: (one) => mono(one.subnets.map((subnet) => subnet.subnet).join("  "))},
      {title: "Endpoints", className: "number", sort: (one) => app.model.endpointsOf(one).length, cell: (one) => app.model.endpointsOf(one).length.toLocaleString("en")},
      {title: "State", sort: (one) => one.state.phase, cell: (one) => badge(one.state.phase === "ready" ? "ok" : "warning", one.state.phase)},
    ],
  });
}

const stateOf = (endpoint) => (endpoint.state.phase !== "ready" ? endpoint.state.phase : endpoint.state.joined ? "joined" : "waiting");

function endpoints(app) {
  return tableView(app, {
    title: "Endpoints", kind: "endpoint", what: "endpoints", hint: "A container gets one when it is attached to a network.",
    key: keyOf, rows: () => [...app.model.endpoints.values()],
    columns: [
      {title: "Container", sort: nameOf, cell: (one) => open(app, "endpoint", keyOf(one), nameOf(one))},
      {title: "Network", sort: networkNameOf, cell: (one) => open(app, "network", one.state.network_id, short(networkNameOf(one)))},
      {title: "Address", sort: addressOf, cell: (one) => mono(one.addresses.map((address) => address.replace(/\/\d+$/, "")).join("  "))},
      {title: "Ports", className: "wide", sort: (one) => one.ports.length, cell: (one) => (one.ports.length > 0 ? mono(one.ports.slice(0, 2).map(portWords).join("  ") + (one.ports.length > 2 ? `  +${one.ports.length - 2}` : "")) : "")},
      {title: "Runtime", className: "wide", sort: (one) => one.runtime ?? "", cell: (one) => one.runtime ?? ""},
      {title: "State", sort: stateOf, cell: (one) => badge(stateOf(one) === "joined" ? "ok" : "warning", stateOf(one))},
    ],
  });
}

function ports(app) {
  return tableView(app, {
    title: "Ports", kind: "port", what: "published ports", hint: "docker run -p 8080:80 …, or: fairlead port publish",
    key: ({port, endpoint}) => `${keyOf(endpoint)} ${port.host_ip} ${port.host_port} ${port.protocol}`, rows: () => app.model.ports(),
    columns: [
      {title: "Port of the host", sort: ({port}) => port.host_port, cell: ({port, endpoint}) => open(app, "endpoint", keyOf(endpoint), `${portText(port).host}/${port.protocol}`)},
      {title: "Address", sort: ({port}) => portText(port).where, cell: ({port}) => (portText(port).where ? mono(portText(port).where) : el("span", {class: "quiet"}, "every"))},
      {title: "Container", sort: ({endpoint}) => nameOf(endpoint), cell: ({endpoint}) => nameOf(endpoint)},
      {title: "Its port", className: "number", sort: ({port}) => port.container_port, cell: ({port}) => portText(port).inside},
      {title: "Network", className: "wide", sort: ({endpoint}) => networkNameOf(endpoint), cell: ({endpoint}) => short(networkNameOf(endpoint))},
    ],
  });
}

const conditions = {ok: "ok", warning: "warning", full: "error", "disk-full": "error", damaged: "error", missing: "error", offline: "warning", locked: ""};

function volumes(app) {
  return tableView(app, {
    title: "Volumes", kind: "volume", what: "volumes", hint: "docker volume create -d fairlead data, or: fairlead volume create data",
    key: (one) => one.name, rows: () => app.model.volumes,
    columns: [
      {title: "Name", sort: (one) => one.name, cell: (one) => open(app, "volume", one.name, one.name)},
      {title: "Usage", sort: (one) => (one.state.size ? (one.state.used ?? 0) / one.state.size : 0), cell: usage},
      {title: "Kept as", className: "wide", sort: (one) => one.state.backend, cell: (one) => [one.state.backend, one.state.pool && el("span", {class: "quiet"}, ` in ${one.state.pool}`)]},
      {title: "Snapshots", className: "number", sort: (one) => app.model.snapshots(one).length, cell: (one) => app.model.snapshots(one).length},
      {title: "In use", className: "wide", sort: (one) => Number(one.state.in_use), cell: (one) => (one.state.in_use ? "yes" : el("span", {class: "quiet"}, "no"))},
      {title: "Condition", sort: (one) => one.state.condition, cell: (one) => badge(conditions[one.state.condition] ?? "", one.state.condition)},
    ],
  });
}

function jobs(app) {
  return tableView(app, {
    title: "Jobs", kind: "job", what: "jobs", hint: "Backups, exports and checks that run long are shown here, and for a week after their end.",
    key: (one) => one.id, rows: () => app.model.jobs,
    columns: [
      {title: "Volume", sort: (one) => one.volume, cell: (one) => open(app, "job", one.id, one.volume || one.id)},
      {title: "What", sort: (one) => one.verb, cell: (one) => one.verb},
      {title: "Progress", sort: (one) => one.state, cell: progress},
      {title: "Started", className: "wide", sort: (one) => one.started, cell: (one) => time(one.started)},
      {title: "Trouble", className: "wide", sort: (one) => one.error ?? "", cell: (one) => one.error ?? ""},
    ],
  });
}

// ---- problems

const severities = {error: "Problem", warning: "Warning", note: "Note"};

function problemItem(one) {
  return el("li", {class: `problem ${one.severity}`},
    el("p", {class: "what"}, badge(one.severity, severities[one.severity]), el("strong", {}, one.what)),
    one.why ? el("p", {}, one.why) : null,
    one.how ? el("p", {class: "how"}, el("span", {class: "quiet"}, "To mend it: "), one.how,
      one.fixable ? ["; or ", el("code", {}, "fairlead doctor --fix")] : null) : null);
}

function problems(app) {
  const list = el("div");
  const number = el("span", {class: "total"});
  const mend = el("button", {type: "button", class: "act", onclick: reconcile}, "Reconcile now…");
  return {
    title: "Problems",
    node: el("div", {}, heading("Problems", number, app.model.session.write ? mend : null), list),
    update() {
      const all = filtered(app.model.problems(), "problem", app.query);
      const notes = app.model.status.notes ?? [];
      number.textContent = all.length.toLocaleString("en");
      show(list,
        all.length > 0 ? el("ul", {class: "card problems"}, all.map(problemItem))
          : el("p", {class: "card empty good"}, el("strong", {}, "All is well"), el("span", {}, "Networks, ports and volumes are as they are meant to be.")),
        notes.length > 0 ? [el("h3", {}, "What Fairlead did about others on this host"), el("ul", {class: "card notes"}, notes.map((note) => el("li", {}, note)))] : null);
    },
  };
}

// ---- what happens

function eventItem(event) {
  const {network_name: network, addresses, error} = event.attributes;
  const more = [network && event.kind !== "network" ? `in ${short(network)}` : "", addresses, error].filter(Boolean).join(", ");
  return el("li", {}, el("span", {class: `tag ${event.kind}`}, event.kind), el("span", {class: "verb"}, event.action),
    el("strong", {}, short(event.attributes.container_name || event.name || event.id)), el("span", {class: "quiet more"}, more), time(event.time));
}

function activity(app) {
  const list = el("ol", {class: "card events"});
  return {
    title: "Activity",
    node: el("div", {}, heading("Activity"), list),
    update() {
      const all = filtered(app.model.happened, "event", app.query);
      show(list, all.length > 0 ? all.slice(0, 100).map(eventItem) : el("li", {class: "empty"}, el("strong", {}, "Nothing yet"), el("span", {}, "What happens from now on is shown here.")));
    },
  };
}

// ---- the first look

function overview(app) {
  const tiles = el("ul", {class: "tiles", "aria-label": "Counts"});
  const trouble = el("div", {class: "trouble"});
  const picture = el("div", {class: "card picture-card"});
  const latest = el("ol", {class: "card events"});
  picture.addEventListener("click", (event) => app.openDrawn(event.target));
  picture.addEventListener("pointermove", (event) => app.hover(event));
  picture.addEventListener("pointerleave", () => app.hover(null));
  let drawn = 0;
  new ResizeObserver(() => picture.clientWidth !== drawn && app.changed()).observe(picture);
  return {
    title: "Overview",
    node: el("div", {}, el("h2", {class: "hidden"}, "Overview"), tiles, trouble, picture, el("h3", {}, "Latest"), latest),
    update() {
      const model = app.model;
      show(tiles, tilesOf(model));
      const worst = filtered(model.problems(), "problem", app.query).filter((one) => one.severity !== "note");
      show(trouble, worst.length > 0 ? el("ul", {class: "card problems"}, worst.slice(0, 3).map(problemItem),
        worst.length > 3 ? el("li", {class: "problem"}, el("a", {href: "#/problems"}, `See all ${worst.length} problems`)) : null) : null);
      drawn = picture.clientWidth;
      const matches = matchesOf(model, app.query);
      show(picture, model.networks.length === 0 ? el("div", {class: "empty tall"}, el("strong", {}, "No networks yet"),
        el("span", {}, "Make the first one:"), el("code", {}, "docker network create -d fairlead shop"), el("code", {}, "fairlead network create shop"))
        : matches?.networks.size === 0 ? el("div", {class: "empty"}, el("strong", {}, `No network or endpoint with “${app.query}”`), el("span", {}, "Volumes and jobs are in their own views."))
          : [drawPicture(model, drawn - 40, matches), legend(model)]);
      const events = model.happened.slice(0, 6);
      show(latest, events.length > 0 ? events.map(eventItem) : el("li", {class: "empty"}, "What happens from now on is shown here."));
    },
  };
}

function tilesOf(model) {
  const used = model.volumes.reduce((sum, volume) => sum + (volume.state.used ?? 0), 0);
  const running = model.jobs.filter((job) => job.state === "running").length;
  const wrong = model.problems().filter((one) => one.severity !== "note").length;
  const tile = (href, number, word, more, kind = "") => el("li", {}, el("a", {class: `tile ${kind}`, href}, el("span", {class: "value"}, number.toLocaleString("en")),
    el("span", {class: "word"}, word), el("span", {class: "quiet"}, more)));
  const waiting = [...model.endpoints.values()].filter((endpoint) => stateOf(endpoint) !== "joined").length;
  return [
    tile("#/networks", model.networks.length, model.networks.length === 1 ? "network" : "networks", `${model.networks.filter((one) => one.internal).length} internal`),
    tile("#/endpoints", model.endpoints.size, model.endpoints.size === 1 ? "endpoint" : "endpoints", waiting > 0 ? `${waiting} not joined` : "all joined"),
    tile("#/ports", model.ports().length, "ports published", count(new Set(model.ports().map(({endpoint}) => keyOf(endpoint))).size, "container")),
    tile("#/volumes", model.volumes.length, model.volumes.length === 1 ? "volume" : "volumes", used > 0 ? `${bytes(used)} used` : "nothing in them"),
    tile("#/jobs", running, "jobs running", `${model.jobs.length} in a week`),
    tile("#/problems", wrong, wrong === 1 ? "problem" : "problems", wrong > 0 ? "see what to do" : "all is well", wrong > 0 ? "bad" : "good"),
  ];
}

function legend(model) {
  const large = model.networks.some((network) => model.endpointsOf(network).length > 24);
  return el("ul", {class: "legend", "aria-hidden": "true"},
    el("li", {}, el("span", {class: "mark joined"}), "joined"), el("li", {}, el("span", {class: "mark waiting"}), "waits or changes"),
    large ? el("li", {}, el("span", {class: "mark published"}), "has published ports") : null);
}

export const views = {overview, networks, endpoints, ports, volumes, jobs, problems, activity};
