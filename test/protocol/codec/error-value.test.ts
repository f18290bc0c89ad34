import { describe, expect, test } from "bun:test"
import { BunhouseError } from "../../../protocol/errors.ts"
import { ALL_CODES } from "../../support/codes.ts"
import { expectArrivesAsSent, sent, sentThrown } from "../../support/sent.ts"

const BUILT_IN = [
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
] as const

describe("errors", () => {
  test.each(BUILT_IN.map((Class) => [Class.name, Class] as const))(
    "%s arrives by class",
    (name, Class) => {
      const error = new Class("it broke")
      expectArrivesAsSent([error, { error }])
      const received = sentThrown(error)
      expect(received).toBeInstanceOf(Class)
      expect(received.constructor).toBe(Class)
      expect(received.name).toBe(name)
      expect(received.stack).toBe(error.stack ?? "")
      expect(Object.keys(received)).toEqual([])
    },
  )

  test("AggregateError arrives with its errors, hidden as the engine hides them", () => {
    const error = new AggregateError([new TypeError("a"), "b", -0], "many")
    expectArrivesAsSent(error)
    expect(Object.keys(sent<object>(error))).toEqual([])
    const several = sent(new (class Several extends AggregateError {})([1]))
    expect(several).toBeInstanceOf(AggregateError)
    expect(several).toMatchObject({ errors: [1] })
  })

  test("DOMException arrives with its name and code", () => {
    const error = sentThrown<DOMException>(new DOMException("took too long", "TimeoutError"))
    expect(error).toBeInstanceOf(DOMException)
    expect(error).toMatchObject({ name: "TimeoutError", code: 23, message: "took too long" })
    const aborted = sentThrown<DOMException>(AbortSignal.abort().reason)
    expect(aborted).toBeInstanceOf(DOMException)
    expect(aborted.name).toBe("AbortError")
    const extended = Object.assign(new DOMException("m", "DataError"), { detail: [1] })
    expect(sent(extended)).toMatchObject({ name: "DataError", detail: [1] })
  })

  test("a subclass arrives as its built-in class under its own name", () => {
    class HttpError extends TypeError {
      override readonly name = "HttpError"
      readonly status = 503
      readonly headers = new Map([["retry-after", "1"]])
    }
    const received = sentThrown<HttpError>(new HttpError("busy"))
    expect(received).toBeInstanceOf(TypeError)
    expect(received.constructor).toBe(TypeError)
    expect(received).toMatchObject({ name: "HttpError", message: "busy", status: 503 })
    expect(received.headers).toEqual(new Map([["retry-after", "1"]]))
    expect(String(received)).toBe("HttpError: busy")
  })

  test("a subclass that sets no name keeps the name it has, and a nameless class is no trouble", () => {
    class Quiet extends RangeError {}
    expect(sentThrown(new Quiet("q"))).toMatchObject({ name: "RangeError", message: "q" })
    expect(sentThrown(new (class extends Error {})("q"))).toBeInstanceOf(Error)
  })

  test("an object made from Error.prototype counts as an error", () => {
    const old: unknown = Object.create(TypeError.prototype, { message: { value: "old style" } })
    expect(sent(old)).toBeInstanceOf(TypeError)
    expect(sent(old)).toMatchObject({ message: "old style" })
  })

  test("an error of the system keeps its code", () => {
    const error = Object.assign(new Error("no such file"), {
      code: "ENOENT",
      errno: -2,
      path: "/x",
    })
    expectArrivesAsSent(error)
  })

  test("cause chains arrive, with causes that are no errors, and undefined as a cause", () => {
    const root = new SyntaxError("root", { cause: { line: 3, at: new Date(1) } })
    expectArrivesAsSent(new Error("outer", { cause: new TypeError("middle", { cause: root }) }))
    expectArrivesAsSent(new Error("e", { cause: undefined }))
    expect(Object.hasOwn(sent<object>(new Error("e")), "cause")).toBe(false)
    expect(Object.keys(sent<object>(new Error("e", { cause: 1 })))).toEqual([])
  })

  test("cycles of causes arrive as cycles", () => {
    const left = new Error("left")
    const right = new RangeError("right", { cause: left })
    left.cause = right
    Object.assign(left, { self: left, both: [left, right] })
    expectArrivesAsSent(left)
    const thrown = sentThrown<{ cause: Error }>(left)
    expect(thrown.cause.cause).toBe(thrown)
  })

  test("own properties arrive, odd names and `errors` of other classes included", () => {
    const error = new Error("e")
    for (const key of ["errors", "then", "toString", "__proto__", "constructor", "\ud800", "1"]) {
      const value = { value: { key }, enumerable: true, writable: true, configurable: true }
      Object.defineProperty(error, key, value)
    }
    expectArrivesAsSent(error)
    expect({}).not.toHaveProperty("key")
  })

  test("text that UTF-8 cannot say arrives, with and without references", () => {
    const error = new Error("\ud800 message")
    error.name = "\udc00Name"
    error.stack = "\ufeffstack \ud800"
    expectArrivesAsSent(error)
    expectArrivesAsSent([error, error])
  })

  test("name, message and stack that are no text give way to text", () => {
    const error = Object.assign(new TypeError("m"), { name: 7, stack: { at: 1 } })
    Object.defineProperty(error, "message", { value: ["m"] })
    expect(sentThrown(error)).toMatchObject({ name: "TypeError", message: "", stack: "" })
  })

  test("`remote` does not travel: it is what a client adds to an error that arrived", () => {
    expect(sent(Object.assign(new Error("e"), { remote: { env: "a" } }))).not.toHaveProperty(
      "remote",
    )
  })

  test("a received error shows the remote stack, not one of the receiver", () => {
    const error = new Error("far away")
    error.stack = "Error: far away\n    at elsewhere (file:///remote.ts:1:1)"
    const received = sentThrown(error)
    expect(received.stack).toBe(error.stack)
    for (const own of ["sourceURL", "line", "column"])
      expect(Object.hasOwn(received, own)).toBe(false)
    expect(Error.stackTraceLimit).toBeGreaterThan(0)
  })
})

describe("BunhouseError", () => {
  test.each(ALL_CODES)("%s arrives as it was", (code) => {
    const error = new BunhouseError(code, "message", {
      ran: "maybe",
      env: "ml",
      function: "f",
      callId: "c1",
      path: "args[0]",
      retryAfterMs: 20,
      cause: new TypeError("why"),
    })
    expectArrivesAsSent(error)
    expect(sentThrown(error)).toBeInstanceOf(BunhouseError)
  })

  test("without details arrives without them", () => {
    const received = sentThrown<BunhouseError>(new BunhouseError("NOT_FOUND", "nobody"))
    expect(received).toMatchObject({ code: "NOT_FOUND", ran: "no", message: "nobody" })
    expect("env" in received || "cause" in received).toBe(false)
  })

  test("that is met twice is one error (L3)", () => {
    const error = new BunhouseError("OVERLOADED", "busy", { retryAfterMs: 5 })
    error.cause = { error }
    const [first, second] = sent<[BunhouseError, BunhouseError]>([error, error])
    expect(first).toBe(second)
    expect(first.code).toBe("OVERLOADED")
    expectArrivesAsSent([error, new Error("e", { cause: error })])
  })
})
