import type { Stack } from "./stack.ts"

/** Bytes by which `run` made this process larger, garbage included. A guard against blow-ups, not a measurement. */
export function growthOf(run: () => void): number {
  Bun.gc(true)
  const before = process.memoryUsage.rss()
  run()
  return process.memoryUsage.rss() - before
}

export const MIB = 1024 * 1024

/** By which the daemon process grew at most while `run` ran. */
export async function daemonPeakWhile(stack: Stack, run: () => Promise<void>): Promise<number> {
  const before = await daemonRss(stack)
  let peak = before
  const over = new AbortController()
  const watch = async () => {
    while (!over.signal.aborted) {
      peak = Math.max(peak, await daemonRss(stack))
      await Bun.sleep(20)
    }
  }
  const watching = watch()
  try {
    await run()
  } finally {
    over.abort()
    await watching
  }
  return peak - before
}

export async function daemonRss({ here }: Stack): Promise<number> {
  return (await here.status()).rssBytes
}
