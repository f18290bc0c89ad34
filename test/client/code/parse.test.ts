import { describe, expect, test } from "bun:test"
import { Glob } from "bun"
import { join } from "node:path"
import {
  type Node,
  isFunction,
  memberName,
  parse,
  walk,
  withoutTypes,
} from "../../../client/code/parse.ts"
import { programFolder } from "./sent.ts"

const FOLDER = join(import.meta.dir, "../../../client/code")

describe("parse()", () => {
  test("gives a tree with offsets in UTF-16 units", async () => {
    const text = `"ü😀"; f(1)`
    const { program, error } = await parse(text, { dialect: "js" })
    expect(error).toBeUndefined()
    const second = program.body[1]
    expect(text.slice(second?.start, second?.end)).toBe("f(1)")
  })

  test("says what is wrong, and never throws", async () => {
    for (const bad of ["(", "a b", "}{", "\0", "class { #a; #a }", "return"]) {
      expect((await parse(`${bad} (`, { dialect: "ts" })).error).toBeString()
    }
  })

  test("sees what strict code forbids only when asked to", async () => {
    const text = "(function (o) { with (o) { return a } })"
    expect((await parse(text, { dialect: "js" })).error).toBeUndefined()
    expect((await parse(text, { dialect: "js", strict: true })).error).toBeString()
  })

  test("reads every dialect", async () => {
    expect((await parse("<a>{b}</a>", { dialect: "jsx" })).error).toBeUndefined()
    expect((await parse("<a>{b as string}</a>", { dialect: "tsx" })).error).toBeUndefined()
    expect((await parse("<string>b", { dialect: "ts" })).error).toBeUndefined()
    expect((await parse("a as string", { dialect: "js" })).error).toBeString()
  })
})

test("a bundle of the library says what is missing of it", async () => {
  await using folder = await programFolder()
  const built = await Bun.build({
    entrypoints: [join(FOLDER, "parse.ts")],
    target: "bun",
    outdir: folder.path,
  })
  expect(built.success).toBe(true)
  const program = `const { parse } = await import(${JSON.stringify(join(folder.path, "parse.js"))})
    console.log(await parse("1", { dialect: "js" }).catch((error) => Bun.inspect(error)))`
  const child = Bun.spawn([process.execPath, "--no-install", "-e", program], {
    cwd: folder.path,
    stdout: "pipe",
  })
  const told = await child.stdout.text()
  expect(told).toContain("bun build --external bunhouse")
  expect(told.length).toBeLessThan(4_000)
})

describe("walk()", () => {
  test("meets every node in the order of the text, and leaves out what it is told to", async () => {
    const { program } = await parse("a(b, [c, { d: e }], `${f}`, (g) => h); i", { dialect: "js" })
    const names: string[] = []
    walk(program, (node) => {
      if (node.type === "Identifier") names.push(node.name)
      return !isFunction(node)
    })
    expect(names).toEqual(["a", "b", "c", "d", "e", "f", "i"])
  })
})

describe("withoutTypes()", () => {
  test.each(["a as b", "a!", "<b>a", "a satisfies b", "((a as b)! satisfies c)", "a<b>"])(
    "finds a in %s",
    async (text) => {
      expect(withoutTypes(await expression(text))).toMatchObject({ type: "Identifier", name: "a" })
    },
  )
})

describe("memberName()", () => {
  test("is the name that stands in the text", async () => {
    const object = await expression("{ a() {}, 'b c': 1, 5: 1, ['d']: 1, [e]: 1, [`f`]: 1, g }")
    if (object.type !== "ObjectExpression") throw new Error(object.type)
    const names = object.properties.map(
      (property) => property.type === "Property" && memberName(property),
    )
    expect(names).toEqual(["a", "b c", "5", "d", undefined, undefined, "g"])
  })
})

test("each package is imported by one file, and only when it is needed", async () => {
  const importers: Record<string, string[]> = {}
  for (const file of new Glob("*.ts").scanSync(FOLDER)) {
    const text = await Bun.file(join(FOLDER, file)).text()
    for (const [, specifier = ""] of text.matchAll(
      /(?:^import [^"]*from |import\()"([^".][^"]*)"/gm,
    )) {
      if (!specifier.startsWith("node:")) (importers[specifier] ??= []).push(file)
    }
    // Types leave no import behind; values are imported by import().
    expect(text).not.toMatch(/^import (?!type)[^"]*"(?!\.|node:)/m)
  }
  expect(importers).toEqual({
    "oxc-parser": ["parse.ts", "parse.ts", "parse.ts"],
    "@typescript-eslint/scope-manager": ["scope.ts", "scope.ts"],
  })
})

test("importing the folder and recognising a function loads neither package", async () => {
  const program = `
    const { kindOf } = await import(${JSON.stringify(join(FOLDER, "kind.ts"))})
    const { moduleOf, nameFor } = await import(${JSON.stringify(join(FOLDER, "source.ts"))})
    await import(${JSON.stringify(join(FOLDER, "code-of.ts"))})
    const f = async function resize() {}
    kindOf(f); moduleOf(f); nameFor(f)
    const loaded = () => Object.keys(require.cache).filter((path) => /oxc-parser|scope-manager/.test(path)).length
    const { parse } = await import(${JSON.stringify(join(FOLDER, "parse.ts"))})
    const before = loaded()
    await parse("1", { dialect: "js" })
    console.log(JSON.stringify([before, loaded() > 0]))`
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", cwd: FOLDER })
  expect(JSON.parse(await child.stdout.text())).toEqual([0, true])
})

async function expression(text: string): Promise<Node> {
  const { program, error } = await parse(`(${text})`, { dialect: "ts" })
  const statement = program.body[0]
  if (statement?.type !== "ExpressionStatement") throw new Error(error ?? "no expression")
  return statement.expression
}
