import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { checkSelfContained } from "../../../client/code/captured.ts"
import { moduleOf } from "../../../client/code/source.ts"
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

describe.each(Object.entries(OPTIONS))("%s", (_, options) => {
  test("functions that are self-contained still are, and give the same result", async () => {
    await using folder = await programFolder()
    for (const fixture of ["forms", "expressions", "syntax"]) {
      const { cases }: Cases = await import(join(FIXTURES, `${fixture}.ts`))
      const built: Cases = await build(folder.path, fixture, options)
      expect(Object.keys(built.cases)).toEqual(Object.keys(cases))
      for (const [name, { sent, args }] of Object.entries(built.cases)) {
        // A minifier renames what eval reads, and a bundler puts a helper of its own in place of require.
        if (name === "evaluates" || name === "bareRequires") continue
        await checkSelfContained(sent.f, sent.site)
        const arrived = await arrive(moduleOf(sent.f))
        expect([name, await call(arrived, args)]).toEqual([
          name,
          await call(cases[name]?.sent.f, args),
        ])
      }
    }
  })

  test("require() is refused where the bundler made a capture of it, and works where it did not", async () => {
    await using folder = await programFolder()
    const { cases }: Cases = await build(folder.path, "syntax", options)
    const sent = cases["bareRequires"]?.sent
    if (sent === undefined) throw new Error("nothing was sent")
    const refusal: unknown = await checkSelfContained(sent.f, sent.site).catch(
      (error: unknown) => error,
    )
    if (/\brequire\(/.test(String(sent.f))) {
      expect(refusal).toBeUndefined()
      expect(await call(await arrive(moduleOf(sent.f)), [])).toEqual(["/", "\n"])
    } else {
      expect(refusal).toMatchObject({ code: "FUNCTION_NOT_SENDABLE" })
    }
  })

  test("functions that capture something still do", async () => {
    await using folder = await programFolder()
    const built: Record<string, unknown> = await build(folder.path, "images", options)
    for (const name of ["resize", "digest", "measure", "sentFact", "factorial", "placed"]) {
      const sent = built[name]
      if (!isSent(sent)) throw new Error(`${name} was not sent`)
      const refusal: unknown = await checkSelfContained(sent.f, sent.site).catch(
        (error: unknown) => error,
      )
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
