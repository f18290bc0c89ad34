/** The broker: the embedded server, how it is fetched, and the store. A part of ../limits.ts. */
import { MIB } from "./units.ts"

/** Largest message handed to a broker, and the embedded one's `max_payload`. An outside cluster may allow less: then it is cut. */
export const BROKER_MESSAGE_BYTES_MAX = 8 * MIB

/** How long the next fragment of a message that was cut is waited for. */
export const FRAGMENT_WAIT_MS_MAX = 30_000

/** The embedded broker must be ready within this time after its start. */
export const BROKER_START_TIMEOUT_MS = 5_000

/** Time the embedded broker gets to end by itself before it is killed. */
export const BROKER_STOP_MS_MAX = 2_000

/** A broker that served this long was well: its crash counts as the first one. */
export const BROKER_HEALTHY_MS = 1_000

/** Crashes in a row, none of them after a healthy time, after which the broker is failed instead of restarted. */
export const BROKER_CRASHES_MAX = 30

/** Longest wait before a restart of the broker. The first restart waits for nothing. */
export const BROKER_RESTART_WAIT_MS_MAX = 2_000

/** Bytes that the broker holds for one connection that does not read (its `max_pending`); then it is cut off. */
export const BROKER_UNREAD_BYTES_MAX = 256 * MIB

/** Connections to the embedded broker, and subscriptions of one of them. */
export const BROKER_CONNECTIONS_MAX = 4_096
export const BROKER_SUBSCRIPTIONS_MAX = 16_384

/** The embedded broker's log file begins anew at this size. */
export const BROKER_LOG_BYTES_MAX = 4 * MIB

/** One operation on the store, reading all records included. */
export const STORE_TIMEOUT_MS = 10_000

/** A release archive of nats-server (8 MiB in 2026), and what is waited for while it is fetched. */
export const ARCHIVE_BYTES_MAX = 64 * MIB
export const FETCH_CONNECT_MS_MAX = 5_000
export const FETCH_STALL_MS_MAX = 15_000

/** One run of `apt-get` while the distribution's package is fetched. */
export const PACKAGE_FETCH_MS_MAX = 120_000
