import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { callSite } from "../../../client/code/call-site.ts"
import { IMPORT_FN, fn, programFolder } from "./sent.ts"

// Each program has the mark @ where the call site is expected: facts of Bun that this code rests on.
const PROGRAMS = {
  "a call": `export const sent = @fn(() => 1)`,
  awaited: `const id = async (x) => x; export const sent = await id(await @fn(() => 1))`,
  chained: `const { a } = { a: { fn } }; export const sent = a\n  .@fn(() => 1)`,
  "an element": `const a = { fn }; export const sent = a[@"fn"](() => 1)`,
  "in brackets": `const a = { fn }; export const sent = (0, a.@fn)(() => 1)`,
  "by call()": `export const sent = fn.@call(undefined, () => 1)`,
  "by apply()": `export const sent = fn.@apply(undefined, [() => 1])`,
  "by Reflect.apply()": `export const sent = Reflect.@apply(fn, undefined, [() => 1])`,
  "by map()": `export const [sent] = [() => 1].@map(fn)`,
  "after a tab and wide characters": `const a = "ü😀\\u{1F600}";\t/* é */ export const sent = @fn(() => 1)`,
  "the second in a line": `fn(() => 1); export const sent = @fn(() => 2)`,
  nested: `export const sent = @fn(fn(() => 1).f)`,
  typed: `export const sent = @fn<() => number>((() => 1) as () => number)`,
  "over several lines": `export const sent = @fn(\n  // comment\n  function (a: number): number {\n    return a\n  },\n)`,
  "in a function": `function make() { return [@fn(() => 1)] }\nexport const [sent] = make()`,
  "in a tail position, the caller": `function make() { return fn(() => 1) }\nexport const sent = @make()`,
  // Bun writes the call in place of a constant that is used once.
  "in a tail position that Bun made, the caller": `function make() { const sent = fn(() => 1); return sent }\nexport const sent = @make()`,
  "in an async function": `async function make() { return @fn(() => 1) }\nexport const sent = await make()`,
  "in a field, the new": `class A { sent = fn(() => 1) }\nexport const { sent } = @new A()`,
  "in a static field, the class": `@class A { static sent = fn(() => 1) }\nexport const { sent } = A`,
  "in a constructor": `class A { sent; constructor() { this.sent = @fn(() => 1) } }\nexport const { sent } = new A()`,
  "after types that leave no trace": `interface A { a: number }\ntype B = A\nexport const sent: unknown = @fn(() => 1)`,
}

describe("callSite()", () => {
  test.each(Object.entries(PROGRAMS))("is where the callee stands: %s", async (_, marked) => {
    await using folder = await programFolder()
    const program = `${IMPORT_FN}\n${marked}`
    const { sent } = await folder.load("program.ts", program.replace("@", ""))
    const before = program.slice(0, program.indexOf("@")).split("\n")
    expect(sent?.site).toEqual({
      file: join(folder.path, "program.ts"),
      line: before.length,
      column: (before.at(-1)?.length ?? 0) + 1,
    })
  })

  test("is undefined where there is no file", async () => {
    await using folder = await programFolder()
    const exports = await folder.load(
      "evaluated.ts",
      `${IMPORT_FN}
      export const inEval = (0, eval)("(fn) => [fn(() => 1)]")(fn)[0]
      export const inFunction = new Function("fn", "return [fn(() => 1)]")(fn)[0]
      // A tail call from the event loop leaves no frame at all.
      export const inTimer = await new Promise((resolve) => {
        const call = (f) => resolve({ f, site: callSite(call) })
        setTimeout(() => call(() => 1), 1)
      })
      import { callSite } from ${JSON.stringify(join(import.meta.dir, "../../../client/code/call-site.ts"))}`,
    )
    expect(exports["inEval"]).toMatchObject({ site: undefined })
    expect(exports["inFunction"]).toMatchObject({ site: undefined })
    expect(exports["inTimer"]).toMatchObject({ site: undefined })
    expect(callSite(() => 1)).toBeUndefined()
  })

  test("neither minds nor changes how the program formats stacks", () => {
    const before = Object.getOwnPropertyDescriptors(Error)
    const keys = ["prepareStackTrace", "stackTraceLimit"] as const
    try {
      Error.prepareStackTrace = formatted
      Error.stackTraceLimit = 0
      const { site } = fn(() => 1)
      expect(site?.file).toBe(import.meta.path)
      expect(Object.getOwnPropertyDescriptor(Error, "prepareStackTrace")?.value).toBe(formatted)
      expect(Error.stackTraceLimit).toBe(0)
    } finally {
      // Assigned, because a limit that is defined anew has no effect.
      for (const key of keys) Reflect.set(Error, key, before[key].value)
    }
    fn(() => 1)
    expect(Object.getOwnPropertyDescriptors(Error)).toEqual(before)
  })

  test("does without where Error is hardened", () => {
    const { stackTraceLimit } = Error
    Object.defineProperty(Error, "stackTraceLimit", { value: stackTraceLimit, writable: false })
    try {
      expect(fn(() => 1).site).toBeUndefined()
    } finally {
      Object.defineProperty(Error, "stackTraceLimit", { value: stackTraceLimit, writable: true })
    }
  })
})

function formatted(): string {
  return "mine"
}
