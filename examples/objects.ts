/**
 * Objects: data that the daemon keeps. It is put once, and fetched by many calls, by reference or by name.
 *
 *     bunhouse start
 *     bun examples/objects.ts
 */
import { fn, here, type ObjectRef } from "bunhouse"

const { objects } = here

// 1. A value comes back as it was put, whatever an argument may be: here a Map with dates in it.
const births = new Map([
  ["Ada", new Date("1815-12-10")],
  ["Grace", new Date("1906-12-09")],
])
const table = await objects.put(births, { name: "births" })
console.log("put", births.size, "rows as", table.object.slice(0, 20))

// 2. The reference is small and plain, so it travels as an argument. The function fetches what it stands for, typed.
const oldest = await fn(async function oldest(ref: ObjectRef<Map<string, Date>>) {
  const rows = await objects.get(ref)
  const [first] = [...rows].toSorted(([, a], [, b]) => a.getTime() - b.getTime())
  return first?.[0]
}).to(here)
console.log("the oldest is", await oldest(table))

// 3. Bytes are kept as they are. A stream goes through in bounded memory, however much it is (up to 1 GiB).
const numbers = await objects.put(lines(100_000), { name: "numbers", ttlMs: 60_000 })
let bytes = 0
for await (const chunk of await objects.getStream(numbers)) bytes += chunk.length
console.log("streamed", bytes, "of", numbers.bytes, "bytes")

// 4. The same content is kept once, under as many names as it is given.
const again = await objects.put(births, { name: "birthdays" })
console.log("the same object:", again.object === table.object, (await objects.stat(table)).names)

// 5. Names are changed and deleted; an object nobody holds any more is gone.
await objects.rename("birthdays", "dates")
for (const name of await objects.keys()) console.log("deleted", name, await objects.delete(name))
const gone = await objects.get(table).catch((error: Error) => error.message.slice(0, 18))
console.log(gone)

function lines(count: number): ReadableStream<Uint8Array> {
  let i = 0
  return new ReadableStream({
    pull(controller) {
      if (i === count) return controller.close()
      controller.enqueue(Buffer.from(`${i++}\n`))
    },
  })
}
