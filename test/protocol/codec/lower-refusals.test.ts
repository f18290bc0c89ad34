import { describe, expect, test } from "bun:test"
import { encodeArgs, encodeResult } from "../../../protocol/codec/index.ts"
import { refusal, refusedPath } from "../../support/sent.ts"
import { sparse } from "../../support/sparse.ts"

class Point {
  readonly x = 1
}

const throwing = {
  fine: 1,
  get broken(): never {
    throw new RangeError("from the getter")
  },
}

const angry = (): never => {
  throw new Error("trap")
}

const f = (): number => 1

function says(value: unknown): string {
  return refusal("VALUE_NOT_SENDABLE", () => encodeArgs([value])).message
}

describe("what cannot be sent is refused with its path (L2)", () => {
  test.each<[string, unknown, string]>([
    ["a function", { user: { save() {} } }, "args[0].user.save"],
    ["a class", [Point], "args[0][0]"],
    ["a bound function", { f: Point.bind(null) }, "args[0].f"],
    ["a Proxy of a function", new Proxy(() => 1, {}), "args[0]"],
    ["a symbol", { "first name": [Symbol("s")] }, 'args[0]["first name"][0]'],
    ["a symbol key", { a: { [Symbol("s")]: 1 } }, "args[0].a"],
    ["a class instance", { at: [new Point()] }, "args[0].at[0]"],
    [
      "an instance of a nameless class",
      [
        new (class {
          x = 1
        })(),
      ],
      "args[0][0]",
    ],
    ["a subclass of Array", { list: new (class List extends Array {})() }, "args[0].list"],
    ["a subclass of Map", new (class Registry extends Map {})(), "args[0]"],
    ["a subclass of Uint8Array", new (class Bytes extends Uint8Array {})(), "args[0]"],
    ["a getter that throws", { a: throwing }, "args[0].a.broken"],
    [
      "a getter that throws beside an odd key",
      Object.defineProperty({ ["__proto__"]: 1 }, "b", { get: angry, enumerable: true }),
      "args[0].b",
    ],
    ["a WeakMap", { cache: new WeakMap() }, "args[0].cache"],
    ["a WeakRef", new WeakRef({}), "args[0]"],
    ["a Promise", new Map([["k", Promise.resolve(1)]]), 'args[0]["value 0"]'],
    ["a generator", new Set([(function* () {})()]), 'args[0]["item 0"]'],
    ["a boxed number", Object(1), "args[0]"],
    ["a boxed string", { s: Object("s") }, "args[0].s"],
    ["a boxed symbol", Object(Symbol("s")), "args[0]"],
    ["a URL", { url: new URL("http://localhost/") }, "args[0].url"],
    ["a Request", new Request("http://localhost/"), "args[0]"],
    ["a Blob", new Blob(["x"]), "args[0]"],
    ["a SharedArrayBuffer", { shared: new SharedArrayBuffer(4) }, "args[0].shared"],
    ["a Date with named properties", Object.assign(new Date(0), { zone: "UTC" }), "args[0]"],
    ["a Map with named properties", [Object.assign(new Map(), { a: 1 })], "args[0][0]"],
    ["something that only looks like a Date", Object.create(Date.prototype), "args[0]"],
    ["something that only looks like a Map", Object.create(Map.prototype), "args[0]"],
    ["something that only looks like bytes", Object.create(Uint8Array.prototype), "args[0]"],
    ["something that only looks like an expression", Object.create(RegExp.prototype), "args[0]"],
    ["an expression with another lastIndex", Object.assign(/x/, { lastIndex: () => 1 }), "args[0]"],
    [
      "a part of an error",
      Object.assign(new Error("e"), { socket: { end() {} } }),
      "args[0].socket.end",
    ],
    ["a part of a cause", new Error("e", { cause: [Symbol("s")] }), "args[0].cause[0]"],
    ["a function behind a hole", { list: sparse(3, { 0: 1, 2: f }) }, "args[0].list[2]"],
    ["a key of a map", new Map([[() => 1, 1]]), 'args[0]["key 0"]'],
  ])("%s", (_, value, path) => {
    expect(refusedPath(value)).toBe(path)
    const error = refusal("VALUE_NOT_SENDABLE", () => encodeResult(value))
    expect(error.path).toBe(path.replace("args[0]", "result"))
    expect(error.message).toStartWith(`${error.path} cannot be sent: it is `)
    expect(error.ran).toBe("yes")
  })

  test("messages say what the value is", () => {
    expect(says(f)).toEndWith("it is the function f")
    expect(says(Symbol("s"))).toEndWith("it is a symbol")
    expect(says(new Point())).toEndWith("it is an instance of Point")
    expect(says(new (class List extends Array {})())).toEndWith("it is an instance of List")
    expect(says((function* () {})())).toEndWith("it is an instance of Generator")
    expect(says(Object.assign(new Set(), { a: 1 }))).toEndWith("it is a Set with named properties")
    expect(says({ [Symbol("s")]: 1 })).toEndWith("it is an object with the symbol key Symbol(s)")
    expect(says(throwing)).toEndWith("it is something that throws when it is read")
  })

  test("an accessor of an array that throws, in a full and in a sparse array", () => {
    const access = { get: angry, enumerable: true }
    expect(refusedPath(Object.defineProperty([0, 1], 1, access))).toBe("args[0][1]")
    const full = sparse(3, { 1: 1, 2: 2 })
    expect(refusedPath([Object.defineProperty(full, 2, access)])).toBe("args[0][0][2]")
  })

  test("the cause of a refusal is what the getter threw", () => {
    const error = refusal("VALUE_NOT_SENDABLE", () => encodeArgs([throwing]))
    expect(error.cause).toEqual(new RangeError("from the getter"))
    expect(error.ran).toBe("no")
  })

  test("a refusal from inside a getter is not taken for our own", () => {
    const nested = { get: () => encodeArgs([{ deep: f }]), enumerable: true }
    expect(refusedPath(Object.defineProperty({}, "nested", nested))).toBe("args[0].nested")
  })

  test("a Proxy whose traps throw, or that is revoked", () => {
    for (const trap of ["get", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor"]) {
      expect(refusedPath([new Proxy({ a: 1 }, { [trap]: angry })])).toStartWith("args[0][0]")
    }
    for (const trap of ["get", "has", "getPrototypeOf"]) {
      const proxy = new Proxy(sparse(3, { 0: 1, 2: 2 }), { [trap]: angry })
      expect(refusedPath([proxy])).toStartWith("args[0][0]")
    }
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(refusedPath({ proxy })).toBe("args[0].proxy")
  })

  test("paths show names as they are written, and stay short", () => {
    expect(refusedPath({ é: { $x: { "a-b": { "1": f } } } })).toBe('args[0].é.$x["a-b"]["1"]')
    expect(refusedPath({ 'say "hi"\n': f })).toBe('args[0]["say \\"hi\\"\\n"]')
    expect(refusedPath({ ["x".repeat(10_000)]: f })).toHaveLength(200)
    const named = Object.defineProperty(() => 1, "name", { value: "n".repeat(1_000_000) })
    const { message } = refusal("VALUE_NOT_SENDABLE", () => encodeArgs([named]))
    expect(message.length).toBeLessThan(300)
  })
})
