// Saves how far a subscriber has come: at most once in an interval, one save after the other, the newest position alone.
// EventFollower and EventConsumer tell it of each step. A store that fails is their end, but for a gateway that is away: that
// is told of, and tried again.
import type { CursorStore } from "./cursor-store.js";
import { GatewayError } from "./gateway-error.js";

/** Keeps a subscriber's position in its store. */
export class PositionKeeper {
  #position: Uint8Array | undefined;
  #saved: Uint8Array | undefined;
  #saves: Promise<void> = Promise.resolve(); // never fails
  #timer: NodeJS.Timeout | undefined; // set while a save is due
  #lastSave = -Infinity;
  #failure: { error: unknown } | undefined;

  constructor(
    private readonly store: CursorStore | undefined,
    private readonly intervalMs: number,
    private readonly onNotSaved: (error: unknown) => void,
    private readonly onFailed: () => void,
  ) {}

  /** What the store failed with, for good. */
  get failure(): { error: unknown } | undefined {
    return this.#failure;
  }

  /** Stands after the last handled event; undefined before anything is known. */
  get position(): Uint8Array | undefined {
    return this.#position;
  }

  /** Reads where to go on. */
  async load(): Promise<Uint8Array | undefined> {
    this.#position = this.#saved = await this.store?.load();
    return this.#position;
  }

  /** Everything up to here is handled. Saves when it is time. */
  advance(position: Uint8Array): void {
    this.#position = position;
    if (this.store === undefined || this.#timer !== undefined) return;
    const wait = Math.max(0, this.#lastSave + this.intervalMs - performance.now());
    this.#timer = setTimeout(() => void this.tryFlush(), wait);
    this.#timer.unref();
  }

  /** Saves now what is not saved, and waits for it. Fails as the store does. */
  flush(): Promise<void> {
    const save = this.#saves.then(() => this.#save());
    this.#saves = save.catch(() => undefined);
    return save;
  }

  /** As flush, but does not fail itself: `onNotSaved` or `onFailed` is told. */
  async tryFlush(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      if (error instanceof GatewayError && error.mayPass) {
        this.onNotSaved(error);
      } else {
        this.#failure ??= { error };
        this.onFailed();
      }
    }
  }

  async #save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const position = this.#position;
    if (this.store === undefined || position === undefined || position === this.#saved) return;
    this.#lastSave = performance.now(); // also of one that fails: it is not tried again at once
    await this.store.save(position);
    this.#saved = position;
  }
}
