/**
 * Code that travels: a function brings along what it needs of its file and what its file imports.
 *
 *     bunhouse start
 *     bun examples/travel.ts
 */
import { createHash } from "node:crypto"
import { countBy } from "lodash-es"
import { fn, here } from "bunhouse"
import { wordsIn } from "./travel-words.ts"

enum Order {
  ByCount,
  ByName,
}

const SHORTEST = 4

function longWords(text: string): string[] {
  return wordsIn(text).filter((word) => word.length >= SHORTEST)
}

// 1. It uses a package of npm, one of Bun, a local file, a constant, an enum and another function of this file.
function topWords(text: string, order: Order = Order.ByCount): string[] {
  const counts = Object.entries(countBy(longWords(text)))
  const words = counts.map(([word, count]) => ({ word, count }))
  if (order === Order.ByCount) words.sort((a, b) => b.count - a.count)
  const id = createHash("sha1").update(text).digest("hex").slice(0, 8)
  return [id, ...words.map(({ word, count }) => `${word} ${count}`)]
}

const remote = await fn(topWords).to(here)
console.log(remote("where words are, there are words where they are").join(", "))

// 2. A variable of the function around it is carried along when it is asked for.
async function greetingFor(names: ReadonlyMap<string, string>) {
  return await fn(async (id: string) => `hello ${names.get(id) ?? "stranger"}`, {
    name: "greet",
    with: { names },
  }).to(here)
}

const greet = await greetingFor(new Map([["a", "Ada"]]))
console.log(await greet("a"), "and", await greet("b"))

// 3. What cannot travel is refused before it is sent, with its file, its line and how to mend it.
let runs = 0
try {
  await fn(() => ++runs, { name: "counts" }).to(here)
} catch (error) {
  console.log(error instanceof Error ? error.message : error)
}

// 4. Errors tell the author's own files and lines.
const parse = await fn(async function parse(text: string) {
  return JSON.parse(text)
}).to(here)
await parse("{").catch((error: Error) => console.log(error.stack))
