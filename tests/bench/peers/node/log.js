// The events in SQLite, and the one writer of it: whatever came since the last commit goes into one transaction.
import { EventEmitter } from "node:events";

const MOST_IN_COMMIT = 128;

export class Log extends EventEmitter {
  #waiting = [];
  #scheduled = false;
  #db;
  #insert;
  #after;

  constructor(db) {
    super();
    this.setMaxListeners(0);
    this.#db = db;
    db.exec(`CREATE TABLE IF NOT EXISTS events(sequence INTEGER PRIMARY KEY, delivery_id TEXT UNIQUE, session_id TEXT,
      kind TEXT, peer TEXT, message_id TEXT, body TEXT, raw BLOB)`);
    this.#insert = db.prepare(`INSERT OR IGNORE INTO events(delivery_id, session_id, kind, peer, message_id, body, raw)
      VALUES(?, ?, ?, ?, ?, ?, ?)`);
    this.#after = db.prepare("SELECT * FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?");
  }

  /** Resolves when the statement is durable. */
  run(statement, ...values) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statement, values, resolve, reject });
      if (!this.#scheduled) {
        this.#scheduled = true;
        setImmediate(() => this.#commit());
      }
    });
  }

  async append(event, raw) {
    await this.run(
      this.#insert,
      event.delivery_id ?? null,
      event.session_id ?? "",
      event.event ?? "",
      event.from ?? event.to ?? "",
      event.message_id ?? "",
      event.body ?? event.status ?? "",
      raw,
    );
  }

  after(sequence, limit) {
    return this.#after.all(sequence, limit);
  }

  cursor(sequence) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(sequence));
    return bytes;
  }

  message(row) {
    const inbound = row.kind === "inbound_message";
    const common = { message_id: row.message_id };
    return {
      cursor: this.cursor(row.sequence),
      delivery_id: row.delivery_id,
      account: "default",
      session_id: row.session_id,
      event_name: row.kind,
      ...(inbound
        ? { inbound_message: { ...common, from: row.peer, body: row.body } }
        : { message_status: { ...common, to: row.peer, aulm_status: row.body } }),
    };
  }

  #commit() {
    this.#scheduled = false;
    const batch = this.#waiting.splice(0, MOST_IN_COMMIT);
    if (this.#waiting.length > 0) {
      this.#scheduled = true;
      setImmediate(() => this.#commit());
    }
    try {
      this.#db.exec("BEGIN");
      for (const { statement, values } of batch) statement.run(...values);
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const { resolve } of batch) resolve();
    this.emit("added");
  }
}
