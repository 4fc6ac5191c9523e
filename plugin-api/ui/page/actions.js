// What the page can change, where the daemon lets it. Nothing is done without being asked for once more.

import {byId, el, say, show} from "./dom.js";
import {path, send} from "./api.js";
import {nameOf} from "./model.js";
import {portWords} from "./details.js";

const dialog = byId("ask");

// fields: [{name, label, value, hint, type, check}]; typed: a text that has to be written before. work(values) may throw.
function ask({title, text, yes, danger, fields = [], typed, work}) {
  const inputs = fields.map((field) => el("input", {id: `ask-${field.name}`, name: field.name, type: field.type ?? "text", value: field.value ?? "",
    required: field.required ?? false, min: field.min, max: field.max, autocomplete: "off", spellcheck: "false"}));
  const confirmation = typed && el("input", {id: "ask-typed", autocomplete: "off", spellcheck: "false", required: true});
  const go = el("button", {type: "submit", class: `act ${danger ? "danger solid" : "solid"}`}, yes);
  const refused = el("p", {class: "note error", role: "alert", hidden: true});
  const submit = async (event) => {
    event.preventDefault();
    if (typed && confirmation.value !== typed) return refuse(refused, `Write “${typed}” to go on.`);
    go.disabled = true;
    try {
      const values = Object.fromEntries(inputs.map((input) => [input.name, input.value.trim()]));
      const done = await work(values);
      dialog.close();
      say(done);
    } catch (error) {
      refuse(refused, error.message);
    }
    go.disabled = false;
  };
  const label = (input, words) => el("label", {class: "field", for: input.id}, el("span", {}, words), input);
  show(dialog, el("form", {onsubmit: submit, novalidate: Boolean(typed) || fields.length === 0},
    el("h2", {id: "ask-title"}, title), el("p", {}, text),
    inputs.map((input, index) => label(input, fields[index].label)),
    typed ? label(confirmation, `Write “${typed}” to confirm`) : null,
    refused,
    el("div", {class: "buttons"}, el("button", {type: "button", class: "act", autofocus: danger, onclick: () => dialog.close()}, "Cancel"), go)));
  dialog.showModal();
}

function refuse(place, text) {
  place.hidden = false;
  place.textContent = text;
}

const portsOf = (endpoint) => path("endpoints", endpoint.state.network_id, endpoint.id, "ports");

export function publish(endpoint) {
  ask({
    title: "Publish a port", text: `The port of the host will lead to ${nameOf(endpoint)}. Connections that are open stay as they are.`, yes: "Publish",
    fields: [{name: "host", label: "Port of the host (0: a free one)", value: "0", type: "number", min: 0, max: 65535, required: true},
             {name: "container", label: "Port of the container", type: "number", min: 1, max: 65535, required: true},
             {name: "protocol", label: "Protocol (tcp, udp or sctp)", value: "tcp", required: true},
             {name: "address", label: "Address of the host (empty: every one)"}],
    work: async ({host, container, protocol, address}) => {
      const port = {protocol: protocol.toLowerCase(), host_port: Number(host), container_port: Number(container)};
      if (address) port.host_ip = address;
      await send("PATCH", portsOf(endpoint), {add: [port]});
      return "The port is published.";
    },
  });
}

export function unpublish(endpoint, port) {
  ask({
    title: "Unpublish this port?", text: `${portWords(port)} will not lead to ${nameOf(endpoint)} any more.`, yes: "Unpublish", danger: true,
    work: async () => {
      const choice = {protocol: port.protocol, host_port: port.host_port};
      if (port.host_ip) choice.host_ip = port.host_ip;
      if (port.host_port_end) choice.host_port_end = port.host_port_end;
      await send("PATCH", portsOf(endpoint), {remove: [choice]});
      return "The port is not published any more.";
    },
  });
}

export function takeSnapshot(volume) {
  ask({
    title: `Take a snapshot of ${volume.name}`, text: "Its content as it is now is kept. Containers that have hooks are told before.", yes: "Take it",
    fields: [{name: "name", label: "Name (empty: the time)"}],
    work: async ({name}) => {
      await send("POST", path("volumes", volume.name, "snapshots"), name ? {name} : {});
      return "The snapshot is taken.";
    },
  });
}

export function rollBack(volume, snapshot) {
  ask({
    title: `Roll ${volume.name} back?`, yes: "Roll back", danger: true, typed: volume.name,
    text: `It gets the content of the snapshot ${snapshot.name}. What is in it now is kept as a snapshot.`,
    work: async () => {
      await send("POST", path("volumes", volume.name, "rollback"), {snapshot: snapshot.name});
      return "The volume is rolled back.";
    },
  });
}

export function removeSnapshot(volume, snapshot) {
  ask({
    title: `Remove the snapshot ${snapshot.name}?`, text: `What only this snapshot of ${volume.name} holds is gone for good.`, yes: "Remove", danger: true,
    work: async () => {
      await send("DELETE", path("volumes", volume.name, "snapshots", snapshot.name));
      return "The snapshot is removed.";
    },
  });
}

export function removeVolume(volume) {
  const kept = volume.options?.retain ? ` It stays in the trash for ${volume.options.retain}.` : " Its data and its snapshots are gone for good.";
  ask({
    title: `Remove the volume ${volume.name}?`, text: `No container can use it any more.${kept}`, yes: "Remove", danger: true, typed: volume.name,
    work: async () => {
      await send("DELETE", path("volumes", volume.name));
      return "The volume is removed.";
    },
  });
}

export function stopJob(job) {
  ask({
    title: "Stop this job?", text: `${job.verb} of ${job.volume}. It can be resumed later with: fairlead jobs resume ${job.id}`, yes: "Stop it", danger: true,
    work: async () => {
      await send("POST", path("jobs", job.id, "stop"));
      return "The job stops.";
    },
  });
}

export function reconcile() {
  ask({
    title: "Reconcile now?", text: "The kernel is made to follow what is stored: links, rules, mounts. Running containers are not touched.", yes: "Reconcile",
    work: async () => {
      const report = await send("POST", "/v1/reconcile");
      const done = [...(report?.network?.actions ?? []), ...(report?.volume?.actions ?? [])];
      return done.length > 0 ? `Done: ${done.join("; ")}` : "There was nothing to do.";
    },
  });
}

