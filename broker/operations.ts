import { BunhouseError } from "../protocol/errors.ts"
import { STORE_TIMEOUT_MS } from "../protocol/limits.ts"
import type { InnerConnection } from "./nats-connection.ts"
import { reasonOf } from "./reason.ts"

/** Runs one operation on the store; `doing` begins the message of a failure: "reading the envs". */
export type Operate = <T>(doing: string, start: (signal: AbortSignal) => Promise<T>) => Promise<T>

/**
 * Operations on the store end: with their result, when the broker goes away, or after STORE_TIMEOUT_MS. Every failure is
 * UNAVAILABLE, because no function ran and everything here may be done again. The signal tells the operation that nobody
 * waits for it any more.
 */
export function operationsOn(connection: InnerConnection): Operate {
  return async (doing, start) => {
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      reject(new Error(`no end within ${STORE_TIMEOUT_MS} ms`))
    }, STORE_TIMEOUT_MS)
    const end = new AbortController()
    try {
      return await connection.untilLost(() => Promise.race([start(end.signal), late]))
    } catch (cause) {
      end.abort()
      throw new BunhouseError("UNAVAILABLE", `${doing} failed: ${reasonOf(cause)}`, { cause })
    } finally {
      clearTimeout(timer)
    }
  }
}
