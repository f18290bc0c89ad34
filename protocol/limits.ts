/**
 * Every bound of the system, behind one door, with the relations between them asserted at load: bounds in several files
 * contradict each other unseen. A queue, map, retry or wait that has no bound here is a defect.
 *
 * The bounds themselves stand by topic in limits/. Units stand last in the names. Who enforces a bound is said beside it.
 */
import {
  BROKER_MESSAGE_BYTES_MAX,
  BROKER_RESTART_WAIT_MS_MAX,
  BROKER_UNREAD_BYTES_MAX,
  STORE_TIMEOUT_MS,
} from "./limits/broker.ts"
import {
  BROKER_WAIT_MS_MAX,
  CANCEL_GRACE_MS,
  CONTROL_TIMEOUT_MS,
  IDEMPOTENCY_BYTES_MAX,
  IDEMPOTENCY_STORED_BYTES_MAX,
  LOOP_STUCK_MS_MAX,
  MAP_CONCURRENCY_MAX,
} from "./limits/calls.ts"
import {
  DEPLOY_TIMEOUT_MS_DEFAULT,
  ENV_CHANGE_TIMEOUT_MS,
  ENV_QUEUE_DEFAULT,
  ENV_START_TIMEOUT_MS,
  INSTALL_TIMEOUT_MS,
  LOOP_BLOCKED_TELL_MS,
  LOOP_SAMPLE_MS_MIN,
  LOOP_SAMPLE_REST_MS,
  SETUP_TIMEOUT_MS,
} from "./limits/envs.ts"
import { JOB_LOG_BYTES_MAX, JOB_WAIT_MS_MAX } from "./limits/jobs.ts"
import {
  LOG_ANSWER_BYTES_MAX,
  LOG_CALL_BYTES_MAX,
  LOG_LINE_LENGTH_MAX,
  LOG_UNREAD_BYTES_MAX,
} from "./limits/logs.ts"
import {
  BATCH_BYTES_TARGET,
  BODY_BYTES_MAX,
  ENV_PAYLOAD_MIB_DEFAULT,
  ENV_PAYLOAD_BYTES_MAX,
  ENV_PAYLOAD_MIB_MAX,
  EXTRA_BYTES_MAX,
  PART_BYTES_MAX,
  PARTS_WINDOW_BYTES_MAX,
  PARTS_WINDOW_BYTES_MIN,
  PARTS_WINDOWS_BYTES_TARGET,
  PAYLOAD_BYTES_MAX,
  SOURCE_BYTES_MAX,
  UNREAD_BYTES_MAX,
} from "./limits/messages.ts"
import {
  OBJECTS_BYTES_MAX_DEFAULT,
  OBJECT_BYTES_MAX,
  OBJECT_PART_BYTES_MAX,
} from "./limits/objects.ts"
import { STREAM_WINDOW_BYTES, STREAM_WINDOW_ITEMS_MAX } from "./limits/streams.ts"
import { KIB, MIB } from "./limits/units.ts"

export * from "./limits/broker.ts"
export * from "./limits/calls.ts"
export * from "./limits/envs.ts"
export * from "./limits/jobs.ts"
export * from "./limits/logs.ts"
export * from "./limits/messages.ts"
export * from "./limits/objects.ts"
export * from "./limits/streams.ts"

function assertRelation(holds: boolean, relation: string): void {
  if (!holds) throw new Error(`limits.ts contradicts itself: expected ${relation}`)
}

assertRelation(
  PAYLOAD_BYTES_MAX + EXTRA_BYTES_MAX + KIB <= BROKER_MESSAGE_BYTES_MAX,
  "a frame with the largest payload to fit one broker message",
)
assertRelation(
  PAYLOAD_BYTES_MAX <= ENV_PAYLOAD_MIB_DEFAULT * MIB &&
    ENV_PAYLOAD_MIB_DEFAULT <= ENV_PAYLOAD_MIB_MAX &&
    ENV_PAYLOAD_BYTES_MAX <= OBJECT_BYTES_MAX,
  "a payload of one frame to be allowed everywhere, and the largest payload to be allowed as an object",
)
assertRelation(
  PART_BYTES_MAX + KIB < MIB && PARTS_WINDOW_BYTES_MIN <= PART_BYTES_MAX,
  "a part to fit a message of any broker, and a window to be some parts",
)
assertRelation(
  PARTS_WINDOW_BYTES_MAX <= PARTS_WINDOWS_BYTES_TARGET &&
    PARTS_WINDOWS_BYTES_TARGET < UNREAD_BYTES_MAX,
  "parts that are on the way to be no reason to close a connection",
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
  IDEMPOTENCY_BYTES_MAX > PAYLOAD_BYTES_MAX &&
    IDEMPOTENCY_STORED_BYTES_MAX >= ENV_PAYLOAD_BYTES_MAX,
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
assertRelation(
  LOOP_SAMPLE_MS_MIN <= LOOP_SAMPLE_REST_MS && 2 * LOOP_SAMPLE_REST_MS < LOOP_BLOCKED_TELL_MS,
  "a loop that is blocked for long to be seen, also by who rests",
)
assertRelation(LOG_UNREAD_BYTES_MAX < UNREAD_BYTES_MAX, "lines to be dropped before a caller is")
assertRelation(
  3 * LOG_CALL_BYTES_MAX + KIB <= JOB_LOG_BYTES_MAX && JOB_LOG_BYTES_MAX + KIB < MIB,
  "what a call prints at a time, in any script, to be kept with its job, and that to fit a message of any broker",
)
assertRelation(JOB_WAIT_MS_MAX < CONTROL_TIMEOUT_MS, "a client to outlast the wait for a job")
