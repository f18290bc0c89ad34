import { fn } from "../../client/index.ts"
import { setQuiet } from "../../client/notices.ts"
import { MIB } from "../support/memory.ts"
import { startStack } from "../support/stack.ts"

/**
 * One long stream to a reader that falls behind again and again: `bun test/soak/stream.ts [items]`, ten million by default.
 * Prints the memory of the processes as it goes, and exits with 1 when an item is lost or memory grows.
 */
const items = Number(process.argv[2] ?? 10_000_000)
const GROWTH_BYTES_MAX = 80 * MIB
const STEPS = 20

setQuiet(true)
await using stack = await startStack()
const count = await fn(async function* count(n: number) {
  for (let i = 0; i < n; i++) yield { i, text: "an item" }
}).to(stack.here)
const { envs } = await stack.here.status()
const pids = { daemon: stack.pid, env: Number(envs[0]?.pid) }

const step = Math.ceil(items / STEPS)
let seen = 0
let first: number | undefined
const start = performance.now()
for await (const { i } of count.with({ timeoutMs: 0 })(items)) {
  if (i !== seen) throw new Error(`expected item ${seen}, got ${i}`)
  seen++
  if (seen % 50_000 === 0) await Bun.sleep(5)
  if (seen % step !== 0) continue
  Bun.gc(true)
  const bytes = { reader: process.memoryUsage.rss(), daemon: rss(pids.daemon), env: rss(pids.env) }
  const all = bytes.reader + bytes.daemon + bytes.env
  const shown = Object.entries(bytes).map(([name, of]) => `${name} ${Math.round(of / MIB)} MiB`)
  console.log(`${seen} items, ${shown.join(", ")}`)
  // The first steps warm up.
  if (seen >= 3 * step) first ??= all
  if (first !== undefined && all - first > GROWTH_BYTES_MAX) {
    throw new Error(`memory grew by ${Math.round((all - first) / MIB)} MiB`)
  }
}
if (seen !== items) throw new Error(`expected ${items} items, got ${seen}`)
console.log(`${Math.round((items * 1_000) / (performance.now() - start))} items/s`)

function rss(pid: number): number {
  const { stdout } = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(pid)])
  return Number(stdout.toString()) * 1_024
}
