/**
 * Calls that nobody wants any more: each is stopped over there, whatever it does, and its place is free for others.
 *
 *     bunhouse start
 *     bun examples/cancel.ts
 */
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BunhouseError, fn, here } from "bunhouse"

// 1. Busy with a computation, which hears of nothing: it is stopped together with its thread.
const collatz = await fn(function collatz(limit: number) {
  let longest = 0
  for (let n = 1; n < limit; n++) {
    let steps = 0
    for (let m = n; m !== 1; m = m % 2 === 0 ? m / 2 : 3 * m + 1) steps++
    longest = Math.max(longest, steps)
  }
  return longest
}).to(here)
const cancel = new AbortController()
const years = collatz.with({ signal: cancel.signal }).async(1e12)
setTimeout(() => cancel.abort(), 200)
console.log(`cancelled: ${await endOf(years)}`)
console.log(`the same function, on another thread: ${await collatz.async(1_000)}`)

// 2. The same by a deadline, and in a call that blocks.
try {
  collatz.with({ timeoutMs: 300 })(1e12)
} catch (error) {
  console.log(`too late: ${codeOf(error)}`)
}

// 3. An async function hears of it, and may put things in order before it ends.
const watch = await fn(async function watch(path: string) {
  const { context } = await import("bunhouse")
  const { signal } = context()
  await Bun.write(path, "watching")
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
  await Bun.write(path, "put in order")
}).to(here)
const leave = new AbortController()
const path = join(tmpdir(), `bunhouse-watch-${process.pid}`)
const watching = watch.with({ signal: leave.signal })(path)
setTimeout(() => leave.abort(), 200)
console.log(`cancelled: ${await endOf(watching)}`)
// The caller is told at once; the function takes the time that it needs.
while ((await Bun.file(path).text()) === "watching") await Bun.sleep(10)
console.log(`what it left: ${await Bun.file(path).text()}`)
await Bun.file(path).delete()

// 4. A job, which goes on when its starter leaves: from anywhere, by its id.
const { id } = await collatz.start(1e12)
const job = here.job(id)
await job.cancel()
console.log(`the job: ${(await job.status()).state}`)

async function endOf(call: Promise<unknown>): Promise<string> {
  return call.then(String, codeOf)
}

function codeOf(error: unknown): string {
  return error instanceof BunhouseError ? error.code : String(error)
}
