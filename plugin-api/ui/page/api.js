// What is asked of the daemon: the session, the API below /v1, and its stream of events.

const KEY = "fairlead-key"; // the half of the token that is no cookie

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function ask(method, path, body, signal) {
  const headers = {};
  const key = localStorage.getItem(KEY);
  if (key) headers["X-Fairlead-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const request = {method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body)};
  const answer = await fetchOrAgain(path, request);
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, problem.detail ?? problem.error ?? `the daemon answered ${answer.status}`);
}

const MOMENT = 200;

// Browsers drop what is under way when an interface of their machine comes or goes, as on a host of containers. What only
// looks is asked for once more.
async function fetchOrAgain(path, request, mayAgain = request.method === "GET") {
  try {
    return await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw new Refused(0, "stopped");
    if (!mayAgain) throw new Refused(0, "the daemon does not answer");
    await new Promise((done) => setTimeout(done, MOMENT));
    return fetchOrAgain(path, request, false);
  }
}

async function document_of(answer) {
  const text = await answer.text();
  return text === "" ? null : JSON.parse(text);
}

export const get = async (path) => document_of(await ask("GET", path));
export const send = async (method, path, body) => document_of(await ask(method, path, body));
export const path = (...parts) => "/v1/" + parts.map(encodeURIComponent).join("/");

// ---- the session

export const session = () => get("/session");

// Throws Refused when it is not the token.
export async function signIn(token) {
  localStorage.setItem(KEY, token.slice(token.length / 2));
  return send("POST", "/session", {token});
}

export async function signOut() {
  localStorage.removeItem(KEY);
  await send("DELETE", "/session");
}

// The token that the link brings behind its "#", which no server sees. It leaves the address bar and the history.
export function takeToken() {
  const found = /^#token=([0-9a-f]+)$/i.exec(location.hash);
  if (found) history.replaceState(null, "", location.pathname);
  return found?.[1];
}

// ---- events

const SILENCE = 15_000; // a heartbeat comes every 5 s
const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 5_000;

// What happened after a revision, until now.
export async function past(revision) {
  const text = await (await ask("GET", `/v1/events?since=${revision}&until=now`)).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line)).filter((line) => line.action);
}

// Calls on.line with each line, on.open with the revision when a stream has begun (what is listed after that misses nothing), and on.lost
// with the refusal, if there is one, when it has ended; it then tries again. Ends with stop().
export class Events {
  constructor(on) {
    this.on = on;
    this.pause = FIRST_PAUSE;
    this.stopped = false;
    this.go();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.again);
    this.abort?.abort();
  }

  async go() {
    this.abort = new AbortController();
    let refused = null;
    try {
      await this.read();
    } catch (error) {
      refused = error;
    }
    clearTimeout(this.watch);
    if (this.stopped) return;
    this.on.lost(refused);
    this.again = setTimeout(() => this.go(), this.pause);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }

  async read() {
    const answer = await ask("GET", "/v1/events", undefined, this.abort.signal);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      this.expectLine();
      const {value, done} = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) if (line !== "") this.take(JSON.parse(line));
    }
  }

  expectLine() {
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.abort.abort(), SILENCE);
  }

  take(line) {
    if (line.kind === "heartbeat") {
      if (this.begun !== this.abort) this.on.open(line.revision);
      this.begun = this.abort;
      this.pause = FIRST_PAUSE;
    } else if (line.kind !== "end") {
      this.on.line(line);
    }
  }
}
