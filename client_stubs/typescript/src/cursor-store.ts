// Where a subscriber keeps its position, so that its process can be restarted.

/**
 * Keeps a position: a file ({@link FileCursorStore}), or whatever the application writes its results to. Its methods are
 * called one after the other. What they fail with ends the subscription: a store that is worth another try makes that by
 * itself.
 */
export interface CursorStore {
  /** The cursor that was saved last; undefined when none ever was. */
  load(): Promise<Uint8Array | undefined>;
  /** Keeps `cursor` (opaque, under 1 KiB) in place of the last one, all of it or nothing. */
  save(cursor: Uint8Array): Promise<void>;
}

/** Keeps a position for as long as the process lives: several subscriptions in a row go on where the last one was. */
export class MemoryCursorStore implements CursorStore {
  constructor(private cursor?: Uint8Array) {}

  load(): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.cursor);
  }

  save(cursor: Uint8Array): Promise<void> {
    this.cursor = cursor;
    return Promise.resolve();
  }
}
