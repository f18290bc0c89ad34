/** Paths, headers and media types of the daemon's HTTP face. docs/protocol.md has the requests in full. */

/** Media type of a batch of frames. */
export const FRAMES_TYPE = "application/vnd.bunhouse.frames"
/** Media type of one encoded payload, outside of a frame. */
export const PAYLOAD_TYPE = "application/msgpack"
/** Media type of an object that was put as bytes. */
export const BYTES_TYPE = "application/octet-stream"
export const JSON_TYPE = "application/json"
/** A stream as one line of JSON for each item, and one for the end. */
export const LINES_TYPE = "application/x-ndjson"
/** A stream as server-sent events. */
export const EVENTS_TYPE = "text/event-stream"

/** Media type of a shipped folder. */
export const FILES_TYPE = "application/vnd.bunhouse.files"

/** Optional request header; a value other than PROTOCOL_VERSION is refused with 426. */
export const PROTOCOL_HEADER = "bunhouse-protocol"
/** Optional request header, in milliseconds: the deadline of a call, or of a function's top-level code when it is sent. */
export const TIMEOUT_HEADER = "bunhouse-timeout-ms"
/** Optional request header of a call: calls of one function with one key run once. */
export const IDEMPOTENCY_HEADER = "idempotency-key"
/** Answer to a call with an encoded payload: `value` or `thrown`; for the result of a job also `failed`. */
export const OUTCOME_HEADER = "bunhouse-outcome"
/** Answer that carries an object: its `ObjectInfo` as JSON, in ASCII. */
export const OBJECT_HEADER = "bunhouse-object"
/** JSON. With the start of a job its options (`JobOptions`), with its result its status. */
export const JOB_HEADER = "bunhouse-job"
/** Answer whose body comes as it is read: how many bytes it will be. */
export const BYTES_HEADER = "bunhouse-bytes"
/** JSON: what a schedule starts, and when (`ScheduleSpec`). */
export const SCHEDULE_HEADER = "bunhouse-schedule"

export const paths = {
  /** Liveness, without a token: 200 as long as the process answers. */
  health: "/health",
  /** 200 when calls are accepted, 503 with the reason otherwise. */
  ready: "/ready",
  connect: "/v1/connect",
  /** One batch with one call in, one batch with its reply, or the first items, out; what a blocking call uses. */
  frames: "/v1/frames",
  /** The next chunk of a stream that `frames` began, as one batch. */
  streamNext: (stream: string) => `/v1/streams/${stream}/next`,
  /** Nobody wants more of it. */
  streamRelease: (stream: string) => `/v1/streams/${stream}/release`,
  status: "/v1/status",
  shutdown: "/v1/shutdown",
  envs: "/v1/envs",
  functions: "/v1/functions",
  objects: "/v1/objects",
  uploads: "/v1/uploads",
  object: (key: string) => `/v1/objects/${encodeURIComponent(key)}`,
  objectInfo: (key: string) => `/v1/objects/${encodeURIComponent(key)}/info`,
  objectRename: (key: string) => `/v1/objects/${encodeURIComponent(key)}/rename`,
  upload: (upload: string) => `/v1/uploads/${encodeURIComponent(upload)}`,
  uploadCommit: (upload: string) => `/v1/uploads/${encodeURIComponent(upload)}/commit`,
  env: (env: string) => `/v1/envs/${encodeURIComponent(env)}`,
  envSpec: (env: string) => `/v1/envs/${encodeURIComponent(env)}/spec`,
  /** A shipped folder, by the hash of its pack. */
  files: (version: string) => `/v1/files/${version}`,
  envRestart: (env: string) => `/v1/envs/${encodeURIComponent(env)}/restart`,
  function: (env: string, fn: string) =>
    `/v1/envs/${encodeURIComponent(env)}/functions/${encodeURIComponent(fn)}`,
  instances: (env: string, cls: string) =>
    `/v1/envs/${encodeURIComponent(env)}/functions/${encodeURIComponent(cls)}/instances`,
  /** `instance` is a name to find or make an instance by, or the id of one to release. */
  instance: (env: string, cls: string, instance: string) =>
    `/v1/envs/${encodeURIComponent(env)}/functions/${encodeURIComponent(cls)}/instances/${encodeURIComponent(instance)}`,
  module: (env: string, module: string) =>
    `/v1/envs/${encodeURIComponent(env)}/modules/${encodeURIComponent(module)}`,
  call: (env: string, fn: string) =>
    `/v1/envs/${encodeURIComponent(env)}/functions/${encodeURIComponent(fn)}/call`,
  startJob: (env: string, fn: string) =>
    `/v1/envs/${encodeURIComponent(env)}/functions/${encodeURIComponent(fn)}/jobs`,
  jobs: "/v1/jobs",
  jobsEnded: "/v1/jobs/ended",
  job: (id: string) => `/v1/jobs/${encodeURIComponent(id)}`,
  jobLogs: (id: string) => `/v1/jobs/${encodeURIComponent(id)}/logs`,
  schedules: "/v1/schedules",
  schedule: (name: string) => `/v1/schedules/${encodeURIComponent(name)}`,
} as const
