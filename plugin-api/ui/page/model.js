// What is known of the host: lists from the API, kept up to date by its events. Tells `changed` after each change.

import {get, past, path, Events} from "./api.js";

const SETTLE = 120; // events that come together are looked at together
const ONE_BY_ONE = 24; // endpoints that changed at once; beyond it the whole list is asked for
const REMEMBERED = 200; // of what happened
const GONE = 404;

// Two endpoints of one container may have the same id, in two networks.
export const keyOf = (endpoint) => `${endpoint.state?.network_id ?? endpoint.network}/${endpoint.id}`;

export class Model {
  constructor(session, changed) {
    this.session = session;
    this.changed = changed;
    this.networks = [];
    this.endpoints = new Map();
    this.volumes = [];
    this.jobs = [];
    this.hosts = [];
    this.status = {problems: [], notes: []};
    this.findings = [];
    this.happened = [];
    this.loaded = false;
    this.stream = false; // whether changes are told as they happen
    this.trouble = ""; // why what is shown may be old
    this.pending = new Map();
    this.stale = new Set();
  }

  start() {
    this.events ??= new Events({
      open: (revision) => {
        this.stream = true;
        this.loadAll();
        if (this.happened.length === 0) this.remember(revision);
      },
      line: (line) => this.take(line),
      lost: (refused) => this.lost(refused),
    });
    this.clock ??= setInterval(() => this.poll(), 2000);
  }

  // While nobody looks, the connection is left to others.
  stop() {
    this.events?.stop();
    clearInterval(this.clock);
    this.events = this.clock = null;
  }

  // ---- lists

  async loadAll() {
    this.trouble = "";
    await Promise.all(["networks", "endpoints", "volumes", "jobs", "status", "findings", "hosts"].map((what) => this.load(what, false)));
    this.loaded ||= this.trouble === "";
    this.changed();
  }

  async load(what, tell = true) {
    try {
      await this[`load_${what}`]();
    } catch (error) {
      this.failed(error);
    }
    if (tell) this.changed();
  }

  failed(error) {
    this.trouble = error.message;
    if (error.status === 401) this.signedOut?.();
  }

  async load_networks() {
    this.networks = (await get("/v1/networks")).networks;
    this.networks.sort((a, b) => titleOf(a).localeCompare(titleOf(b)));
  }

  async load_endpoints() {
    const list = (await get("/v1/endpoints")).endpoints;
    this.endpoints = new Map(list.map((endpoint) => [keyOf(endpoint), endpoint]));
  }

  async load_volumes() {
    this.volumes = (await get("/v1/volumes")).volumes;
    this.volumes.sort((a, b) => a.name.localeCompare(b.name));
  }

  async load_jobs() {
    this.jobs = (await get("/v1/jobs")).jobs.sort((a, b) => b.started.localeCompare(a.started));
  }

  async load_status() {
    this.status = await get("/v1/status");
  }

  async load_findings() {
    if (this.session.doctor) this.findings = (await get("/v1/doctor")).findings;
  }

  async load_hosts() {
    if (this.session.cluster) this.hosts = (await get("/v1/hosts")).hosts;
  }

  // What no event tells of: how full volumes are, how far jobs are, what is wrong. Everything, while there is no stream.
  poll() {
    this.ticks = (this.ticks ?? 0) + 1;
    const every = (ticks) => this.ticks % ticks === 0;
    if (!this.stream || this.trouble) return every(2) && this.loadAll();
    if (every(this.jobs.some((job) => job.state === "running") ? 1 : 5)) this.load("jobs");
    if (every(8)) this.load("volumes");
    if (every(8)) this.load("status");
    if (every(5)) this.load("hosts");
    if (every(30)) this.load("findings");
  }

  // ---- events

  // What happened lately, so that who comes sees what led to it. (The store remembers thousands of revisions.)
  async remember(revision) {
    try {
      const events = (await past(Math.max(0, revision - REMEMBERED))).reverse();
      this.happened = [...this.happened, ...events].slice(0, REMEMBERED);
    } catch (error) {
      this.failed(error);
    }
    this.changed();
  }

  lost(refused) {
    this.stream = false;
    if (refused?.status === 401) this.signedOut?.();
    if (refused?.status === 0) this.trouble = refused.message;
    this.changed();
  }

  take(event) {
    this.happened.unshift(event);
    this.happened.length = Math.min(this.happened.length, REMEMBERED);
    if (event.kind === "endpoint" || event.kind === "port") this.noteEndpoint(event);
    else if (event.kind === "network") this.stale.add("networks").add("status");
    else this.stale.add("volumes").add("jobs");
    this.settle ??= setTimeout(() => this.catchUp(), SETTLE);
    this.changed();
  }

  noteEndpoint(event) {
    const network = event.attributes.network;
    const key = `${network}/${event.id}`;
    if (!network) this.stale.add("endpoints");
    else if (event.kind === "endpoint" && event.action === "remove") this.forget(key);
    else this.pending.set(key, [network, event.id]);
  }

  forget(key) {
    this.endpoints.delete(key);
    this.pending.delete(key);
  }

  async catchUp() {
    const pending = [...this.pending.values()];
    const stale = [...this.stale];
    this.pending.clear();
    this.stale.clear();
    if (pending.length > ONE_BY_ONE) stale.push("endpoints");
    else await Promise.all(pending.map(([network, id]) => this.loadEndpoint(network, id)));
    await Promise.all(stale.map((what) => this.load(what)));
    this.settle = this.pending.size + this.stale.size > 0 ? setTimeout(() => this.catchUp(), SETTLE) : null;
    this.changed();
  }

  async loadEndpoint(network, id) {
    try {
      const endpoint = await get(path("endpoints", network, id));
      this.endpoints.set(keyOf(endpoint), endpoint);
    } catch (error) {
      if (error.status === GONE) this.forget(`${network}/${id}`);
      else this.failed(error);
    }
  }

  // ---- what follows from it

  endpointsOf(network) {
    const known = this.byNetwork ?? (this.byNetwork = groupByNetwork(this.endpoints));
    return known.get(network.id) ?? [];
  }

  // To be called before the lists are shown.
  refresh() {
    this.byNetwork = null;
  }

  networkOf(endpoint) {
    return this.networks.find((network) => network.id === endpoint.state.network_id);
  }

  ports() {
    return [...this.endpoints.values()].flatMap((endpoint) => endpoint.ports.map((port) => ({port, endpoint})));
  }

  snapshots(volume) {
    return volume.state.snapshots ?? [];
  }

  // What is wrong, worst first: as doctor finds it, or as the status says it.
  problems() {
    const found = this.session.doctor
      ? this.findings.map((one) => ({severity: severityOf(one.severity), what: one.wrong ?? one.what, why: one.why, how: one.mend ?? one.how, fixable: one.fixable}))
      : (this.status.problems ?? []).map(problemOf);
    const failed = this.jobs.filter((job) => job.state === "failed" || job.state === "interrupted").slice(0, 5)
      .map((job) => ({severity: "warning", what: `The job ${job.verb} of volume ${job.volume} ${job.state === "failed" ? "failed" : "was interrupted"}`,
                      why: job.error, how: `fairlead jobs resume ${job.id}`}));
    const order = ["error", "warning", "note"];
    return [...found, ...failed].sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  }
}

// "volume lost: the folder is missing; put it back": the last part says what to do.
function problemOf(text) {
  const end = text.lastIndexOf("; ");
  return end < 0 ? {severity: "error", what: text} : {severity: "error", what: text.slice(0, end), how: text.slice(end + 2)};
}

function severityOf(word) {
  if (["error", "critical", "fatal", "bad", "problem"].includes(word)) return "error";
  return ["warning", "warn"].includes(word) ? "warning" : "note";
}

function groupByNetwork(endpoints) {
  const groups = new Map();
  for (const endpoint of endpoints.values()) {
    const id = endpoint.state.network_id;
    if (!groups.has(id)) groups.set(id, []);
    groups.get(id).push(endpoint);
  }
  return groups;
}

// ---- how things are called

export function titleOf(network) {
  return network.state?.runtimes?.[0]?.name ?? network.name;
}

export function nameOf(endpoint) {
  const name = endpoint.names?.name || endpoint.container || endpoint.id;
  return /^[0-9a-f]{32,}$/.test(name) ? name.slice(0, 12) : name;
}

export function networkNameOf(endpoint) {
  return endpoint.state.network_title || endpoint.network;
}

export function portText(port) {
  const to = (first, last, start) => (last ? `${first}-${start ?? last}` : `${first}`);
  const host = to(port.host_port, port.host_port_end);
  const span = port.host_port_end ? port.host_port_end - port.host_port : 0;
  const inside = span ? `${port.container_port}-${port.container_port + span}` : `${port.container_port}`;
  return {where: port.host_ip && !["0.0.0.0", "::"].includes(port.host_ip) ? port.host_ip : "", host, inside, protocol: port.protocol};
}

export function addressOf(endpoint) {
  return (endpoint.addresses[0] ?? "").replace(/\/\d+$/, "");
}
