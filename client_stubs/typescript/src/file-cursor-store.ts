// A position in a file of its own. The format is that of the gateway's clients in all languages.
import { open, readFile, rename } from "node:fs/promises";
import type { CursorStore } from "./cursor-store.js";

/**
 * A cursor in a file of its own, as one line of base64url. Saving writes a file beside it, syncs that and renames it over:
 * a crash leaves the old cursor or the new one. One process a file.
 */
export class FileCursorStore implements CursorStore {
  /** The file need not exist; its folder must. `path` + ".new" is used too. */
  constructor(private readonly path: string) {}

  /** @throws Error when the file is not a cursor's: starting elsewhere would skip or repeat events unasked. */
  async load(): Promise<Uint8Array | undefined> {
    let text: string;
    try {
      text = await readFile(this.path, "latin1");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const line = text.trim();
    const cursor = Buffer.from(line, "base64url");
    if (!/^[\w-]+={0,2}$/.test(line) || cursor.length === 0) {
      throw new Error(
        `the cursor file ${this.path} holds no cursor: move it away to start anew, or put the last good one back`,
      );
    }
    return cursor;
  }

  async save(cursor: Uint8Array): Promise<void> {
    const beside = `${this.path}.new`;
    const file = await open(beside, "w", 0o644);
    try {
      await file.writeFile(`${Buffer.from(cursor).toString("base64url")}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(beside, this.path);
  }
}
