// Where the page begins: signing in, the navigation, the search, the theme, and when to draw.

import {count, byId, el, say, show} from "./dom.js";
import {session, signIn, signOut, takeToken} from "./api.js";
import {Model, addressOf, nameOf, networkNameOf} from "./model.js";
import {closeDetails, openDetails, portWords, refreshDetails} from "./details.js";
import {views} from "./views.js";

const REST = 4; // times as long as drawing took
const LONGEST_REST = 1000; // ms

class App {
  constructor(answer) {
    this.query = "";
    this.views = {};
    this.model = new Model(answer, () => this.changed());
    this.model.signedOut = () => location.reload();
    byId("host").textContent = answer.host;
    byId("sign-out").hidden = byId("search-form").hidden = byId("nav").hidden = byId("live").hidden = false;
    byId("sign-out").addEventListener("click", () => signOut().finally(() => location.reload()));
    byId("search-form").addEventListener("submit", (event) => event.preventDefault());
    byId("search").addEventListener("input", (event) => this.search(event.target.value));
    addEventListener("hashchange", () => this.go());
    addEventListener("keydown", (event) => this.press(event));
    document.addEventListener("visibilitychange", () => (document.hidden ? this.model.stop() : this.model.start()));
    this.go();
    if (!document.hidden) this.model.start();
  }

  // ---- views

  go() {
    const name = location.hash.slice(2);
    const moved = this.name !== undefined;
    this.name = Object.hasOwn(views, name) ? name : "overview";
    this.views[this.name] ??= views[this.name](this);
    closeDetails();
    this.hover(null);
    show(byId("view"), this.views[this.name].node);
    this.drawNavigation();
    byId("nav").querySelector("[aria-current]").scrollIntoView({block: "nearest", inline: "center"});
    document.title = `${this.views[this.name].title} · ${this.model.session.host || "Fairlead"}`;
    scrollTo(0, 0);
    if (moved) byId("main").focus({preventScroll: true});
    this.draw();
  }

  // Soon, but most of the time is left to whoever uses the page, however much happens.
  changed() {
    this.waiting ??= setTimeout(() => requestAnimationFrame(() => this.drawTimed()), Math.min(REST * (this.took ?? 0), LONGEST_REST));
  }

  drawTimed() {
    this.waiting = null;
    const begun = performance.now();
    this.draw();
    this.took = performance.now() - begun;
  }

  draw() {
    this.model.refresh();
    this.drawNavigation();
    this.drawState();
    if (!this.model.loaded) return;
    this.views[this.name].update();
    refreshDetails(this.model);
  }

  drawNavigation() {
    const {model} = this;
    const numbers = {networks: model.networks.length, endpoints: model.endpoints.size, ports: model.ports().length, volumes: model.volumes.length,
                     jobs: model.jobs.filter((job) => job.state === "running").length, problems: model.problems().filter((one) => one.severity !== "note").length};
    byId("nav").firstChild ?? show(byId("nav"), el("ul", {}, Object.keys(views).map((name) => el("li", {}, el("a", {href: `#/${name}`, "data-view": name},
      el("span", {}, name[0].toUpperCase() + name.slice(1)), el("span", {class: "number"}))))));
    for (const link of byId("nav").querySelectorAll("a")) {
      const number = numbers[link.dataset.view];
      link.lastChild.textContent = number === undefined ? "" : number.toLocaleString("en");
      link.lastChild.classList.toggle("bad", link.dataset.view === "problems" && number > 0);
      if (link.dataset.view === this.name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  // ---- whether what is shown is true

  drawState() {
    const {stream, trouble, loaded} = this.model;
    const [kind, words] = trouble ? ["error", "No answer"] : stream ? ["ok", "Live"] : loaded ? ["warning", "Every few seconds"] : ["", "Connecting"];
    if (byId("live").textContent !== words) {
      byId("live").className = `live ${kind}`;
      byId("live").textContent = words;
      if (loaded) say(trouble ? `The daemon does not answer: ${trouble}` : `The page is up to date: ${words}`);
    }
    byId("banner").hidden = !trouble;
    byId("view").classList.toggle("old", Boolean(trouble) && loaded);
    if (trouble) show(byId("banner"), el("strong", {}, "This may be old: "), `${trouble}. It is asked again every few seconds; containers go on meanwhile.`);
  }

  // ---- search and keys

  search(text) {
    this.query = text.trim().toLowerCase();
    this.changed();
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.query && say(`${count(byId("view").querySelectorAll("tbody tr[data-key], .p-chip, .p-dot").length, "match", "matches")} in sight`), 600);
  }

  press(event) {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, dialog *")) return;
    event.preventDefault();
    byId("search").select();
    byId("search").focus();
  }

  // ---- the picture

  openDrawn(target) {
    const endpoint = target.closest("[data-endpoint]")?.dataset.endpoint;
    const network = target.closest("[data-network]")?.dataset.network;
    if (endpoint) openDetails(this.model, "endpoint", endpoint);
    else if (network) openDetails(this.model, "network", network);
  }

  // A container that is in several networks is lit in all of them.
  hover(event) {
    const at = event?.target.closest("[data-endpoint]");
    const tip = byId("tip");
    if (at === this.lit) return;
    for (const one of document.querySelectorAll(".lit")) one.classList.remove("lit");
    this.lit = at;
    tip.hidden = !at;
    const endpoint = at && this.model.endpoints.get(at.dataset.endpoint);
    if (!endpoint) {
      tip.hidden = true;
      return;
    }
    for (const one of byId("view").querySelectorAll("[data-container]")) one.classList.toggle("lit", one.dataset.container === at.dataset.container);
    show(tip, el("strong", {}, nameOf(endpoint)), el("span", {}, `${networkNameOf(endpoint)} · ${addressOf(endpoint)}`), endpoint.ports.slice(0, 4).map((port) => el("span", {}, portWords(port))));
    const box = at.getBoundingClientRect();
    tip.style.left = `${Math.min(box.left + scrollX, document.documentElement.clientWidth - tip.offsetWidth - 12)}px`;
    tip.style.top = `${box.bottom + scrollY + 8}px`;
  }
}

// ---- theme

const themes = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
  show(byId("theme"), el("span", {"aria-hidden": "true"}, {auto: "◐ ", light: "☼ ", dark: "☾ "}[theme]), `${theme[0].toUpperCase()}${theme.slice(1)}`,
    el("span", {class: "hidden"}, " colours"));
}

byId("theme").addEventListener("click", () => setTheme(themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length]));
setTheme(themes.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto");

// ---- signing in

function askForToken(refused) {
  const input = el("input", {id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true});
  const submit = (event) => {
    event.preventDefault();
    begin(input.value.trim().replace(/^.*#token=/, ""));
  };
  show(byId("view"), el("form", {class: "card sign-in", onsubmit: submit},
    el("h2", {}, "Sign in"),
    el("p", {}, "This page shows the networks and volumes of a host, so it asks who you are. On that host, run"),
    el("pre", {}, el("code", {}, "sudo fairlead ui")),
    el("p", {}, "and open the link that it prints, or paste it here."),
    el("label", {class: "field", for: "token"}, el("span", {}, "Link or token"), input),
    refused ? el("p", {class: "note error", role: "alert"}, refused) : null,
    el("div", {class: "buttons"}, el("button", {type: "submit", class: "act solid"}, "Sign in"))));
  document.title = "Sign in · Fairlead";
  input.focus();
}

async function begin(token) {
  try {
    const answer = token ? await signIn(token) : await session();
    if (answer.signed_in) new App(answer);
    else askForToken();
  } catch (error) {
    if (error.status === 0) waitForDaemon();
    else askForToken(error.message);
  }
}

function waitForDaemon() {
  show(byId("view"), el("p", {class: "card empty"}, el("strong", {}, "The daemon does not answer"), el("span", {}, "It is asked again every few seconds.")));
  setTimeout(() => begin(), 2000);
}

begin(takeToken());
