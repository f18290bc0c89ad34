/**
 * Every bound of the system, in one place, with the relations between them asserted at load.
 * A queue, map, retry or wait that has no bound here is a defect.
 *
 * Units stand last in the names. Who enforces a bound is said beside it. Longer than other files may be, because bounds that
 * stand in several files contradict each other unseen.
 */
import { JOB_WAIT_MS_MAX } from "./job-limits.ts"

export * from "./job-limits.ts"

const KIB = 1024
const MIB = 1024 * KIB

/** Largest message handed to the embedded broker (its `max_payload`). An outside cluster may allow less. */
export const BROKER_MESSAGE_BYTES_MAX = 8 * MIB

/** Largest encoded arguments or result of one call. The client checks before sending, the daemon again. */
export const PAYLOAD_BYTES_MAX = 7 * MIB

/** Optional metadata of one frame (a caller's own call id, later tracing). The frame reader enforces it. */
export const EXTRA_BYTES_MAX = 4 * KIB

/** A batch is closed and sent once it holds this much; a single larger frame travels alone. */
export const BATCH_BYTES_TARGET = 256 * KIB

/** Source text of one function. Client and daemon enforce it. */
export const SOURCE_BYTES_MAX = 6 * MIB

/** UTF-8 bytes of a name of an env or a function. */
export const NAME_BYTES_MAX = 200

/** Nesting of one value; deeper is refused with its path. */
export const VALUE_DEPTH_MAX = 128

/** Digits (base 16) of one BigInt; more is refused, because decoding is not linear in the length. */
export const BIGINT_HEX_DIGITS_MAX = 16 * KIB

/** Nesting of the encoded bytes: one level of a value takes at most three levels of msgpack. */
export const ENCODED_DEPTH_MAX = 3 * VALUE_DEPTH_MAX + 8

/** Deadline of a call that names none. 0 as an option means no deadline. */
export const CALL_TIMEOUT_MS_DEFAULT = 5 * 60_000

/** Calls around a call that a remote function makes. The daemon refuses more: a chain without an end. */
export const NESTING_MAX = 64

/** Longest deadline that fits the frame header. */
export const CALL_TIMEOUT_MS_MAX = 0xffff_ffff

/** The caller's own patience beyond the deadline before it settles a call without the daemon. */
export const DEADLINE_GRACE_MS = 1_000

/** Calls in flight of one daemon: the size of the slot space in a daemon call id. */
export const CALLS_IN_FLIGHT_MAX = 1 << 20

/** Deploy: the top-level code of a function must end within this time, unless the request says otherwise. */
export const DEPLOY_TIMEOUT_MS_DEFAULT = 30_000
export const DEPLOY_TIMEOUT_MS_MAX = 600_000

/** An env process must report ready within this time after its start. */
export const ENV_START_TIMEOUT_MS = 10_000

/** Defaults of one env; each can be set in its spec. */
export const ENV_CONCURRENCY_DEFAULT = 16_384
export const ENV_THREADS_MAX_DEFAULT = 64
export const ENV_QUEUE_DEFAULT = 65_536

/** Methods of one class, and exports of one module. Client and daemon enforce it. */
export const MEMBERS_MAX = 1_000

/** Instances of classes in one env, each of which may have a thread of its own. The daemon refuses more. */
export const ENV_INSTANCES_MAX = 1_024

/** An instance without a name that nobody is connected to, and nobody calls, is released after this time. */
export const INSTANCE_ORPHAN_MS = 10 * 60_000

/** What an instance's own disposer gets when the daemon releases it. */
export const INSTANCE_DISPOSE_MS = 5_000
/** Memory that an env may be limited to, in MiB. Less than the least cannot even start. */
export const ENV_MEMORY_MIB_MIN = 16
export const ENV_MEMORY_MIB_MAX = 1 << 20

/** How often the daemon looks at the memory of an env process that has a limit. */
export const MEMORY_CHECK_MS = 200

/** Packages that an env names itself; what these need comes on top. */
export const PACKAGES_MAX = 500

/** Names and values of an env's variables together: the system takes 128 KiB for one. */
export const VARS_BYTES_MAX = 64 * KIB

/**
 * One shipped folder: what is in it, how many files, and the length of a path. Client and daemon enforce it. The store
 * takes some 15 MiB a second, and has STORE_TIMEOUT_MS.
 */
export const FILES_BYTES_MAX = 32 * MIB
export const FILES_COUNT_MAX = 10_000
export const FILE_PATH_BYTES_MAX = 1_024

/** Body of a request that ships a folder: the contents, and the list of paths. */
export const FILES_BODY_BYTES_MAX = FILES_BYTES_MAX + FILES_COUNT_MAX * (FILE_PATH_BYTES_MAX + 32)
export const FILES_BODY_MS_MAX = 300_000

/** Installation of the packages of an env, and its setup command. */
export const INSTALL_TIMEOUT_MS = 300_000
export const SETUP_TIMEOUT_MS = 600_000

/** What a command that failed is quoted with. */
export const OUTPUT_TAIL_BYTES_MAX = 2 * KIB

/** Env processes that were replaced and still finish calls; of one more, the oldest is ended. */
export const ENV_RETIRED_MAX = 4

/** How long a client waits for an env to be described: packages, setup, a new process, and all functions in it. */
export const ENV_CHANGE_TIMEOUT_MS = 1_200_000

/** How long an env process keeps a thread that has nothing to do. */
export const THREAD_IDLE_MS = 10_000

/** Bytes of calls waiting in the daemon for one env. */
export const ENV_QUEUE_BYTES_MAX = 256 * MIB

/** Bytes of calls that were sent to one env and not answered; while there are as many, others wait in the daemon. */
export const ENV_FLIGHT_BYTES_MAX = 256 * MIB

/** Crashes within the window after which an env is failed instead of restarted. */
export const ENV_CRASHES_MAX = 5
export const ENV_CRASH_WINDOW_MS = 60_000

/** HTTP request body and WebSocket message, daemon side. */
export const BODY_BYTES_MAX = 16 * MIB

/** Bytes a slow caller may leave unread before its connection is closed. */
export const UNREAD_BYTES_MAX = 64 * MIB

/** What a stream may send before its reader has taken any of it: items (an option), and bytes of items beside one. */
export const STREAM_WINDOW_ITEMS_DEFAULT = 16_384
export const STREAM_WINDOW_ITEMS_MAX = 1 << 20
export const STREAM_WINDOW_BYTES = 4 * MIB

/** Items of a stream leave together once there are so many, or so many bytes, or at the end of the tick. */
export const STREAM_BATCH_ITEMS = 4_096
export const STREAM_BATCH_BYTES = 64 * KIB

/** For so long generators that never wait may keep an event loop from everything else. */
export const STREAM_SLICE_MS = 2

/** Time that a generator on a thread gets to end when nobody wants more of it, before its thread is ended. */
export const THREAD_STREAM_GRACE_MS = 1_000

/** Streams among the arguments of one call. */
export const STREAMED_ARGUMENTS_MAX = 64

/** Streams that are fetched chunk by chunk over HTTP: how many at a time, and how long one waits for its reader. */
export const STREAM_SESSIONS_MAX = 4_096
export const STREAM_SESSION_IDLE_MS = 5 * 60_000

/**
 * What a call that nobody waits for any more gets to let go of its thread, or of the event loop, before its env process
 * is ended. The env process looks at threads, the daemon at the loop.
 */
export const CANCEL_GRACE_MS = 1_000

/** The same while calls of others may be what keeps the loop. */
export const LOOP_STUCK_MS_MAX = 10_000

/** Threads ended by force after which an env process is replaced when it is idle. */
export const FORCED_ENDS_MAX = 32

/** How long a call may block the event loop of its env before it is told of; 0 in a spec for never. */
export const LOOP_BLOCK_MS_DEFAULT = 100
export const LOOP_BLOCK_MS_MAX = 60_000

/** A loop that is blocked for so long is told of while it still is. */
export const LOOP_BLOCKED_TELL_MS = 1_000

/** Blocked loops that the status of an env shows. */
export const LOOP_BLOCKS_SHOWN = 5

/** Time the daemon gives running calls when it is told to stop. */
export const DRAIN_MS_MAX = 10_000

/** How long a call waits for a broker that is away before it is refused. */
export const BROKER_WAIT_MS_MAX = 5_000

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

/** One object. The daemon enforces it at every part; the client before it sends what it holds in memory. */
export const OBJECT_BYTES_MAX = 1024 * MIB

/** All objects of one daemon together, unless `BUNHOUSE_OBJECTS_BYTES_MAX` says otherwise; and their number. */
export const OBJECTS_BYTES_MAX_DEFAULT = 16 * 1024 * MIB
export const OBJECTS_MAX = 16_384

/** How long an object is kept. 0 as an option means for ever. */
export const OBJECT_TTL_MS_DEFAULT = 24 * 60 * 60_000
export const OBJECT_TTL_MS_MAX = 10 * 365 * 24 * 60 * 60_000

/** Names of one object: they travel in one message of an outside cluster's broker. */
export const OBJECT_NAMES_MAX = 256

/** Bytes of an object in one request of an upload, and in one message of the store. */
export const OBJECT_PART_BYTES_MAX = 4 * MIB
export const OBJECT_CHUNK_BYTES_MAX = 512 * KIB

/** Uploads and downloads of one daemon at a time, and how long one may stand still. */
export const UPLOADS_MAX = 64
export const DOWNLOADS_MAX = 256
export const UPLOAD_IDLE_MS_MAX = 60_000
export const DOWNLOAD_IDLE_MS_MAX = 120_000

/** How often the daemon looks for objects and uploads whose time is over. */
export const OBJECT_SWEEP_MS = 10_000

/** Expired objects of which the daemon remembers that they were there. */
export const EXPIRED_REMEMBERED_MAX = 4_096

/** A release archive of nats-server (8 MiB in 2026), and what is waited for while it is fetched. */
export const ARCHIVE_BYTES_MAX = 64 * MIB
export const FETCH_CONNECT_MS_MAX = 5_000
export const FETCH_STALL_MS_MAX = 15_000

/** One run of `apt-get` while the distribution's package is fetched. */
export const PACKAGE_FETCH_MS_MAX = 120_000

/** A client's connection must be open within this time: a frozen daemon is connected to, but does not answer. */
export const CONNECT_TIMEOUT_MS = 5_000

/** How long a client waits for the answer to a request that is no call. */
export const CONTROL_TIMEOUT_MS = 60_000

/** How long a client looks for a daemon that was there a moment ago (a restart). */
export const RECONNECT_MS_MAX = 5_000

/** `remote.map`: calls in flight of one run, and how many times as many items may be between source and consumer. */
export const MAP_CONCURRENCY_DEFAULT = 64
export const MAP_CONCURRENCY_MAX = 16_384
export const MAP_WINDOW = 4

/** Idempotency keys: the daemon keeps outcomes this long, this many, and this many bytes of them. */
export const IDEMPOTENCY_KEY_BYTES_MAX = 256
export const IDEMPOTENCY_TTL_MS = 15 * 60_000
export const IDEMPOTENCY_KEYS_MAX = 65_536
export const IDEMPOTENCY_BYTES_MAX = 64 * MIB

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
/** A log file of the daemon or an env begins anew at this size; so many files are kept. Looked at after so many bytes. */
export const LOG_BYTES_MAX = 10 * MIB
export const LOG_FILES_MAX = 3
export const LOG_CHECK_BYTES = 256 * KIB

/** A line that a function prints; the rest of a longer one is dropped. */
export const LOG_LINE_LENGTH_MAX = 8_192

/** Lines for callers leave an env process this often; in between one call may print this much, and all together this much. */
export const LOG_FLUSH_MS = 20
export const LOG_CALL_BYTES_MAX = 64 * KIB
export const LOG_PROCESS_BYTES_MAX = 512 * KIB

/** Log frames to a caller that does not read are dropped beyond this much unread. The daemon enforces it. */
export const LOG_UNREAD_BYTES_MAX = MIB

/** Lines that a blocking call gets with its answer. */
export const LOG_ANSWER_BYTES_MAX = MIB

function assertRelation(holds: boolean, relation: string): void {
  if (!holds) throw new Error(`limits.ts contradicts itself: expected ${relation}`)
}

assertRelation(
  PAYLOAD_BYTES_MAX + EXTRA_BYTES_MAX + KIB <= BROKER_MESSAGE_BYTES_MAX,
  "a frame with the largest payload to fit one broker message",
)
assertRelation(BATCH_BYTES_TARGET <= BROKER_MESSAGE_BYTES_MAX, "a batch to fit one broker message")
assertRelation(
  BROKER_UNREAD_BYTES_MAX >= 2 * BROKER_MESSAGE_BYTES_MAX,
  "the broker to hold a message while another one is read",
)
assertRelation(
  BROKER_RESTART_WAIT_MS_MAX < BROKER_WAIT_MS_MAX,
  "a call to outlast the wait before a restart of the broker",
)
assertRelation(BODY_BYTES_MAX >= BROKER_MESSAGE_BYTES_MAX, "an HTTP body to hold any frame")
assertRelation(SOURCE_BYTES_MAX * 2 <= BODY_BYTES_MAX, "a deploy to fit an HTTP body when escaped")
assertRelation(
  INSTALL_TIMEOUT_MS + SETUP_TIMEOUT_MS + ENV_START_TIMEOUT_MS + 2 * DEPLOY_TIMEOUT_MS_DEFAULT <
    ENV_CHANGE_TIMEOUT_MS,
  "a client to wait for an env that is installed and set up",
)
assertRelation(
  STREAM_WINDOW_BYTES + PAYLOAD_BYTES_MAX + STREAM_WINDOW_ITEMS_MAX * 4 < BODY_BYTES_MAX,
  "a whole window of a stream, and the item that overdraws it, to fit one HTTP body",
)
assertRelation(OBJECT_PART_BYTES_MAX <= BODY_BYTES_MAX, "a part of an object to fit an HTTP body")
assertRelation(OBJECT_BYTES_MAX <= OBJECTS_BYTES_MAX_DEFAULT, "one object to fit the store")
assertRelation(UNREAD_BYTES_MAX > BODY_BYTES_MAX, "a slow caller to be allowed one whole message")
assertRelation(
  ENV_START_TIMEOUT_MS + DEPLOY_TIMEOUT_MS_DEFAULT + STORE_TIMEOUT_MS < CONTROL_TIMEOUT_MS,
  "a client to wait for a deploy that starts an env",
)
assertRelation(
  MAP_CONCURRENCY_MAX <= ENV_QUEUE_DEFAULT,
  "the calls of one map to fit the queue of an env",
)
assertRelation(
  IDEMPOTENCY_BYTES_MAX > PAYLOAD_BYTES_MAX,
  "the largest result to be kept under its idempotency key",
)
assertRelation(
  2 * LOG_CALL_BYTES_MAX + LOG_LINE_LENGTH_MAX * 8 < BROKER_MESSAGE_BYTES_MAX,
  "the lines of a call to fit one broker message",
)
assertRelation(
  PAYLOAD_BYTES_MAX + LOG_ANSWER_BYTES_MAX + EXTRA_BYTES_MAX <= BODY_BYTES_MAX,
  "the answer to a blocking call to hold its lines",
)
assertRelation(
  LOOP_BLOCKED_TELL_MS <= CANCEL_GRACE_MS && CANCEL_GRACE_MS < LOOP_STUCK_MS_MAX,
  "a blocked loop to be told of before its process is ended",
)
assertRelation(LOG_UNREAD_BYTES_MAX < UNREAD_BYTES_MAX, "lines to be dropped before a caller is")
assertRelation(JOB_WAIT_MS_MAX < CONTROL_TIMEOUT_MS, "a client to outlast the wait for a job")
