import { describe, expect, test } from "bun:test"
import {
  ENTRIES_MAX,
  type Position,
  ringMemory,
  RingReader,
  RingWriter,
} from "../../../envs/threads/ring.ts"
import { randomFrom } from "../../support/random.ts"

const CAPACITY = 8_192

/** Both ends of a ring. `from`: what head and tail have counted already. */
function makeRing({ capacity = CAPACITY, from = 0 } = {}) {
  const memory = ringMemory(capacity)
  const words = new Int32Array(memory)
  words[0] = from
  words[16] = from
  return { memory, writer: new RingWriter(memory), reader: new RingReader(memory) }
}

function body(length: number, seed = 0): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (seed + i) & 0xff))
}

function written(writer: RingWriter, bytes: Buffer): Position {
  const position = writer.write(bytes)
  if (position === undefined) throw new Error("the ring is full")
  return position
}

/** Takes and passes the next entry: its body, or what is there instead. */
function read(reader: RingReader): Buffer | "none" | "elsewhere" | "revoked" {
  const found = reader.peek()
  if (found === "none") return found
  const isOurs = reader.claim()
  const bytes = Buffer.from(reader.bytes.subarray(reader.start, reader.end))
  reader.pass()
  if (!isOurs) return "revoked"
  return found === "body" ? bytes : found
}

const ENTRIES = 10_000

describe("a ring", () => {
  test("gives entries in the order in which they were written, each once (R3)", () => {
    const { writer, reader } = makeRing()
    for (const length of [0, 1, 7, 8, 9, 500]) written(writer, body(length, length))
    for (const length of [0, 1, 7, 8, 9, 500]) expect(read(reader)).toEqual(body(length, length))
    expect(read(reader)).toBe("none")
    expect(writer.isPassed).toBe(true)
  })

  // The counts of the second begin so that they run over 31 bits and then 32.
  test.each([0, 0x7fff_ff00 | 0, -256])("goes round many times, from %i on", (from) => {
    const { writer, reader } = makeRing({ from })
    const lengths = [1, 250, 0, 1_001, 8, 2_000, 333]
    for (let i = 0; i < 1_000; i++) {
      const length = lengths[i % lengths.length] ?? 0
      written(writer, body(length, i))
      if (i % 3 === 0) writer.writeElsewhere()
      expect(read(reader)).toEqual(body(length, i))
      if (i % 3 === 0) expect(read(reader)).toBe("elsewhere")
    }
    expect(read(reader)).toBe("none")
  })

  test("refuses a body for which there is no room, and takes it when there is", () => {
    const { writer, reader } = makeRing()
    const large = body(1_500)
    let count = 0
    while (writer.write(large) !== undefined) count++
    expect(count).toBe(2)
    expect(read(reader)).toEqual(large)
    expect(read(reader)).toEqual(large)
    expect(writer.write(large)).toBeDefined()
    expect(read(reader)).toEqual(large)
  })

  test("has room for ENTRIES_MAX entries, whatever their bodies leave (R4)", () => {
    const { writer, reader } = makeRing()
    let bodies = 0
    while (writer.write(body(10)) !== undefined) bodies++
    expect(bodies).toBeGreaterThan(0)
    for (let i = bodies; i < ENTRIES_MAX; i++) writer.writeElsewhere()
    expect(writer.hasRoomFor(1)).toBe(false)
    expect(() => writer.writeElsewhere()).toThrow("R4")
    for (let i = 0; i < bodies; i++) expect(read(reader)).toEqual(body(10))
    expect(writer.hasRoomFor(bodies)).toBe(true)
    expect(writer.hasRoomFor(bodies + 1)).toBe(false)
    for (let i = bodies; i < ENTRIES_MAX; i++) expect(read(reader)).toBe("elsewhere")
    expect(writer.hasRoomFor(ENTRIES_MAX)).toBe(true)
  })

  test("an entry is taken by one side: revoked before it is claimed, and not after (R2)", () => {
    const { writer, reader } = makeRing()
    const first = written(writer, body(10))
    const second = written(writer, body(20))
    expect(writer.revoke(second)).toBe(true)
    expect(writer.revoke(second)).toBe(false)
    expect(reader.peek()).toBe("body")
    expect(reader.claim()).toBe(true)
    expect(writer.revoke(first)).toBe(false)
    reader.pass()
    expect(read(reader)).toBe("revoked")
    expect(read(reader)).toBe("none")
  })

  test("a position that was passed revokes nothing, though another entry stands there (R1)", () => {
    const { writer, reader } = makeRing()
    const old = written(writer, body(8))
    read(reader)
    // Until an entry stands in exactly the old one's place.
    let position = old
    do {
      position = written(writer, body(8))
      if ((position - old) % CAPACITY !== 0) read(reader)
    } while ((position - old) % CAPACITY !== 0)
    expect(writer.revoke(old)).toBe(false)
    expect(read(reader)).toEqual(body(8))
  })

  test("wakes a reader that sleeps once, and lets none sleep before an entry", () => {
    const { writer, reader } = makeRing()
    expect(writer.takeSleeper()).toBe(false)
    expect(reader.sleep()).toBe(true)
    written(writer, body(1))
    expect(writer.takeSleeper()).toBe(true)
    expect(writer.takeSleeper()).toBe(false)
    expect(reader.sleep()).toBe(false)
    written(writer, body(1))
    expect(writer.takeSleeper()).toBe(false)
  })
})

describe("a ring between two threads", () => {
  test.each([4_096 + 8 * ENTRIES_MAX, 65_536].map(powerOfTwo))(
    "loses, repeats and tears nothing, while entries are revoked (%i bytes)",
    async (capacity) => {
      const there = makeRing({ capacity, from: -4_096 })
      const back = makeRing({ capacity, from: 0x7fff_f000 | 0 })
      const worker = new Worker(new URL("./fixtures/ring-echo.ts", import.meta.url).href)
      const ended = new Promise((resolve) => worker.addEventListener("message", resolve))
      worker.postMessage({ there: there.memory, back: back.memory })
      const expected = new Map<number, Buffer>()
      const sent: { number: number; position: Position }[] = []
      const random = randomFrom(capacity)
      let echoed = 0
      let revoked = 0
      let last = -1
      const take = () => {
        for (;;) {
          const bytes = read(back.reader)
          if (typeof bytes === "string") return
          const number = bytes.readUInt32BE(0)
          if (number <= last) throw new Error(`entry ${number} came after ${last}`)
          if (!bytes.equals(expected.get(number) ?? Buffer.alloc(0))) {
            throw new Error(`entry ${number} is not what was sent, or was revoked`)
          }
          expected.delete(number)
          last = number
          echoed++
        }
      }
      for (let number = 0; number < ENTRIES; number++) {
        const bytes = body(4 + Math.floor(random() * 300), number)
        bytes.writeUInt32BE(number, 0)
        let position: Position | undefined
        for (;;) {
          take()
          position = there.writer.hasRoomFor(1) ? there.writer.write(bytes) : undefined
          if (position !== undefined) break
          Bun.sleepSync(0.01)
        }
        expected.set(number, bytes)
        sent.push({ number, position })
        while (sent.length > 64) sent.shift()
        // Now and then takes back what it can of the latest, as for a thread that is stalled.
        if (random() < 0.05) {
          for (const { number: latest, position: its } of sent.splice(0).toReversed()) {
            if (!there.writer.revoke(its)) break
            expected.delete(latest)
            revoked++
          }
        }
      }
      while (!there.writer.hasRoomFor(1) || there.writer.write(Buffer.alloc(0)) === undefined) {
        take()
        Bun.sleepSync(0.01)
      }
      await ended
      take()
      worker.terminate()
      expect(expected.size).toBe(0)
      expect(echoed + revoked).toBe(ENTRIES)
      expect(revoked).toBeGreaterThan(0)
      expect(echoed).toBeGreaterThan(0)
    },
  )
})

function powerOfTwo(least: number): number {
  return 2 ** Math.ceil(Math.log2(least))
}
