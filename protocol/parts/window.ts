import {
  PARTS_WINDOW_BYTES_MAX,
  PARTS_WINDOW_BYTES_MIN,
  PARTS_WINDOWS_BYTES_TARGET,
} from "../limits.ts"

/** Bytes of one payload that may be on the way to a receiver of so many at once. */
export function windowFor(payloads: number): number {
  const share = Math.floor(PARTS_WINDOWS_BYTES_TARGET / payloads)
  return Math.max(PARTS_WINDOW_BYTES_MIN, Math.min(PARTS_WINDOW_BYTES_MAX, share))
}
