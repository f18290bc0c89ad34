import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { codeOf } from "../../../client/code/code-of.ts"
import { arrive } from "./arrive.ts"
import { type Case, type Sent, programFolder } from "./sent.ts"

// What people run is often bundled and minified before. Nothing of it may change the verdict or the result.
const OPTIONS = {
  bundled: { minify: false },
  minified: { minify: true },
  "without whitespace": { minify: { whitespace: true } },
  "with short names": { minify: { identifiers: true } },
  "with short syntax": { minify: { syntax: true } },
  "minified, with a source map": { minify: true, sourcemap: "inline" },
  "as CommonJS": { minify: false, format: "cjs" },
} as const

const FIXTURES = join(import.meta.dir, "fixtures")

// Everything is inside of one function.
const HIDDEN: ReadonlySet<string> = new Set(["as CommonJS"])

describe.each(Object.entries(OPTIONS))("%s", (kind, options) => {
  test("functions that are self-contained still are, and give the same result", async () => {
    await using folder = await programFolder()
    for (const fixture of ["forms", "expressions", "syntax"]) {
      const { cases }: Cases = await import(join(FIXTURES, `${fixture}.ts`))
      const built: Cases = await build(folder.path, fixture, options)
      expect(Object.keys(built.cases)).toEqual(Object.keys(cases))
      for (const [name, { sent, args }] of Object.entries(built.cases)) {
        // A minifier renames what eval reads, and a bundler puts a helper of its own in place of require.
        if (name === "evaluates" || (name === "bareRequires" && HIDDEN.has(kind))) continue
        const { code } = await codeOf(sent.f, sent.site)
        expect([name, await call(await arrive(code), args)]).toEqual([
          name,
          await call(cases[name]?.sent.f, args),
        ])
      }
    }
  })

  test("functions that need their file bring along what they need of the bundle", async () => {
    await using folder = await programFolder()
    const { digest, sentFact, factorial }: Record<string, unknown> = await build(
      folder.path,
      "images",
      options,
    )
    for (const [sent, args] of [
      [digest, ["a"]],
      [sentFact, [5]],
      [factorial, []],
    ] as const) {
      if (!isSent(sent)) throw new Error("nothing was sent")
      const code = codeOf(sent.f, sent.site)
      if (HIDDEN.has(kind)) {
        const refusal: unknown = await code.catch((error: unknown) => error)
        expect(refusal).toMatchObject({ code: "FUNCTION_NOT_SENDABLE" })
      } else {
        const arrived = await arrive((await code).code)
        expect(await call(arrived, args)).toEqual(await call(sent.f, args))
      }
    }
  })

  test("functions that capture what cannot travel still do", async () => {
    await using folder = await programFolder()
    const built: Record<string, unknown> = await build(folder.path, "images", options)
    for (const name of ["measure", "placed"]) {
      const sent = built[name]
      if (!isSent(sent)) throw new Error(`${name} was not sent`)
      const refusal: unknown = await codeOf(sent.f, sent.site).catch((error: unknown) => error)
      expect([name, refusal]).toEqual([
        name,
        expect.objectContaining({ code: "FUNCTION_NOT_SENDABLE" }),
      ])
    }
  })
})

interface Cases {
  readonly cases: Readonly<Record<string, Case>>
}

async function build(folder: string, fixture: string, options: Partial<Bun.BuildConfig>) {
  const outdir = join(folder, fixture)
  const result = await Bun.build({
    entrypoints: [join(FIXTURES, `${fixture}.ts`)],
    outdir,
    target: "bun",
    ...options,
  })
  expect(result.success).toBe(true)
  return await import(join(outdir, `${fixture}.js`))
}

function isSent(value: unknown): value is Sent {
  return (
    typeof value === "object" && value !== null && "f" in value && typeof value.f === "function"
  )
}

async function call(f: Sent["f"] | undefined, args: readonly unknown[]): Promise<unknown> {
  if (f === undefined) throw new Error("no such function")
  return await Reflect.apply(f, undefined, args)
}
