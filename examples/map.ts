/**
 * One function over many items: many calls at a time, results in the order of the items, and a bar to watch it.
 *
 *     bunhouse start
 *     bun examples/map.ts
 */
import { fn, here, progressBar } from "bunhouse"

const countPrimes = await fn(function countPrimes(from: number, to: number) {
  let count = 0
  for (let n = Math.max(2, from); n < to; n++) {
    let isPrime = true
    for (let d = 2; isPrime && d * d <= n; d++) isPrime = n % d !== 0
    if (isPrime) count++
  }
  return count
}).to(here)

// 1. All results. A sync function runs on threads: as many at a time as the machine has cores to give.
const ranges = Array.from({ length: 200 }, (_, i) => [i * 1_000, (i + 1) * 1_000] as const)
const counts = await countPrimes
  .map(ranges, { spread: true, concurrency: 8, onProgress: progressBar("primes") })
  .toArray()
console.log(`${counts.reduce((sum, count) => sum + count, 0)} primes below 200,000`)

// 2. Results as they come, from items that never end: `break` stops everything.
const isPalindrome = await fn(async function isPalindrome(n: number) {
  const digits = String(n)
  return digits === digits.split("").toReversed().join("") ? n : undefined
}).to(here)
const found: number[] = []
for await (const n of isPalindrome.map(naturals(1_000))) {
  if (n !== undefined) found.push(n)
  if (found.length === 5) break
}
console.log(`palindromes from 1,000 on: ${found.join(", ")}`)

// 3. Failures are results, too.
const parse = await fn(async function parse(text: string): Promise<unknown> {
  return JSON.parse(text)
}).to(here)
for await (const result of parse.map(["1", "{", "[2]"], { settled: true })) {
  console.log(result.status === "fulfilled" ? result.value : `failed: ${String(result.reason)}`)
}

function* naturals(from: number): Generator<number> {
  for (let n = from; ; n++) yield n
}
