/**
 * The tutorial: one function of each kind, called in all four ways, and what "side by side" means.
 *
 *     bunhouse start
 *     bun examples/tutorial.ts
 */
import { fn, here } from "bunhouse"

// 1. An async function is awaited, as it would be locally. It runs on the event loop of its env process.
const asyncTest = await fn(async function asyncTest(seconds: number) {
  await Bun.sleep(seconds * 1000)
  return seconds
}).to(here)

await timed("async function, awaited", () => asyncTest(1))

// 2. A sync function blocks, as it would locally. It runs on a thread of its env process.
const syncSleep = await fn(function syncSleep(seconds: number) {
  Bun.sleepSync(seconds * 1000)
  return seconds
}).to(here)

await timed("sync function, blocking", () => syncSleep(1))

// 3. The same sync function without blocking this process (Runhouse: run_async=True).
await timed("sync function, awaited", () => syncSleep.async(1))

// 4. The same async function as a blocking call (Runhouse: run_async=False).
await timed("async function, blocking", () => asyncTest.sync(1))

// 5. Side by side: fifty calls that take a second each are done in about a second, of either kind.
await timed("50 async sleeps of 1 s", () => Promise.all(repeat(50, () => asyncTest(1))))
// Each sync call that sleeps has a thread of its own: the first fifty wait for theirs to start, the next find them there.
await timed("50 sync sleeps, starting threads", () =>
  Promise.all(repeat(50, () => syncSleep.async(1))),
)
await timed("50 sync sleeps of 1 s", () => Promise.all(repeat(50, () => syncSleep.async(1))))

// 6. Nobody else suffers: an async function that blocks its own loop stops its env, and nothing else.
const careless = here.env("careless")
const blockLoop = await fn(async function blockLoop(seconds: number) {
  Bun.sleepSync(seconds * 1000) // should be a sync function: it blocks the loop of its env
  return seconds
}).to(careless)
const neighbour = await fn(async function neighbour() {
  return "still here"
}).to(here)

const blocked = blockLoop(2)
const answers = await timed("100 calls of another env meanwhile", async () => {
  const said = new Set<string>()
  for (let i = 0; i < 100; i++) said.add(await neighbour())
  return said
})
const { state } = await timed("the daemon's status meanwhile", () => here.status())
console.log(`  the other env says ${[...answers].join()}, the daemon is ${state}`)
await timed("…and the blocked env after its 2 s", () => blocked)

async function timed<T>(what: string, run: () => T | Promise<T>): Promise<T> {
  const start = performance.now()
  const result = await run()
  const seconds = ((performance.now() - start) / 1000).toFixed(3)
  console.log(`${what.padEnd(40)} ${seconds.padStart(7)} s`)
  return result
}

function repeat<T>(times: number, make: () => T): T[] {
  return Array.from({ length: times }, make)
}
