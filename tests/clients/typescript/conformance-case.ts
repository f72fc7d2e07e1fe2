// Takes the steps of one conformance case (../conformance/README.md) against the real gateway and the simulator, by nothing
// but the client's public interface. A step or a field that it does not know is an error.
import assert from "node:assert/strict";
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import {
  type ConsumeOptions,
  EventType,
  type Event,
  FileCursorStore,
  GatewayClient,
  MessageStatus,
  OnExpiredCursor,
  ParkReason,
  type Start,
  SubscriptionMode,
  TestEvents,
} from "@aulm/gateway-client";
import { answerFacts, camel, errorFacts, expectFacts } from "./expectation.js";
import { HandlerFailed, nameOf, type Notice, Subscriber } from "./subscriber.js";
import { eventually, World } from "./world.js";

type Json = Record<string, unknown>;
type StepFields = Json & {
  expect?: Json;
  by?: string | string[];
  events?: string[];
};

/** One case of the table. */
export interface ConformanceCase {
  name: string;
  shows: string;
  client?: Json;
  simulator?: string[];
  steps: Json[];
}

// Takes what a step may have out of it, and fails for anything else.
function fieldsOf(step: unknown, names: string[]): StepFields {
  const fields = step as StepFields;
  for (const name of Object.keys(fields)) assert.ok(names.includes(name), `${name}: not known to this runner`);
  return fields;
}

const list = (value: unknown): string[] =>
  (value === undefined ? [] : Array.isArray(value) ? value : [value]) as string[];

/** Runs one case. */
export class CaseRun {
  readonly #subscribers = new Map<string, Subscriber>();
  readonly #sends = new Map<string, Promise<Json>>();
  readonly #requestIds = new Map<string, string>();
  readonly #counted = new Map<Subscriber, Map<string, number>>();
  readonly #client: GatewayClient;

  private constructor(
    private readonly world: World,
    private readonly sessions: Record<string, string>,
    client: Json,
  ) {
    const { timeout_ms: timeoutMs } = fieldsOf(client, ["timeout_ms"]);
    this.#client = new GatewayClient({
      target: world.target,
      sendBackoff: { leastMs: 20, mostMs: 200 },
      ...(timeoutMs === undefined ? {} : { timeoutMs: timeoutMs as number }),
    });
  }

  static async run(given: ConformanceCase, sessions: Record<string, string>): Promise<void> {
    const world = await World.start(given.simulator);
    const run = new CaseRun(world, sessions, given.client ?? {});
    try {
      for (const [i, step] of given.steps.entries()) {
        try {
          await run.#step(step);
        } catch (error) {
          throw new Error(`step ${i + 1}, ${JSON.stringify(step)}: ${String(error)}`, { cause: error });
        }
      }
    } finally {
      for (const subscriber of run.#subscribers.values()) subscriber.stop();
      run.#client.close();
      await world.end();
    }
  }

  async #step(step: Json): Promise<void> {
    const { expect, ...rest } = step;
    const [verb, ...others] = Object.keys(rest);
    const take = this.#verbs[verb!];
    assert.ok(
      take !== undefined && others.length === 0,
      `not one step that this runner knows: ${Object.keys(rest).join()}`,
    );
    await take(rest[verb!], expect as Json | undefined);
  }

  readonly #verbs: Record<string, (given: unknown, expect?: Json) => Promise<void> | void> = {
    gateway: (given) => this.#gateway(given as string),
    simulator: async (given) => {
      if (given === "stop") {
        await this.world.stopSimulator();
        return;
      }
      const { method, path, body } = fieldsOf(given, ["method", "path", "body"]);
      await this.world.control(method as string, path as string, body);
    },
    webhook: async (given) => {
      const { path, body } = fieldsOf(given, ["path", "body"]);
      await this.world.deliver(path as string, body);
    },
    inbound: async (given) => {
      const { from, bodies } = fieldsOf(given, ["from", "bodies"]);
      for (const body of bodies as string[]) await this.world.deliver("events/inbound", { from, body });
    },
    requests: (given) => this.#requests(fieldsOf(given, ["path", "count", "accepted", "bodies_contain"])),
    send_text: (given, expect) => {
      const step = fieldsOf(given, ["as", "background", "session", "to", "body", "request_id", "timeout_ms"]);
      const message = { ...this.#message(step), body: step.body as string };
      return this.#call(step, expect, () => this.#client.sendText(message, this.#options(step)));
    },
    send_image: (given, expect) => {
      const names = ["as", "session", "to", "caption", "data_base64", "url", "request_id", "timeout_ms"];
      const step = fieldsOf(given, names);
      const image = step.url === undefined ? Buffer.from(step.data_base64 as string, "base64") : (step.url as string);
      const message = {
        ...this.#message(step),
        caption: step.caption as string,
        image,
      };
      return this.#call(step, expect, () => this.#client.sendImage(message, this.#options(step)));
    },
    session_status: (given, expect) => {
      const step = fieldsOf(given, ["session", "timeout_ms"]);
      const id = this.#session(step.session);
      return this.#call(step, expect, () => this.#client.getSessionStatus(id, this.#options(step)));
    },
    await: async (given, expect) => {
      expectResult(await this.#sends.get(given as string)!, expect);
    },
    subscribe: (given) => {
      this.#subscribe(given);
    },
    handling: (given) => {
      const { by, events } = fieldsOf(given, ["by", "events"]);
      const seen = () =>
        this.#inOrder(by, "handling")
          .map(({ name }) => name)
          .sort()
          .join();
      return waitFor(seen, [...events!].sort().join());
    },
    handled: (given) => this.#handled(fieldsOf(given, ["by", "events", "in_any_order", "raw_bodies", "attempts"])),
    release: (given) => {
      const { by, events } = fieldsOf(given, ["by", "events"]);
      for (const subscriber of this.#by(by)) for (const event of events!) subscriber.release(event);
    },
    notice: (given) => this.#notice(fieldsOf(given, ["by", "kind", "count", "expect"])),
    stopping: (given) => {
      this.#subscribers.get(given as string)!.stop();
    },
    stop: async (given) => {
      const subscriber = this.#subscribers.get(given as string)!;
      subscriber.stop();
      const { error } = await eventually(
        () => subscriber.ended,
        () => "no end",
        5_000,
      );
      if (error !== undefined) throw error as Error;
    },
    ended: async (given) => {
      const { by, error: expected, handler_failed } = fieldsOf(given, ["by", "error", "handler_failed"]);
      const subscriber = this.#subscribers.get(by as string)!;
      const { error } = await eventually(
        () => subscriber.ended,
        () => "no end",
      );
      if (handler_failed === true) assert.ok(error instanceof HandlerFailed, String(error));
      else expectFacts(errorFacts(error), expected as Json);
    },
    copy_store: (given) => {
      const { from, to } = fieldsOf(given, ["from", "to"]);
      const file = this.#storeFile(from as string);
      if (existsSync(file)) copyFileSync(file, this.#storeFile(to as string));
    },
    create_subscription: async (given) => {
      const names = ["name", "mode", "start", "max_attempts", "retry_delay_ms", "ack_deadline_ms"];
      const step = fieldsOf(given, names);
      const start = this.#start(step.start);
      await this.#client.subscriptions.create({
        name: step.name as string,
        mode: enumValue(SubscriptionMode, step.mode),
        ...(start === undefined ? {} : { start }),
        ...(step.max_attempts === undefined ? {} : { maxAttempts: step.max_attempts as number }),
        ...(step.retry_delay_ms === undefined ? {} : { retryDelayMs: step.retry_delay_ms as number }),
        ...(step.ack_deadline_ms === undefined ? {} : { ackDeadlineMs: step.ack_deadline_ms as number }),
      });
    },
    subscription_stats: async (given) => {
      const { name, ...figures } = given as Json;
      let seen = {};
      await eventually(
        async () => {
          seen = (await this.#client.subscriptions.get(name as string)).stats!;
          const fits = Object.entries(figures).every(([figure, value]) => (seen as Json)[camel(figure)] === value);
          return fits ? true : undefined;
        },
        () => JSON.stringify(seen),
      );
    },
    parked: async (given) => {
      const step = fieldsOf(given, ["subscription", "in_any_order", "events", "reasons"]);
      const order = (values: string[]) => (step.in_any_order === true ? values.sort() : values).join();
      const expected = order(step.events!.map((name, i) => `${name} ${list(step.reasons)[i] ?? ""}`));
      let seen = "";
      await eventually(
        async () => {
          const { parkedEvents } = await this.#client.subscriptions.listParked(step.subscription as string);
          seen = order(parkedEvents.map(({ event, reason }) => `${nameOf(event!)} ${ParkReason[reason]}`));
          return seen === expected ? true : undefined;
        },
        () => seen,
      );
    },
    replay_parked: async (given) => {
      const { subscription } = fieldsOf(given, ["subscription"]);
      await this.#client.subscriptions.replayParked(subscription as string, "all");
    },
  };

  async #gateway(action: string): Promise<void> {
    if (action === "start") await this.world.startGateway();
    else if (action === "start_empty") await this.world.startGateway(true);
    else if (action === "kill") await this.world.endGateway("SIGKILL");
    else if (action === "terminate") await this.world.endGateway("SIGTERM");
    else if (action === "pause") this.world.signalGateway("SIGSTOP");
    else if (action === "continue") this.world.signalGateway("SIGCONT");
    else throw new Error(`gateway ${action}: not known to this runner`);
  }

  async #requests({ path, count, accepted, bodies_contain }: StepFields): Promise<void> {
    const { requests } = (await this.world.control("GET", "requests")) as {
      requests: Record<string, string>[];
    };
    const found = requests.filter(({ target }) => target!.startsWith(path as string));
    assert.equal(found.length, count, JSON.stringify(requests.map(({ target }) => target)));
    assert.equal(found.filter(({ message_id }) => Boolean(message_id)).length, accepted);
    for (const part of list(bodies_contain)) {
      // aulm's JSON may escape slashes or not: compared as values.
      assert.ok(
        found.some(({ body }) => body!.replaceAll("\\/", "/").includes(part)),
        part,
      );
    }
  }

  async #call(step: StepFields, expect: Json | undefined, call: () => Promise<unknown>): Promise<void> {
    const result = call().then(
      (answer) => {
        const facts = answerFacts(answer as Json);
        if (step.as !== undefined) this.#requestIds.set(step.as as string, facts.request_id as string);
        return { ok: facts };
      },
      (error: unknown) => ({ error: errorFacts(error) }),
    );
    if (step.background === true) this.#sends.set(step.as as string, result);
    else expectResult(await result, expect);
  }

  #message({ session, to, request_id }: StepFields) {
    const known = request_id as { request_id_of: string } | string | undefined;
    const requestId = typeof known === "object" ? this.#requestIds.get(known.request_id_of)! : known;
    return {
      sessionId: this.#session(session),
      to: to as string,
      ...(requestId === undefined ? {} : { requestId }),
    };
  }

  #options({ timeout_ms }: StepFields) {
    return timeout_ms === undefined ? {} : { timeoutMs: timeout_ms as number };
  }

  #session(name: unknown): string {
    return this.sessions[name as string] ?? (name as string);
  }

  #subscribe(given: unknown): void {
    const names = ["as", "start", "filter", "heartbeat_ms", "on_expired_cursor", "include_raw_body", "cursor_store"];
    const more = ["concurrency", "subscription", "mode", "max_outstanding_events", "hold", "fail", "settle"];
    const step = fieldsOf(given, [...names, ...more]);
    const options: ConsumeOptions = {
      concurrency: (step.concurrency as number | undefined) ?? 1,
    };
    const start = this.#start(step.start);
    if (start !== undefined) options.start = start;
    if (step.filter !== undefined) options.filter = this.#filter(step.filter);
    if (step.heartbeat_ms !== undefined) options.heartbeatIntervalMs = step.heartbeat_ms as number;
    if (step.on_expired_cursor !== undefined)
      options.onExpiredCursor = enumValue(OnExpiredCursor, step.on_expired_cursor);
    if (step.include_raw_body !== undefined) options.includeRawBody = step.include_raw_body as boolean;
    if (step.cursor_store !== undefined) {
      options.cursorStore = new FileCursorStore(this.#storeFile(step.cursor_store as string));
    }
    if (step.subscription !== undefined) options.subscription = step.subscription as string;
    if (step.max_outstanding_events !== undefined) options.maxOutstandingEvents = step.max_outstanding_events as number;
    const settle = structuredClone(step.settle ?? {}) as Record<string, string[]>;
    const behaviour = { hold: list(step.hold), fail: list(step.fail), settle };
    this.#subscribers.set(step.as as string, new Subscriber(this.#client, options, behaviour));
  }

  #filter(given: unknown): NonNullable<ConsumeOptions["filter"]> {
    const names = ["types", "session_ids", "peers", "message_ids", "statuses", "test_events"];
    const { types, session_ids, peers, message_ids, statuses, test_events } = fieldsOf(given, names);
    return {
      types: list(types).map((type) => enumValue(EventType, type)),
      sessionIds: list(session_ids).map((name) => this.#session(name)),
      peers: list(peers),
      messageIds: list(message_ids),
      statuses: list(statuses).map((status) => enumValue(MessageStatus, status)),
      testEvents: enumValue(TestEvents, test_events ?? "UNSPECIFIED"),
    };
  }

  #start(given: unknown): Start | undefined {
    if (given === undefined) return undefined;
    if (given === "EARLIEST") return "earliest";
    if (given === "LATEST") return "latest";
    const value = fieldsOf(given, ["cursor_of", "time_of", "cursor_base64"]) as Record<string, string | undefined>;
    if (value.cursor_of !== undefined) return { after: this.#event(value.cursor_of).cursor };
    if (value.time_of !== undefined) return this.#event(value.time_of).ingestedTime!;
    return { after: Buffer.from(value.cursor_base64!, "base64") };
  }

  #event(name: string): Event {
    const all = [...this.#subscribers.values()].flatMap(({ handled }) => handled);
    return all.find((handled) => handled.name === name)!.event;
  }

  #by(by: unknown): Subscriber[] {
    return list(by).map((name) => this.#subscribers.get(name)!);
  }

  #inOrder(by: unknown, which: "handling" | "handled") {
    return this.#by(by)
      .flatMap((subscriber) => subscriber[which])
      .sort((a, b) => a.at - b.at);
  }

  async #handled({ by, events, in_any_order, raw_bodies, attempts }: StepFields): Promise<void> {
    const order = (names: string[]) => (in_any_order === true ? [...names].sort() : names).join();
    await waitFor(() => order(this.#inOrder(by, "handled").map(({ name }) => name)), order(events!));
    const handled = this.#inOrder(by, "handled");
    if (raw_bodies !== undefined) {
      assert.deepEqual(
        handled.map(({ event }) => Buffer.from(event.rawBody).toString()),
        raw_bodies,
      );
    }
    if (attempts !== undefined)
      assert.deepEqual(
        handled.map(({ attempt }) => attempt),
        attempts,
      );
  }

  async #notice({ by, kind, count = 1, expect = {} }: StepFields): Promise<void> {
    const subscriber = this.#subscribers.get(by as string)!;
    const counted = this.#counted.get(subscriber) ?? new Map<string, number>();
    this.#counted.set(subscriber, counted);
    const ofKind = (): Notice[] => subscriber.notices.filter((notice) => notice.kind === kind);
    const fits = ({ facts }: Notice) => Object.entries(expect).every(([name, value]) => facts[camel(name)] === value);
    const fresh = () => ofKind().slice(counted.get(kind as string) ?? 0);
    await eventually(
      () => (fresh().filter(fits).length >= (count as number) ? true : undefined),
      () => JSON.stringify(subscriber.notices),
    );
    counted.set(kind as string, ofKind().length);
  }

  #storeFile(name: string): string {
    return join(this.world.folder, `${name}.cursor`);
  }
}

async function waitFor(seen: () => string, expected: string): Promise<void> {
  await eventually(
    () => (seen() === expected ? true : undefined),
    () => `${seen()}, not ${expected}`,
  );
}

function expectResult(result: Json, expect: Json | undefined): void {
  assert.ok(expect !== undefined, "the step has no expectation");
  const [[kind, facts]] = Object.entries(expect) as [[string, Json]];
  assert.ok(kind in result, `not ${kind}: ${JSON.stringify(result)}`);
  expectFacts(result[kind] as Json, facts);
}

function enumValue<T extends object>(type: T, name: unknown): T[keyof T] {
  assert.ok((name as string) in type, `${String(name)}: not a value that this runner knows`);
  return type[name as keyof T];
}
