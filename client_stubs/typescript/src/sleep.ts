// Waiting, for as long as nobody asks to stop.
import { setTimeout as delay } from "node:timers/promises";

/** Waits; returns early, and normally, when `signal` is aborted. */
export async function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  try {
    await delay(milliseconds, undefined, signal ? { signal } : undefined);
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}
