/**
 * A large library, somewhere else: all of lodash as a module, one of its functions, and a function that uses some.
 *
 *     bunhouse start
 *     bun examples/library.ts
 */
import { chunk, groupBy, words } from "lodash-es"
import { fn, here, module } from "bunhouse"

// 1. As a module: more than 300 functions, each with its own type. Nothing of it is loaded in this process.
const lodash = await module<typeof import("lodash-es")>(import.meta.resolve("lodash-es"), {
  name: "lodash",
}).to(here)
console.log(lodash.camelCase("send any function"), await lodash.sum.async([1, 2, 3]))

// 2. One function, with what it needs of the library.
const remoteChunk = await fn(chunk).to(here)
console.log(remoteChunk([1, 2, 3, 4, 5], 2))

// 3. A function that uses the library. Some of lodash's functions are made by others, such as groupBy: they go this way,
//    or with the module, and not by themselves.
const byLength = await fn((text: string) => groupBy(words(text), (word) => word.length), {
  name: "byLength",
}).to(here)
console.log(byLength("to be or not to be"))
