import { describe, expect, test } from "bun:test"
import { assert, asyncProperty, string } from "fast-check"
import { BunhouseError } from "../../../protocol/errors.ts"
import type { AnyFunction } from "../../../client/code/kind.ts"
import { moduleOf, nameFor } from "../../../client/code/source.ts"
import { cases as expressions } from "./fixtures/expressions.ts"
import { cases as forms } from "./fixtures/forms.ts"
import { cases as syntax } from "./fixtures/syntax.ts"
import { arrive } from "./arrive.ts"
import { evaluated } from "./sent.ts"

const all = Object.entries({ ...forms, ...expressions, ...syntax })

describe("moduleOf()", () => {
  test.each(all)("carries %s so that it gives the same result", async (_, { sent, args }) => {
    const arrived = await arrive(moduleOf(sent.f))
    expect(await call(arrived, args)).toEqual(await call(sent.f, args))
  })

  test.each(all)("keeps the name of %s", async (_, { sent }) => {
    expect((await arrive(moduleOf(sent.f))).name).toBe(sent.f.name)
  })

  test("gives a text that a person can read", () => {
    expect(moduleOf(resize)).toBe(
      "export default (async function resize(width) {\n  return width;\n}\n)\n",
    )
    expect(moduleOf(double)).toBe('export default ({ ["double"]: (a) => a * 2\n})["double"]\n')
    expect(moduleOf(evaluated("{ async pause(a) { return a } }.pause"))).toBe(
      'export default ({ async ["pause"](a) { return a }\n})["pause"]\n',
    )
  })

  test("is not misled by functions that hide their text", () => {
    const f = evaluated("() => 1")
    f.toString = () => "process.exit()"
    expect(moduleOf(f)).toContain("() => 1")
    Object.setPrototypeOf(f, null)
    expect(moduleOf(f)).toContain("() => 1")
  })

  test.each([
    "(a) => a // ) the end",
    "function /* ( */ f (a) { return a /* } */ }",
    "async /* x */ a => a",
    "async /* ( => */ (a) => a",
    "a /* { */ => a",
    "{ /* ( */ async /* ( */ m /* ( */ (a) { return a } }.m",
    "{ async async(a) { return await a } }.async",
    "{ async(a) { return a } }.async",
    "{ get(a) { return a } }.get",
    "{ async get(a) { return a } }.get",
    "{ 'a\\'(b'(a) { return a } }[\"a'(b\"]",
    "{ ['](' + `]` + [1][0]](a) { return a } }['](]1']",
    "{ [Symbol.iterator](a) { return a } }[Symbol.iterator]",
    "{ 0x1F(a) { return a } }[31]",
    "{ 1.5e3(a) { return a } }[1500]",
    "{ $1(a) { return a } }.$1",
    "{ functional(a) { return a } }.functional",
    "{ function(a) { return a } }.function",
    "{ classy(a) { return a } }.classy",
    "{ class (a) { return a } }.class",
    "{ await(a) { return a } }.await",
    "class { static m(a) { return a } }.m",
    "class { static async m(a) { return a } }.m",
    "new (class { static() { } m(a) { return a } })().m",
    "new Function('a', 'b', 'return a // c')",
  ])("carries %s", async (text) => {
    const f = evaluated(text)
    const arrived = await arrive(moduleOf(f))
    expect(await call(arrived, [5])).toBe(5)
    expect(arrived.name).toBe(f.name)
  })

  test.each([
    "function* g(a) { yield a; return a }",
    "function* (a) { yield a }",
    "{ *m(a) { yield a } }.m",
    "{ *['m n'](a) { yield a } }['m n']",
    "class { static *m(a) { yield a } }.m",
  ])("carries the generator %s", async (text) => {
    const arrived = await arrive(moduleOf(evaluated(text)))
    expect(arrived.name).toBe(evaluated(text).name)
    expect(Array.from(Reflect.apply(arrived, undefined, [7]))).toEqual([7])
  })

  test.each([
    "async function* g(a) { yield a; return a }",
    "{ async *m(a) { yield a } }.m",
    "{ async *async(a) { yield a } }.async",
  ])("carries the async generator %s", async (text) => {
    const arrived = await arrive(moduleOf(evaluated(text)))
    expect(await Array.fromAsync(Reflect.apply(arrived, undefined, [7]))).toEqual([7])
  })

  test("defines esbuild's __name where a function calls it", async () => {
    // As esbuild writes it with keepNames, inside of a function as well.
    const f = evaluated(
      '() => { const inner = __name(() => 1, "inner"); return [inner(), inner.name] }',
    )
    expect(await call(await arrive(moduleOf(f)), [])).toEqual([1, "inner"])
    expect(moduleOf(double)).not.toContain("__name")
  })

  test("never lets a name become code (T13)", async () => {
    const names = [
      "a};process.exit()//",
      '"',
      "\\",
      "`${process.exit()}`",
      "\u2028",
      "\n",
      "__proto__",
      "constructor",
      "",
      "\ud800",
      "]",
      "*/",
    ]
    for (const name of names) {
      for (const f of unnamed()) {
        Object.defineProperty(f, "name", { value: name })
        const arrived = await arrive(moduleOf(f))
        expect(arrived.name).toBe(name)
        expect(await call(arrived, [7])).toBe(7)
      }
    }
  })

  test("gives any name back as it was", async () => {
    await assert(
      asyncProperty(string({ unit: "binary" }), async (name) => {
        expect((await arrive(moduleOf(named(name)))).name).toBe(name)
      }),
      { numRuns: 50 },
    )
  })

  test("gives the same text every time", () => {
    for (const [, { sent }] of all) expect(moduleOf(sent.f)).toBe(moduleOf(sent.f))
  })
})

describe("nameFor()", () => {
  test("is the given name, else the function's own", () => {
    expect(nameFor(resize)).toBe("resize")
    expect(nameFor(resize, "other")).toBe("other")
    expect(nameFor(() => 1, "other")).toBe("other")
  })

  test("asks for a name where there is none", () => {
    expect(() => nameFor(() => 1)).toThrow(
      'a function without a name cannot be sent: it needs one to be called by, fn(f, { name: "resize" }); Bun takes the name away from a constant that is used only once',
    )
  })

  test("refuses what cannot be a name, given or own", () => {
    expect(() => nameFor(resize, "a/b")).toThrow(BunhouseError)
    expect(() => nameFor(resize, "")).toThrow("it is empty")
    expect(() => nameFor(named("a\nb"))).toThrow("U+000A")
  })

  test("takes no name from code", () => {
    const f = Object.defineProperty(evaluated("() => 1"), "name", {
      get() {
        throw new Error("called")
      },
    })
    expect(() => nameFor(f)).toThrow("it needs one to be called by")
  })
})

async function resize(width: number) {
  return width
}

const { double } = { double: (a: number): number => a * 2 }

function named(name: string): AnyFunction {
  return Object.defineProperty(evaluated("(a) => a"), "name", { value: name })
}

/** Functions whose name is not part of their text. */
function unnamed(): AnyFunction[] {
  return [
    "(a) => a",
    "async (a) => a",
    "{ m(a) { return a } }.m",
    "{ async m(a) { return a } }.m",
  ].map(evaluated)
}

async function call(f: AnyFunction, args: readonly unknown[]): Promise<unknown> {
  return await Reflect.apply(f, undefined, args)
}
