/** Calls from their beginning to their end: deadlines, cancellation, retries, and the waits of clients. A part of ../limits.ts. */
import { MIB } from "./units.ts"

/** Deadline of a call that names none. 0 as an option means no deadline. */
export const CALL_TIMEOUT_MS_DEFAULT = 5 * 60_000

/** Calls around a call that a remote function makes. The daemon refuses more: a chain without an end. */
export const NESTING_MAX = 64

/**
 * Calls that functions of an env process make to its own functions without leaving it, and the bytes of their arguments
 * together. What is more goes to the daemon.
 */
export const OWN_CALLS_MAX = 16_384
export const OWN_CALLS_BYTES_MAX = 64 * MIB

/** Results of other calls among the arguments of one (`f.later`). */
export const LATER_CALLS_MAX = 64

/** When a call that was refused because of others may come back. */
export const OVERLOADED_RETRY_AFTER_MS = 100

/** Longest deadline that fits the frame header. */
export const CALL_TIMEOUT_MS_MAX = 0xffff_ffff

/** The caller's own patience beyond the deadline before it settles a call without the daemon. */
export const DEADLINE_GRACE_MS = 1_000

/** Calls in flight of one daemon: the size of the slot space in a daemon call id. */
export const CALLS_IN_FLIGHT_MAX = 1 << 20

/**
 * What a call that nobody waits for any more gets to let go of its thread, or of the event loop, before its env process
 * is ended. The env process looks at threads, the daemon at the loop.
 */
export const CANCEL_GRACE_MS = 1_000

/** The same while calls of others may be what keeps the loop. */
export const LOOP_STUCK_MS_MAX = 10_000

/** Time the daemon gives running calls when it is told to stop. */
export const DRAIN_MS_MAX = 10_000

/** How long a call waits for a broker that is away before it is refused. */
export const BROKER_WAIT_MS_MAX = 5_000

/** A client's connection must be open within this time: a frozen daemon is connected to, but does not answer. */
export const CONNECT_TIMEOUT_MS = 5_000

/** How long a client waits for the answer to a request that is no call. */
export const CONTROL_TIMEOUT_MS = 60_000

/** By how much longer for each MiB of arguments that the request brings. */
export const SEND_MS_PER_MIB_MAX = 1_000

/** How long a client looks for a daemon that was there a moment ago (a restart). */
export const RECONNECT_MS_MAX = 5_000

/** `remote.map`: calls in flight of one run, and how many times as many items may be between source and consumer. */
export const MAP_CONCURRENCY_DEFAULT = 64
export const MAP_CONCURRENCY_MAX = 16_384
export const MAP_WINDOW = 4

/** Idempotency keys: the daemon keeps outcomes this long, this many, and this many bytes of them in memory and in the store. */
export const IDEMPOTENCY_KEY_BYTES_MAX = 256
export const IDEMPOTENCY_TTL_MS = 15 * 60_000
export const IDEMPOTENCY_KEYS_MAX = 65_536
export const IDEMPOTENCY_BYTES_MAX = 64 * MIB
export const IDEMPOTENCY_STORED_BYTES_MAX = 2 * 1024 * MIB

/** Calls that wait for calls with the same key. The daemon enforces it. */
export const IDEMPOTENCY_WAITERS_MAX = 65_536

/** Retries of one call, and the waits between them: base, doubled for each further one, at most the maximum. */
export const RETRIES_MAX = 20
export const RETRY_BASE_MS_DEFAULT = 100
export const RETRY_WAIT_MS_MAX = 20_000

/** Retries that a client may make in a burst, how many calls earn another one, and how many each second does. */
export const RETRY_BUDGET_MAX = 50
export const RETRY_BUDGET_CALLS = 10
export const RETRY_BUDGET_PER_SECOND = 1
