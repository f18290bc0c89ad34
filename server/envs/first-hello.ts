import { BunhouseError } from "../../protocol/errors.ts"
import { ENV_START_TIMEOUT_MS } from "../../protocol/limits.ts"
import type { EnvExit } from "./life.ts"

/** Settles with `hello`, or rejects with ENV_FAILED when the process ends before or is too slow. */
export async function firstHello(
  env: string,
  hello: Promise<void>,
  exited: Promise<EnvExit>,
): Promise<void> {
  const failed = (what: string) => {
    const message = `the process of env ${JSON.stringify(env)} ${what}`
    return new BunhouseError("ENV_FAILED", message, { env })
  }
  let timer: Timer | undefined
  const late = new Promise<never>((_, reject) => {
    const error = failed(`was not ready within ${ENV_START_TIMEOUT_MS} ms`)
    timer = setTimeout(() => reject(error), ENV_START_TIMEOUT_MS)
  })
  const ended = exited.then(({ how }) => {
    throw failed(`ended before it was ready (${how})`)
  })
  try {
    await Promise.race([hello, late, ended])
  } finally {
    clearTimeout(timer)
  }
}
