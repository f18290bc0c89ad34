import { decodePayload } from "../../protocol/codec/index.ts"
import { asBunhouseError } from "../../protocol/errors.ts"
import { ItemReader } from "../../protocol/streams/items.ts"
import type { Names } from "../outcome.ts"
import type { BlockingStream } from "./blocking-caller.ts"

/**
 * A stream as a generator whose steps block. The call begins with the first step; `break`, `return` and `throw` end it.
 *
 * @throws what the function throws, after the items before it, or BunhouseError for a failure of the platform.
 */
export function* iterate(names: Names, open: () => BlockingStream): Generator {
  const stream = open()
  try {
    for (;;) {
      const { items, end } = stream.next()
      for (const payload of items) {
        const reader = new ItemReader(payload)
        while (reader.next()) yield decoded(reader, names)
      }
      if (end?.kind === "returned") return end.value
      if (end?.kind === "threw") throw end.thrown
    }
  } finally {
    stream.release()
  }
}

function decoded({ bytes, start, end }: ItemReader, { env, function: fn }: Names): unknown {
  try {
    return decodePayload(bytes, start, end)
  } catch (error) {
    throw asBunhouseError(error, `reading an item of ${env}/${fn}`)
  }
}
