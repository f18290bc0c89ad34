import { describe, expect, test } from "bun:test"
import { assert, array, property, uint8Array } from "fast-check"
import { ItemReader, ItemWriter } from "../../../protocol/streams/items.ts"
import { refusal } from "../../support/sent.ts"

function written(items: readonly Uint8Array[]): Uint8Array {
  const writer = new ItemWriter()
  for (const item of items) writer.add(item)
  expect(writer.count).toBe(items.length)
  return new Uint8Array(writer.take())
}

function read(payload: Uint8Array): Uint8Array[] {
  const reader = new ItemReader(payload)
  const items: Uint8Array[] = []
  while (reader.next()) items.push(payload.slice(reader.start, reader.end))
  return items
}

describe("items", () => {
  test("are read as they were written", () => {
    assert(
      property(array(uint8Array({ maxLength: 300 })), (items) => {
        expect(read(written(items))).toEqual(items)
      }),
    )
  })

  test("of any size fit, and a burst is forgotten", () => {
    const large = new Uint8Array(3 << 20).fill(7)
    const writer = new ItemWriter()
    writer.add(Buffer.from("a"))
    writer.add(large)
    expect(read(new Uint8Array(writer.take()))).toEqual([new Uint8Array([97]), large])
    writer.add(Buffer.from("b"))
    expect(read(new Uint8Array(writer.take()))).toEqual([new Uint8Array([98])])
  })

  test("are copied: who adds one may change it", () => {
    const writer = new ItemWriter()
    const item = new Uint8Array([1])
    writer.add(item)
    item[0] = 2
    expect(read(new Uint8Array(writer.take()))).toEqual([new Uint8Array([1])])
  })

  test("that are cut short at any byte are refused", () => {
    const payload = written([new Uint8Array(3), new Uint8Array(5)])
    const whole = new Set([0, 7, payload.length])
    for (let length = 0; length <= payload.length; length++) {
      if (whole.has(length)) continue
      refusal("PROTOCOL_ERROR", () => read(payload.subarray(0, length)))
    }
    refusal("PROTOCOL_ERROR", () => read(new Uint8Array(64).fill(0xff)))
  })
})
