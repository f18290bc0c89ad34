import { describe, expect, test } from "bun:test"
import { encodeThrown } from "../../../protocol/codec/index.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import { PAYLOAD_BYTES_MAX } from "../../../protocol/limits.ts"
import { differenceOf } from "../../support/same-graph.ts"
import { decoded, sentThrown } from "../../support/sent.ts"
import { sparse } from "../../support/sparse.ts"

// oxlint-disable unicorn/no-thenable -- functions throw such objects too
const angry = (): never => {
  throw new Error("trap")
}
const TRAPS: ProxyHandler<object> = {
  get: angry,
  set: angry,
  has: angry,
  ownKeys: angry,
  getPrototypeOf: angry,
  getOwnPropertyDescriptor: angry,
  isExtensible: angry,
  defineProperty: angry,
  apply: angry,
}

class Boom {
  readonly size = 3
}

const boom = (): number => 1

function errorWithout(...keys: string[]): Error {
  const error = new TypeError("readable")
  for (const key of keys) {
    Object.defineProperty(error, key, { get: angry, enumerable: key === "own", configurable: true })
  }
  return error
}

describe("encodeThrown() never throws", () => {
  test.each<[string, unknown]>([
    ["null", null],
    ["undefined", undefined],
    ["0", 0],
    ["-0", -0],
    ["NaN", Number.NaN],
    ["an empty string", ""],
    ["false", false],
    ["a string", "out of cheese"],
    ["a BigInt", 10n],
    ["an object", { code: 7, list: [new Date(3)] }],
    ["an array", sparse(3, { 0: 1, 2: "x" })],
    ["an object that can be awaited in name only", Object.fromEntries([["then", 1]])],
  ])("%s is thrown as it is", (_, thrown) => {
    expect(differenceOf(thrown, sentThrown(thrown))).toBeUndefined()
  })

  test.each<[string, unknown, string]>([
    ["a function", boom, "boom"],
    ["a class", Boom, "Boom"],
    ["a symbol", Symbol("boom"), "Symbol(boom)"],
    ["a class instance", new Boom(), "size: 3"],
    [
      "something that can be awaited",
      Object.fromEntries([
        ["then", boom],
        ["size", 4],
      ]),
      "size: 4",
    ],
    ["a promise", Promise.resolve(5), "Promise"],
    ["a huge BigInt", 1n << 1_000_000n, "cannot be sent"],
    ["a Proxy that answers nothing", new Proxy({}, TRAPS), "cannot be sent"],
    [
      "a Proxy of an error that answers nothing",
      new Proxy(new Error("e"), TRAPS),
      "cannot be sent",
    ],
    ["a Proxy of a function", new Proxy(() => 1, TRAPS), "cannot be sent"],
    ["a revoked Proxy", revoked(), "cannot be sent"],
    ["an inspection that fails", { f() {}, [Bun.inspect.custom]: angry }, "cannot be sent"],
  ])("%s is described", (_, thrown, words) => {
    const error = sentThrown(thrown)
    expect(error.constructor).toBe(Error)
    expect(error.message).toStartWith("a value that cannot be sent was thrown: ")
    expect(error.message).toContain(words)
  })

  test("a frozen error", () => {
    const error = Object.freeze(Object.assign(new RangeError("cold"), { code: 1 }))
    expect(sentThrown(error)).toMatchObject({ name: "RangeError", message: "cold", code: 1 })
  })

  test.each(["name", "message", "stack", "cause", "own"])(
    "an error whose %s throws when it is read keeps the rest",
    (key) => {
      const error = sentThrown(errorWithout(key))
      expect(error).toBeInstanceOf(TypeError)
      if (key !== "message") expect(error.message).toBe("readable")
      const words = `thrown.${key} cannot be sent: it is something that throws when it is read`
      expect(error).toHaveProperty(key, words)
    },
  )

  test("an error of which nothing can be read", () => {
    const error = sentThrown(errorWithout("name", "message", "stack", "cause", "own"))
    expect(error).toBeInstanceOf(TypeError)
  })

  test("an error that is a Proxy in part", () => {
    const halfOpen = new Proxy(new RangeError("inside"), { ownKeys: angry })
    expect(sentThrown(halfOpen)).toBeInstanceOf(Error)
    const deaf = new Proxy(new RangeError("inside"), { getPrototypeOf: angry })
    expect(sentThrown(deaf)).toBeInstanceOf(Error)
  })

  test("a message of 3 MB arrives whole, once more in the stack included", () => {
    const error = new TypeError("m".repeat(3_000_000))
    expect(differenceOf(error, sentThrown(error))).toBeUndefined()
  })

  test("a message of 5 MB, whose stack repeats it, arrives with its beginning", () => {
    const received = sentThrown(new TypeError("m".repeat(5_000_000)))
    expect(received).toBeInstanceOf(TypeError)
    expect(received.message).toBe("m".repeat(64 * 1024))
  })

  test("an error over the limit of a payload arrives with the beginning of its texts", () => {
    const error = new TypeError("é".repeat(PAYLOAD_BYTES_MAX))
    error.name = "Enormous"
    const bytes = encodeThrown(error)
    expect(bytes.length).toBeLessThan(1_000_000)
    const received = decoded<Error>(bytes)
    expect(received).toBeInstanceOf(TypeError)
    expect(received.name).toBe("Enormous")
    expect(received.message).toBe("é".repeat(64 * 1024))
    const heavy = Object.assign(new RangeError("light"), {
      data: new Uint8Array(PAYLOAD_BYTES_MAX),
    })
    expect(sentThrown(heavy)).toMatchObject({ message: "light", stack: heavy.stack ?? "" })
  })

  test("an error of ours that is too large keeps its code", () => {
    const cause = new Uint8Array(PAYLOAD_BYTES_MAX)
    const error = new BunhouseError("WORKER_LOST", "gone", { ran: "maybe", env: "ml", cause })
    expect(sentThrown(error)).toMatchObject({ code: "WORKER_LOST", env: "ml", message: "gone" })
  })

  test("a long chain of causes is cut where nesting ends", () => {
    let error = new Error("root")
    for (let i = 0; i < 5_000; i++) error = new Error(`level ${i}`, { cause: error })
    let received = sentThrown(error)
    let levels = 1
    while (received.cause instanceof Error) {
      received = received.cause
      levels++
    }
    expect(levels).toBe(128)
    expect(received.cause).toContain("nested deeper than 128 levels")
  })

  test("a value that throws at itself while it is read", () => {
    const error = new Error("loop")
    Object.defineProperty(error, "own", {
      enumerable: true,
      get() {
        throw error
      },
    })
    expect(sentThrown(error)).toMatchObject({ message: "loop" })
  })
})

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
