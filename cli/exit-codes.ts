import { type BunhouseError, ERROR_CODES } from "../protocol/errors.ts"

/** The exit code for a failure of the platform: the `exit` column of ERROR_CODES. */
export function exitOf(error: BunhouseError): number {
  return ERROR_CODES[error.code].exit
}

/** What the called function threw is its caller's business, not a failure of the platform. */
export const EXIT_THROWN = 1
/** An unknown command or a wrong option. */
export const EXIT_USAGE = ERROR_CODES.INVALID_ARGUMENT.exit
/** By convention 128 + SIGINT. */
export const EXIT_INTERRUPTED = 130

/** All exit codes and what they mean, for help and documents. */
export const EXIT_CODES: Readonly<Record<number, string>> = {
  0: "done",
  [EXIT_THROWN]: "the called function threw",
  [EXIT_USAGE]: "a wrong command, option, argument or value",
  [ERROR_CODES.UNAUTHENTICATED.exit]: "not allowed: a wrong token, or files that others may read",
  [ERROR_CODES.NOT_FOUND.exit]: "there is no such env, function, job or log",
  [ERROR_CODES.ENV_FAILED.exit]: "the env is failed, or cannot load the function",
  [ERROR_CODES.UNAVAILABLE.exit]: "not now: overloaded, stopping, or the daemon cannot start",
  [ERROR_CODES.NO_DAEMON.exit]: "no daemon is running, or it is of another version",
  [ERROR_CODES.DEADLINE_EXCEEDED.exit]: "the deadline passed, or the call was cancelled",
  [ERROR_CODES.WORKER_LOST.exit]: "the env, the broker or the daemon was lost during the call",
  [ERROR_CODES.INTERNAL.exit]: "a defect of bunhouse",
  [EXIT_INTERRUPTED]: "interrupted with Ctrl-C",
}
