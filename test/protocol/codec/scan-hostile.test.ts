import { describe, expect, test } from "bun:test"
import { scan } from "../../../protocol/codec/scan.ts"
import { CORPUS, fingerprint, hostilePayload, isAccepted } from "../../support/hostile.ts"
import { MIB } from "../../support/memory.ts"
import { bytesOf, u32 } from "../../support/msgpack.ts"
import { randomFrom } from "../../support/random.ts"

describe("hostile payloads", () => {
  test("random and changed payloads are refused or arrive, and change nothing else", () => {
    const seed = Number(process.env["BUNHOUSE_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 32))
    const clean = fingerprint()
    for (let i = 0; i < 40_000; i++) {
      const bytes = hostilePayload(randomFrom(seed + i))
      try {
        isAccepted(bytes)
      } catch (cause) {
        const hex = Buffer.from(bytes).toString("hex")
        throw new Error(`BUNHOUSE_TEST_SEED=${seed}, case ${i}: ${hex}`, { cause })
      }
    }
    expect(fingerprint()).toBe(clean)
  }, 20_000)

  test("every bit of a valid payload may be wrong", () => {
    for (const bytes of CORPUS.filter((candidate) => candidate.length < 200)) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = new Uint8Array(bytes)
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        isAccepted(changed)
      }
    }
  }, 20_000)

  test("reads seven megabytes in little time, whatever they are", () => {
    const size = 7 * MIB
    const fills = [0x00, 0x80, 0x90, 0xa0, 0xc0, 0xd9, 0xc4, 0xff]
    for (const fill of fills) {
      const bytes = new Uint8Array(size).fill(fill)
      bytes.set(bytesOf(0, 0xdd, u32(size - 6)))
      const start = performance.now()
      try {
        scan(bytes, 1, size)
      } catch {
        // Refusals count as well.
      }
      expect(performance.now() - start).toBeLessThan(1_000)
    }
  })
})
