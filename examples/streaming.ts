/**
 * Generators that run somewhere else: their items arrive as they are yielded, and nobody runs ahead of who reads.
 *
 *     bunhouse start
 *     bun examples/streaming.ts
 */
import { fn, here } from "bunhouse"

// 1. An async generator: `for await`, as if it were local. `break` ends it over there, `finally` included.
const primes = await fn(async function* primes() {
  const found: number[] = []
  for (let n = 2; ; n++) {
    if (found.every((prime) => n % prime !== 0)) {
      found.push(n)
      yield n
    }
  }
}).to(here)
const first: number[] = []
for await (const prime of primes()) {
  first.push(prime)
  if (first.length === 10) break
}
console.log(`primes: ${first.join(" ")}`)

// 2. A sync generator runs on a thread. Its default call blocks, step by step.
const countdown = await fn(function* countdown(from: number) {
  for (let n = from; n > 0; n--) yield n
  return "lift-off"
}).to(here)
console.log(`countdown: ${[...countdown(5)].join(" ")}`)

// 3. A stream as an argument stays here, and is read from there.
const longest = await fn(async function longest(texts: AsyncIterable<string>) {
  let found = ""
  for await (const word of texts) if (word.length > found.length) found = word
  return found
}).to(here)
console.log(`longest: ${await longest(words())}`)

// 4. Both at once: what comes in goes out as it comes.
const numbered = await fn(async function* numbered(lines: AsyncIterable<string>) {
  let number = 0
  for await (const line of lines) yield `${++number}: ${line}`
}).to(here)
for await (const line of numbered(words())) console.log(line)

async function* words(): AsyncGenerator<string> {
  yield* ["streams", "stay", "where", "they", "are"]
}
