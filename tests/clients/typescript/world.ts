// The gateway, the simulator and a store for one test, as real processes; the simulator's control API; and waiting until
// something is so. Nothing outlives the test.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const PATIENCE_MS = 20_000;
const BIN = process.env.AULM_GATEWAY_BIN ?? join(import.meta.dirname, "../../../../build/dev/bin");

/** Waits until `test` answers with something; fails with `saw()` when it does not in time. */
export async function eventually<T>(
  test: () => T | undefined | Promise<T | undefined>,
  saw: () => string,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const result = await test();
    if (result !== undefined) return result;
    if (performance.now() > end) throw new Error(`not within ${patienceMs} ms; saw ${saw()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A program that prints `listening NAME ADDRESS` for each of its listeners. */
class Program {
  readonly ended: Promise<number | null>;
  private constructor(
    private readonly child: ChildProcess,
    readonly addresses: Map<string, string>,
  ) {
    this.ended = new Promise((resolve) =>
      child.once("exit", (status) => {
        resolve(status);
      }),
    );
  }

  static async start(name: string, args: string[], listeners: string[], environment = {}): Promise<Program> {
    const child = spawn(join(BIN, name), args, {
      env: { ...process.env, ...environment },
      stdio: ["pipe", "pipe", process.env.AULM_GATEWAY_LOG === undefined ? "ignore" : "inherit"],
    });
    const program = new Program(child, new Map());
    const lines = createInterface({ input: child.stdout });
    const listening = new Promise<void>((resolve) => {
      lines.on("line", (line) => {
        const [word, listener, address] = line.split(" ");
        if (word === "listening") program.addresses.set(listener!, address!);
        if (listeners.every((each) => program.addresses.has(each))) resolve();
      });
    });
    const failed = program.ended.then((status) => Promise.reject(new Error(`${name} ended with status ${status}`)));
    failed.catch(() => undefined);
    await Promise.race([listening, failed]);
    return program;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }
}

/** One gateway in front of one simulator. */
export class World {
  readonly folder = mkdtempSync(join(tmpdir(), "aulm-client-"));
  #gateway: Program | undefined;
  #environment: Record<string, string> = {};
  #stores = 0;

  private constructor(private readonly simulator: Program) {}

  static async start(simulatorArguments: string[] = []): Promise<World> {
    const usual = ["--listen=127.0.0.1:0", "--exit-when-stdin-closes", "--webhook-concurrency=1", "--statuses="];
    const args = [...usual, "--retry-base-ms=50", "--retry-max-ms=200", ...simulatorArguments];
    const world = new World(await Program.start("aulm-simulator", args, ["aulm"]));
    try {
      await world.startGateway();
      const url = `http://${world.#gateway!.addresses.get("webhook")!}/webhooks/aulm`;
      await world.control("PUT", "webhooks", { account: "default", url });
    } catch (error) {
      await world.end();
      throw error;
    }
    return world;
  }

  get target(): string {
    return this.#environment.GATEWAY_GRPC_LISTEN!;
  }

  /** Starts the gateway, on the ports of its first start. */
  async startGateway(emptyStore = false): Promise<void> {
    if (emptyStore) this.#stores++;
    this.#gateway = await Program.start("aulm-gateway", [], ["grpc", "webhook", "admin"], {
      AULM_BASE_URL: `http://${this.simulator.addresses.get("aulm")!}`,
      AULM_API_KEY: "alm_sk_test_simulator",
      AULM_WEBHOOK_SECRET: "whsec_simulator",
      GATEWAY_GRPC_LISTEN: "127.0.0.1:0",
      GATEWAY_WEBHOOK_LISTEN: "127.0.0.1:0",
      GATEWAY_ADMIN_LISTEN: "127.0.0.1:0",
      GATEWAY_STORE: `sqlite://${this.folder}/store${this.#stores}`,
      ...this.#environment,
    });
    for (const [listener, address] of this.#gateway.addresses) {
      this.#environment[`GATEWAY_${listener.toUpperCase()}_LISTEN`] = address;
    }
  }

  signalGateway(signal: NodeJS.Signals): void {
    this.#gateway!.signal(signal);
  }

  async endGateway(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.signalGateway(signal);
    const status = await this.#gateway!.ended;
    if (signal === "SIGTERM" && status !== 0) throw new Error(`the gateway ended with status ${status}`);
  }

  async stopSimulator(): Promise<void> {
    await this.simulator.kill();
  }

  /** A call of the simulator's control API. */
  async control(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(`http://${this.simulator.addresses.get("aulm")!}/_simulator/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
  }

  /** Posts an event to be delivered, and waits until it is. */
  async deliver(path: string, body: unknown): Promise<void> {
    const { sequence } = (await this.control("POST", path, body)) as {
      sequence: number;
    };
    let state: unknown;
    await eventually(
      async () => {
        const listed = await this.control("GET", `deliveries?account=default&after=${sequence - 1}`);
        const deliveries = listed.deliveries as Record<string, unknown>[];
        state = deliveries.find((delivery) => delivery.sequence === sequence)?.state;
        return state === "delivered" ? true : undefined;
      },
      () => `delivery ${sequence} ${String(state)}`,
    );
  }

  async end(): Promise<void> {
    this.#gateway?.signal("SIGCONT");
    await this.#gateway?.kill();
    await this.simulator.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
