/**
 * A class whose object lives in an env, and is shared by processes.
 *
 *     bunhouse start
 *     bun examples/class-state.ts
 */
import { BunhouseError, cls, here } from "bunhouse"

/** All methods are async, so its objects live on the event loop of the env. */
export class Visits {
  readonly #pages = new Map<string, number>()

  async count(page: string, by = 1): Promise<number> {
    if (by < 0) throw new RangeError("nobody unvisits a page")
    const visits = (this.#pages.get(page) ?? 0) + by
    this.#pages.set(page, visits)
    return visits
  }

  get total(): number {
    return this.#pages.values().reduce((sum, visits) => sum + visits, 0)
  }
}

/** A sync method: each object gets a thread of its own, and its calls follow each other. */
class Primes {
  readonly #found = [2]

  upTo(limit: number): number {
    for (let n = (this.#found.at(-1) ?? 2) + 1; n <= limit; n++) {
      if (this.#found.every((prime) => n % prime !== 0)) this.#found.push(n)
    }
    return this.#found.filter((prime) => prime <= limit).length
  }
}

const env = here.env("visits")
const RemoteVisits = await cls(Visits).to(env)

// 1. A named object: whoever asks for it gets the same one, in this process or in another.
const visits = await RemoteVisits.getOrCreate("site")
console.log("visits of /home:", await visits.count("/home"))
const visitor = Bun.spawn([process.execPath, `${import.meta.dir}/class-visitor.ts`])
console.log("in a process:   ", (await visitor.stdout.text()).trim())
console.log("and here again: ", await visits.count("/home"), "of", await visits.get("total"))

// 2. What a method throws arrives as it was thrown.
await visits.count("/home", -1).catch((error: unknown) => {
  console.log("thrown there:   ", error instanceof RangeError && error.message)
})

// 3. An object of one's own, on a thread of its own, released at the end of the scope.
{
  await using primes = await (await cls(Primes).to(env)).create()
  console.log("primes to 1,000:", primes.upTo(1_000), "(blocking)")
  console.log("primes to 5,000:", await primes.async.upTo(5_000), "(awaited)")
}

// 4. An object that is gone says so. No fresh one ever answers in its place.
const brief = await RemoteVisits.getOrCreate("brief")
await brief.count("/home")
await env.restart()
await brief.count("/home").catch((error: unknown) => {
  console.log("after a restart:", error instanceof BunhouseError && error.code)
})
const fresh = await RemoteVisits.getOrCreate("brief")
console.log("a fresh one:    ", await fresh.count("/home"))
await fresh.release()
