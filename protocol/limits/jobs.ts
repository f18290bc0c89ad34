/** Jobs and schedules. A part of ../limits.ts. */
import { KIB, MIB } from "./units.ts"

/**
 * Jobs that a daemon knows, ended ones included, and what their arguments, results and lines may take when one is started, or
 * when a result over PAYLOAD_BYTES_MAX comes.
 */
export const JOBS_MAX = 100_000
export const JOBS_BYTES_MAX = 4 * 1024 * MIB

/** Jobs that run at a time in one env and place (loop, threads); half of the places are left to calls in any case. */
export const JOBS_RUNNING_MAX = 256

/** Jobs that one list shows. */
export const JOBS_LISTED_MAX = 1_000

/** Characters of a job's id. */
export const JOB_ID_LENGTH_MAX = 64

/** How long a job is kept once it has ended. */
export const JOB_TTL_MS_DEFAULT = 24 * 60 * 60_000
export const JOB_TTL_MS_MAX = 30 * JOB_TTL_MS_DEFAULT

/** How far ahead a job can be started. */
export const JOB_DELAY_MS_MAX = 365 * JOB_TTL_MS_DEFAULT

/** How often a durable job is tried; any other is tried once. */
export const JOB_ATTEMPTS_DEFAULT = 5
export const JOB_ATTEMPTS_MAX = 100

/** Wait before the second attempt of a job. It doubles from attempt to attempt, up to the longest; half of it is random. */
export const JOB_BACKOFF_MS_FIRST = 1_000
export const JOB_BACKOFF_MS_MAX = 5 * 60_000

/** How long one request waits for the end of jobs, and for how many; who waits longer asks again. */
export const JOB_WAIT_MS_MAX = 25_000
export const JOBS_WAITED_MAX = 1_024

/** How often a client reads the result of one job when the connection breaks off. */
export const JOB_RESULT_READS_MAX = 3

/** Requests about jobs that one client has open at a time, those that wait aside. */
export const JOB_REQUESTS_MAX = 128

/** Progress of one call: the length of its message, and how many reports pass at once and per second. */
export const PROGRESS_MESSAGE_LENGTH_MAX = 500
export const PROGRESS_REPORTS_MAX = 20

/** What is kept of what the attempts of one job print, and how often it is written while they do. The oldest goes first. */
export const JOB_LOG_BYTES_MAX = 256 * KIB
export const JOB_LOG_WRITE_MS = 1_000

/** Schedules of one daemon. */
export const SCHEDULES_MAX = 1_000
