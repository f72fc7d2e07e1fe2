// protobuf's Duration and the milliseconds that JavaScript counts in.
import type { Duration } from "./gen/google/protobuf/duration.js";

/** In milliseconds, fractions kept; 0 where absent. */
export function toMilliseconds(duration: Duration | undefined): number {
  return duration === undefined ? 0 : duration.seconds * 1e3 + duration.nanos / 1e6;
}

/** Of a number of milliseconds that is not negative; absent stays absent. */
export function toDuration(milliseconds: number | undefined): Duration | undefined {
  if (milliseconds === undefined) return undefined;
  const seconds = Math.floor(milliseconds / 1e3);
  return { seconds, nanos: Math.round((milliseconds - seconds * 1e3) * 1e6) };
}
