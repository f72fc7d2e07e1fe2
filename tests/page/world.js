// The gateway and the simulator for one test, as real processes, and a real browser. Nothing outlives the test.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const kBin = process.env.AULM_GATEWAY_BIN ?? join(import.meta.dirname, "../../build/dev/bin");
const kBrowser = process.env.AULM_GATEWAY_CHROMIUM ?? "/usr/bin/chromium";
export const kSession = "00000000-0000-4000-8000-000000000001";
const kSessions = [1, 2, 3].map((number) => `00000000-0000-4000-8000-00000000000${number}`);

// The longest that a test waits for anything.
export const kPatience = 30_000;

/** A program that prints `listening NAME ADDRESS` for each of its listeners. */
async function start(name, args, listeners, environment = {}) {
  const child = spawn(join(kBin, name), args, {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ["pipe", "pipe", process.env.AULM_GATEWAY_LOG === undefined ? "ignore" : "inherit"],
  });
  const addresses = {};
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [word, listener, address] = line.split(" ");
      if (word === "listening") addresses[listener] = address;
      if (listeners.every((each) => each in addresses)) resolve();
    });
    ended.then((status) => reject(new Error(`${name} ended with status ${status}`)));
  });
  return { child, addresses, ended };
}

/** One gateway with a live key (so that its sends are paced) in front of one simulator. */
export class World {
  #children = [];

  static async start({ token, sessions = true } = {}) {
    const world = new World();
    world.folder = mkdtempSync(join(tmpdir(), "aulm-page-"));
    const file = (name, content) => {
      writeFileSync(join(world.folder, name), content);
      return join(world.folder, name);
    };
    try {
      const args = ["--listen=127.0.0.1:0", "--exit-when-stdin-closes", "--daily-limit=1000", "--status-delay-ms=5"];
      world.simulator = await world.#run("aulm-simulator", args, ["aulm"]);
      const digest = createHash("sha256").update(token ?? "").digest("hex");
      const configuration = {
        ...(token === undefined ? {} : { listeners: { admin: { token_sha256_file: file("token", digest) } } }),
        store: { url: `sqlite://${world.folder}/store` },
        accounts: [{
          name: "default",
          base_url: `http://${world.simulator.addresses.aulm}`,
          api_key_file: file("key", "alm_sk_live_simulator"),
          webhook_secret_files: [file("secret", "whsec_simulator")],
          ...(sessions ? { session_ids: kSessions, session_poll_interval: "1s" } : {}),
        }],
      };
      world.configuration = file("gateway.json", JSON.stringify(configuration));
      await world.startGateway();
      await world.control("PUT", "webhooks", { account: "default", url: `http://${world.gateway.addresses.webhook}/webhooks/aulm` });
    } catch (error) {
      await world.end();
      throw error;
    }
    return world;
  }

  /** Starts the gateway, on the ports of its first start. */
  async startGateway() {
    const environment = {};
    for (const listener of ["grpc", "webhook", "admin"]) {
      environment[`GATEWAY_${listener.toUpperCase()}_LISTEN`] = this.gateway?.addresses[listener] ?? "127.0.0.1:0";
    }
    this.gateway = await this.#run("aulm-gateway", ["--config", this.configuration], ["grpc", "webhook", "admin"], environment);
    this.url = `http://${this.gateway.addresses.admin}/`;
  }

  async stopGateway() {
    this.gateway.child.kill("SIGTERM");
    await this.gateway.ended;
  }

  async #run(...args) {
    const program = await start(...args);
    this.#children.push(program);
    return program;
  }

  async control(method, path, body) {
    const answer = await fetch(`http://${this.simulator.addresses.aulm}/_simulator/${path}`, { method, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** The newest overview, as the page gets it. */
  async overview() {
    const ended = new AbortController();
    const answer = await fetch(`${this.url}live`, { signal: ended.signal, headers: this.headers });
    let text = "";
    for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
      text += piece;
      const found = text.match(/^data: (.*)\n\n/m);
      if (found === null) continue;
      ended.abort();
      return JSON.parse(found[1]);
    }
    throw new Error(`no overview: ${answer.status} ${text}`);
  }

  /** Waits until `test` answers with something true. */
  async until(test) {
    const end = performance.now() + kPatience;
    while (!(await test())) {
      if (performance.now() > end) throw new Error(`not within ${kPatience} ms: ${test}`);
    }
  }

  /** Starts aulmctl, which runs until it ends or the world does. */
  aulmctl(...args) {
    const child = spawn(join(kBin, "aulmctl"), ["--gateway", this.gateway.addresses.grpc, ...args], { stdio: ["ignore", "ignore", "inherit"] });
    const program = { child, ended: new Promise((resolve) => child.once("exit", resolve)) };
    this.#children.push(program);
    return program;
  }

  sendText(to, body = "hello") {
    return this.aulmctl("send", "text", "--session", kSession, "--to", to, body);
  }

  async end() {
    for (const { child } of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.map(({ ended }) => ended));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A headless Chromium with a profile of its own; null when there is none. */
export async function startBrowser() {
  if (!existsSync(kBrowser)) return null;
  const profile = mkdtempSync(join(tmpdir(), "aulm-browser-"));
  const browser = await chromium.launch({
    executablePath: kBrowser,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", `--crash-dumps-dir=${profile}`],
    env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
  });
  return { browser, close: () => browser.close().finally(() => rmSync(profile, { recursive: true, force: true })) };
}

/** Fills the world with everything that the page has a place for; it goes on until the world ends. */
export async function makeBusy(world) {
  await world.aulmctl("subscriptions", "create", "archive", "--mode", "cursor").ended;
  await world.aulmctl("subscriptions", "create", "bot", "--ack-deadline", "1s", "--retry-delay", "0s", "--max-attempts", "1",
    "--type", "inbound_message").ended;
  for (let i = 0; i < 3; i++) world.aulmctl("events", "follow");
  // A consumer that stands still takes deliveries and settles none: after its deadline each is parked.
  const consumer = world.aulmctl("events", "follow", "--subscription", "bot", "--consumer", "pod-1");
  await world.until(async () => (await world.overview()).subscriptions.list.some((each) => each.consumers === 1));
  consumer.child.kill("SIGSTOP");
  for (const session of kSessions.slice(0, 2)) {
    await world.control("POST", "events/inbound", { session_id: session, from: "+966512345678", body: "are you there?" });
  }
  await world.until(async () => (await world.overview()).subscriptions.list.some((each) => each.parked === 2));
  consumer.child.kill("SIGKILL");
  for (let i = 0; i < 9; i++) world.sendText(`+96655500012${i}`, `number ${i}`);
  await world.control("POST", "events/test", { session_id: kSession });
  await world.control("POST", "events/raw", { body: '{"event":"group_joined","delivery_id":"d-1"}', event: "group_joined", delivery_id: "d-1" });
  await world.control("POST", "blast", { count: 2000, concurrency: 2, rate_per_second: 12 });
}
