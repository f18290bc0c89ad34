import { beforeAll, describe, expect, test } from "bun:test"
import { dirname, join } from "node:path"
import { codeOf } from "../../../client/code/code-of.ts"
import { moduleCode } from "../../../client/code/module-code.ts"
import { provideLibrary } from "../../../envs/provide-library.ts"
import { versionOf } from "../../../protocol/function-spec.ts"
import { arrive } from "./arrive.ts"
import { cases as expressions } from "./fixtures/expressions.ts"
import { cases as forms } from "./fixtures/forms.ts"
import * as images from "./fixtures/images.ts"
import * as shadowed from "./fixtures/shadowed-globals.ts"
import { cases as syntax } from "./fixtures/syntax.ts"
import { IMPORT_FN, type Sent, evaluated, programFolder } from "./sent.ts"

beforeAll(() => {
  provideLibrary()
})

describe("codeOf()", () => {
  test.each(Object.entries({ ...forms, ...expressions, ...syntax }))(
    "carries %s so that it gives the same result",
    async (_, { sent, args }) => {
      const { code, notices } = await codeOf(sent.f, sent.site)
      const f = await arrive(code)
      expect(f.name).toBe(sent.f.name)
      expect(await result(f, args)).toEqual(await result(sent.f, args))
      expect(notices).toEqual([])
    },
  )

  test("carries what a function needs of its file and of its imports", async () => {
    expect(await result(await arrived(images.digest), ["A"])).toBe(images.digest.f("A"))
    expect(await result(await arrived(images.sentFact), [5])).toBe(120)
    expect(await result(await arrived(images.factorial), [])).toBe(120)
    expect(await result(await arrived(shadowed.waits), [1])).toBe(1)
    expect(await result(await arrived(shadowed.fetches), ["x"])).toBe("not fetched: x")
    expect(await result(await arrived(shadowed.asksForType), [])).toBe("function")
    expect((await arrived(images.sentFact)).name).toBe("fact")
  })

  test("refuses what cannot travel, each with file, line and mend", async () => {
    expect(await refusal(images.measure)).toBe(`\
a function without a name cannot be sent: it uses what cannot travel
  runs (images.ts:40), a variable of line 13: return the new value instead of assigning it`)
    expect(await refusal(images.batch(["a"]))).toBe(`\
the function batchOne cannot be sent: it uses what cannot travel
  file (images.ts:49), a constant of the function batch (line 47): pass it as an argument, or carry its value along, with: { file }
  limit (images.ts:49), a parameter of the function batch (line 45): pass it as an argument, or carry its value along, with: { limit }
  started (images.ts:49), a constant of the function batch (line 46): pass it as an argument, or carry its value along, with: { started }`)
    expect(await refusal(images.placed)).toBe(`\
a function without a name cannot be sent: it uses what cannot travel
  import.meta (images.ts:63), which tells of the file that it stands in: pass what you need of it as an argument`)
    expect(await refusal({ f: evaluated("() => a"), site: undefined })).toContain(
      "was not found, was changed since it was loaded, or cannot be told from another",
    )
  })

  test("carries values along by name, as they are when it is sent", async () => {
    const sent = images.batch(["a"])
    if (sent === undefined) throw new Error("nothing was sent")
    const values = { file: { path: "x", of: new Map([[1, new Date(2)]]) }, limit: 3n, started: [] }
    const code = codeOf(sent.f, sent.site, { with: values })
    values.file.path = "changed"
    const f = await arrive((await code).code)
    expect(await result(f, [])).toEqual([{ path: "x", of: new Map([[1, new Date(2)]]) }, 3n, []])
    const text = await codeOf(evaluated("() => [a, a]"), undefined, { with: { a: {} } })
    const [one, two] = Object.values(Object(await result(await arrive(text.code), [])))
    expect(one).toEqual({})
    expect(one).toBe(two)
  })

  test("refuses values that cannot be sent, and those that nothing asks for", async () => {
    const f = evaluated("() => a")
    const refused = codeOf(f, undefined, { with: { a: { b: [() => 1] } } })
    expect(await refused.catch((error: unknown) => error)).toMatchObject({
      code: "VALUE_NOT_SENDABLE",
      path: "with.a.b[0]",
      message: expect.stringContaining("with.a.b[0]"),
    })
    const unused = codeOf(f, undefined, { with: { a: 1, b: 2 } })
    expect(await unused.catch((error: unknown) => error)).toMatchObject({
      code: "INVALID_ARGUMENT",
      message:
        "with: { b } is for nothing: a function without a name uses no name b from outside of itself",
    })
  })

  test("gives the same code in every folder, so that the version is the same", async () => {
    const versions = new Set<string>()
    for (const cwd of ["/", dirname(import.meta.dir), import.meta.dir]) {
      const program = `
        const { codeOf } = await import(${JSON.stringify(join(import.meta.dir, "../../../client/code/code-of.ts"))})
        const { digest } = await import(${JSON.stringify(join(import.meta.dir, "fixtures/images.ts"))})
        process.stdout.write((await codeOf(digest.f, digest.site)).code)`
      const child = Bun.spawn([process.execPath, "-e", program], { cwd, stdout: "pipe" })
      const code = await child.stdout.text()
      expect(code).toContain("// images.ts\n")
      versions.add(versionOf({ env: "e", name: "f", kind: "sync", run: "loop", code }))
    }
    expect(versions.size).toBe(1)
  })

  test("looks again only when the function, its values or its files have changed", async () => {
    await using folder = await programFolder()
    const { sent } = await folder.load(
      "a.ts",
      `${IMPORT_FN}
      import { b } from "./b.ts"
      import data from "./data.json"
      export const sent = fn(() => b() + data.n)`,
      { "b.ts": "export const b = () => 1", "data.json": `{ "n": 1 }` },
    )
    const first = await codeOf(...at(sent))
    expect(await codeOf(...at(sent))).toEqual(first)
    await Bun.write(join(folder.path, "b.ts"), "export const b = () => 100")
    const second = await codeOf(...at(sent))
    expect(await result(await arrive(second.code), [])).toBe(101)
    expect(second.notices).toEqual([
      expect.stringMatching(/a\.ts was changed after this program started/),
      expect.stringMatching(/b\.ts was changed after this program started/),
      expect.stringMatching(/data\.json was changed after this program started/),
    ])
    await Bun.write(join(folder.path, "data.json"), `{ "n": 2000 }`)
    const third = await codeOf(...at(sent))
    expect(await result(await arrive(third.code), [])).toBe(2100)
  })

  test("tells once what is done when the env loads the code", async () => {
    await using folder = await programFolder()
    const { sent, quiet } = await folder.load(
      "a.ts",
      `${IMPORT_FN}
      import { b } from "./b.ts"
      import "./not-needed.ts"
      const made = connect()
      const table = new Map([["a", Object.freeze({ b: 1 })]])
      function connect() { return 1 }
      export const sent = fn(() => [made, b()])
      export const quiet = fn(() => table)
      globalThis.never = 1`,
      {
        "b.ts":
          "export const unused = 1\nconsole.error\n;(() => Reflect.set(globalThis, 'x', 1))()\nprocess.title\nqueueMicrotask(() => {})\nexport const b = () => 1",
        "not-needed.ts": "queueMicrotask(() => {})",
      },
    )
    const { code, notices } = await codeOf(...at(sent))
    expect(code).not.toContain("never")
    expect(notices[0]?.replaceAll(`${folder.path}/`, "")).toBe(
      " takes along code that runs when the env loads it: a.ts:4, b.ts:5",
    )
    expect((await codeOf(...at(quiet))).notices.join()).not.toContain("takes along")
  })
})

describe("a class", () => {
  test("travels with the classes that it extends, decorators, private and static members", async () => {
    await using folder = await programFolder()
    const loaded = await folder.load(
      "a.ts",
      `${IMPORT_FN}
      import { Base } from "./base.ts"
      const seen: string[] = []
      function mark<T>(value: T, context: { name: string | symbol }): T { seen.push(String(context.name)); return value }
      class Middle<T> extends Base { constructor(public readonly size: T) { super() } }
      class Counter extends Middle<number> {
        static made = 0
        #count = seen.length
        static { Counter.made += 1 }
        @mark next(): number { return this.#count += this.size }
        get seen(): string[] { return [...seen, this.base()] }
      }
      class Empty {}
      export const sent = fn(Counter as never)
      export const empty = fn(Empty as never)
      export const inline = fn(class extends Empty { x = 1 } as never)`,
      {
        "base.ts": "export abstract class Base { base() { return 'base' } }",
      },
    )
    const { sent, empty, inline } = loaded
    const Counter: new (size: number) => Record<string, unknown> = Object(await arrived(sent))
    const counter = new Counter(2)
    expect([Counter.name, Reflect.get(Counter, "made")]).toEqual(["Counter", 1])
    expect([Reflect.apply(Object(counter["next"]), counter, []), counter["seen"]]).toEqual([
      3,
      ["next", "base"],
    ])
    for (const one of [empty, inline]) expect(await arrived(one)).toBeInstanceOf(Function)
  })

  test("of no file travels by its own text, when it needs nothing else", async () => {
    const Odd = class Odd {
      x = 1
    }
    const { code } = await codeOf(Odd, undefined)
    expect(Object(await arrive(code)).name).toBe("Odd")
  })
})

describe("moduleCode()", () => {
  test("gives a module with all its exports, by path and by URL", async () => {
    await using folder = await programFolder()
    await folder.load(
      "a.ts",
      `import { b } from "./b.ts"
      export const a = () => b, c = 1
      export default class Jobs {}
      export * from "./b.ts"`,
      { "b.ts": "export const b = 2" },
    )
    const path = join(folder.path, "a.ts")
    for (const url of [path, Bun.pathToFileURL(path), Bun.pathToFileURL(path).href]) {
      const { code, exports } = await moduleCode(url)
      expect(exports.toSorted()).toEqual(["a", "b", "c", "default"])
      await Bun.write(join(folder.path, "made.mjs"), code)
      const module = await import(join(folder.path, "made.mjs"))
      expect([module.a(), module.c, module.default.name]).toEqual([2, 1, "Jobs"])
    }
  })

  test("refuses what cannot be bundled", async () => {
    const refused = moduleCode("/nowhere/at/all.ts")
    expect(await refused.catch((error: unknown) => error)).toMatchObject({
      code: "FUNCTION_NOT_SENDABLE",
    })
  })
})

function at(sent: Sent | undefined): [Sent["f"], Sent["site"]] {
  if (sent === undefined) throw new Error("nothing was sent")
  return [sent.f, sent.site]
}

async function arrived(sent: Sent | undefined): Promise<Sent["f"]> {
  return await arrive((await codeOf(...at(sent))).code)
}

async function result(f: Sent["f"], args: readonly unknown[]): Promise<unknown> {
  return await Reflect.apply(f, undefined, args)
}

/** The message, with the folders of paths left out; undefined where there is no refusal. */
async function refusal(sent: Sent | undefined): Promise<string | undefined> {
  const [f, site] = at(sent)
  const error: unknown = await codeOf(f, site).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ code: "FUNCTION_NOT_SENDABLE", ran: "no" })
  return error instanceof Error
    ? error.message.replaceAll(`${dirname(site?.file ?? "/nowhere/x")}/`, "")
    : undefined
}
