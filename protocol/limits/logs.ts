/** What functions print, and log files. A part of ../limits.ts. */
import { KIB, MIB } from "./units.ts"

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
