// The gateway as a competent team would write it for itself in an afternoon, in Node: @grpc/grpc-js, node:http, undici and
// better-sqlite3. It forwards sends, with a ledger for request ids, and stores webhooks durably before it answers them, many
// in one commit. ./dev bench measures it beside the product; it is no part of that.
//
// It leaves out what an afternoon does not reach: pacing, warm-up, retries and the breaker, filters and durable
// subscriptions, drains and heartbeats, tenants, metrics, retention.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import { Metadata, Server, ServerCredentials, loadPackageDefinition, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import Database from "better-sqlite3";
import { Pool } from "undici";
import { Log } from "./log.js";

const { AULM_BASE_URL, AULM_API_KEY, AULM_WEBHOOK_SECRET, PEER_STORE, PEER_PROTO } = process.env;
const db = new Database(join(PEER_STORE, "peer.db"));
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
const log = new Log(db);

// --- sends ---

const upstream = new Pool(AULM_BASE_URL, { connections: 64 });
db.exec("CREATE TABLE IF NOT EXISTS sends(request_id TEXT PRIMARY KEY, answer TEXT)");
const find = db.prepare("SELECT answer FROM sends WHERE request_id = ?");
const claim = db.prepare("INSERT INTO sends(request_id) VALUES(?)");
const keep = db.prepare("UPDATE sends SET answer = ? WHERE request_id = ?");
const release = db.prepare("DELETE FROM sends WHERE request_id = ?");

class Failure extends Error {
  constructor(code, reason, outcome) {
    super(reason);
    this.code = code;
    this.metadata = new Metadata();
    this.metadata.set("outcome", outcome);
  }
}

const REFUSALS = new Map([
  [400, status.INVALID_ARGUMENT],
  [403, status.PERMISSION_DENIED],
  [404, status.NOT_FOUND],
  [429, status.RESOURCE_EXHAUSTED],
]);

async function post({ session_id, to, body, request_id }) {
  let answer, text;
  try {
    answer = await upstream.request({
      path: "/v1/messages/send-text",
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${AULM_API_KEY}` },
      body: JSON.stringify({ session_id, to, body }),
    });
    text = await answer.body.json();
  } catch (error) {
    throw new Failure(status.UNKNOWN, error.message, "unknown");
  }
  if (answer.statusCode !== 201) {
    const reason = (text.error?.code ?? "UNEXPECTED_RESPONSE").toUpperCase();
    if (answer.statusCode === 503) throw new Failure(status.UNAVAILABLE, reason, "not_sent");
    if (answer.statusCode >= 500) throw new Failure(status.UNKNOWN, reason, "unknown");
    throw new Failure(REFUSALS.get(answer.statusCode) ?? status.FAILED_PRECONDITION, reason, "not_sent");
  }
  const { data } = text;
  return {
    message: {
      message_id: data.message_id,
      session_id: data.session_id,
      to: data.to,
      status: "MESSAGE_STATUS_SENT",
      simulated: data.simulated,
      request_id,
      aulm_request_id: answer.headers["x-request-id"],
    },
    rate_limit: rateLimit(answer.headers),
    replayed: false,
  };
}

function rateLimit(headers) {
  if (headers["x-ratelimit-limit"] === undefined) return null;
  const reset = Date.parse(headers["x-ratelimit-reset"]);
  return {
    limit: headers["x-ratelimit-limit"],
    remaining: headers["x-ratelimit-remaining"],
    reset_time: { seconds: Math.floor(reset / 1000), nanos: (reset % 1000) * 1e6 },
  };
}

async function send(request) {
  if (!request.session_id || !/^\+\d{1,19}$/.test(request.to) || !request.body) {
    throw new Failure(status.INVALID_ARGUMENT, "session_id, to or body is wrong", "not_sent");
  }
  if (!request.request_id) return post(request);
  const known = find.get(request.request_id);
  if (known?.answer) return { ...JSON.parse(known.answer), replayed: true };
  if (known) throw new Failure(status.ABORTED, "in flight, or its outcome is not known", "unknown");
  await log.run(claim, request.request_id);
  try {
    const response = await post(request);
    await log.run(keep, JSON.stringify(response), request.request_id);
    return response;
  } catch (error) {
    if (error.code !== status.UNKNOWN) await log.run(release, request.request_id);
    throw error;
  }
}

// --- events ---

function subscribe(call) {
  let position = call.request.after_cursor?.length === 8 ? Number(call.request.after_cursor.readBigUInt64BE()) : 0;
  let waiting = false;
  const go = () => {
    if (waiting || call.cancelled) return;
    const rows = log.after(position, 256);
    if (rows.length === 0) return;
    position = rows.at(-1).sequence;
    const deliveries = rows.map((row) => ({ event: log.message(row) }));
    waiting = !call.write({ event_batch: { deliveries, resume_cursor: log.cursor(position) } });
    if (!waiting) setImmediate(go);
  };
  call.on("drain", () => {
    waiting = false;
    go();
  });
  log.on("added", go);
  call.on("cancelled", () => log.off("added", go));
  go();
}

// --- webhooks ---

function verified(raw, header = "") {
  const wanted = createHmac("sha256", AULM_WEBHOOK_SECRET).update(raw).digest();
  const given = Buffer.from(header.replace(/^sha256=/, ""), "hex");
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function webhook(request, response) {
  const end = (code) => response.writeHead(code).end();
  if (request.method !== "POST" || request.url !== "/webhooks/aulm") return end(404);
  const chunks = [];
  let size = 0;
  request.on("data", (chunk) => {
    size += chunk.length;
    if (size > 1 << 20) return end(413);
    chunks.push(chunk);
  });
  request.on("end", async () => {
    const raw = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    if (!verified(raw, request.headers["x-aulm-signature"])) return end(401);
    let body;
    try {
      body = JSON.parse(raw);
    } catch {
      return end(400);
    }
    try {
      await log.append(body, raw);
      end(200);
    } catch {
      end(503);
    }
  });
}

const definition = loadSync(["messaging_service", "event_service"].map((name) => `aulm/gateway/v1/${name}.proto`), {
  includeDirs: [PEER_PROTO],
  keepCase: true,
  longs: String,
  enums: String,
});
const { MessagingService, EventService } = loadPackageDefinition(definition).aulm.gateway.v1;
const server = new Server({ "grpc.max_receive_message_length": 8 << 20 });
server.addService(MessagingService.service, {
  SendText: (call, done) => void send(call.request).then((response) => done(null, response), (error) => done(error)),
});
server.addService(EventService.service, { SubscribeEvents: subscribe });
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening grpc 127.0.0.1:${port}`);
  const http = createServer(webhook).listen(0, "127.0.0.1", () => {
    console.log(`listening webhook 127.0.0.1:${http.address().port}`);
  });
});
