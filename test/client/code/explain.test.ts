import { describe, expect, test } from "bun:test"
import { basename } from "node:path"
import { explain } from "../../../client/code/explain.ts"
import { kindOf } from "../../../client/code/kind.ts"
import { locate } from "../../../client/code/locate.ts"
import { keyOf, outsideOf } from "../../../client/code/outside.ts"
import { scopesOf } from "../../../client/code/scope.ts"
import { readText } from "../../../client/code/text.ts"
import { IMPORT_FN, type Sent, evaluated, programFolder } from "./sent.ts"

const PASS = "pass it as an argument"
const MOVE = "move it into the function"

describe("explain()", () => {
  test.each([
    [
      `import { join as x } from "node:path"`,
      "x",
      `imported from "node:path": load it inside, with const { join: x } = require("node:path")`,
    ],
    [
      `import { default as x } from "node:path"`,
      "x",
      `imported from "node:path": load it inside, with const { default: x } = require("node:path")`,
    ],
    [
      `import x from "node:path"`,
      "x",
      `imported from "node:path": load it inside, with require("node:path")`,
    ],
    [
      `import * as x from "node:path"`,
      "x",
      `imported from "node:path": load it inside, with const x = require("node:path")`,
    ],
    [
      `import x = require("node:path")`,
      "x",
      "an import of this file: move what you need of it into the function",
    ],
    [
      `import { IMPORT_FN as x } from "./other"`,
      "x",
      `imported from "./other": move what you need of it into the function`,
    ],
    ["let x = 1", "x", `a variable of line 2: ${PASS}`],
    ["let x = 1", "x++", "a variable of line 2: return the new value instead of assigning it"],
    ["var x = 1", "x", `a variable of line 2: ${PASS}`],
    ["const x = [1]", "x", `a constant of line 2: ${PASS}, or ${MOVE}`],
    ["const { x } = { x: [1] }", "x", `a constant of line 2: ${PASS}, or ${MOVE}`],
    ["const x = () => 1", "x", `a function of line 2: ${MOVE}`],
    ["const x = function () {} as any", "x", `a function of line 2: ${MOVE}`],
    ["const x = class {}", "x", `a class of line 2: ${MOVE}`],
    ["function x() {}", "x", `a function of line 2: ${MOVE}`],
    ["class x {}", "x", `a class of line 2: ${MOVE}`],
    ["enum x { A }", "x", `an enum of line 2: ${MOVE}`],
    ["namespace x { export const a = [1] }", "x.a", `a namespace of line 2: ${MOVE}`],
    [
      "class Map { own = 1 }",
      "new Map()",
      `a class of line 2, not the global of this name: ${MOVE}`,
    ],
    ["", "x", `neither declared in this file nor a global of Bun: ${PASS}`],
    ["", "[module]", `which belongs to the file that it stands in: ${PASS}`],
  ])("after %p, says of %p what it is", async (declaration, use, said) => {
    const lines = await explained(`${declaration}\nexport const sent = fn(() => ${use})`)
    const [name = ""] = /[a-zA-Z]+(?=\W|$)/.exec(use.replace("new ", "")) ?? []
    expect(lines).toEqual([`${name} (program.ts:3), ${said}`])
  })

  test.each([
    [
      "function main(x) { return [fn(() => x)] }",
      `a parameter of the function main (line 2): ${PASS}`,
    ],
    [
      "const main = (x) => [fn(() => x)]",
      `a parameter of the function around it (line 2): ${PASS}`,
    ],
    [
      "function main() { for (const x of [[1]]) return [fn(() => x)] }",
      `a constant of the function main (line 2): ${PASS}`,
    ],
    [
      "function main() { try { throw 1 } catch (x) { return [fn(() => x)] } }",
      `a variable of the function main (line 2): ${PASS}`,
    ],
  ])("names the function of %s", async (main, said) => {
    expect(await explained(`${main}\nexport const [sent] = main([1])`)).toEqual([
      `x (program.ts:2), ${said}`,
    ])
  })

  test("does without the file", async () => {
    expect(
      await explainedFrom({
        f: evaluated("() => {\n  a()\n  return [b,\n  import('./x'), this] }"),
        site: undefined,
      }),
    ).toEqual([
      `a (line 2 of the function), declared outside of the function: ${PASS}, or ${MOVE}`,
      `b (line 3 of the function), declared outside of the function: ${PASS}, or ${MOVE}`,
      `"./x" (line 4 of the function), a module of this project, which does not travel: move what you need of it into the function`,
      "this (line 4 of the function), which an arrow function takes from the place where it is written: pass what you need of it as an argument",
    ])
  })

  test("makes one trouble of all that Bun adds for JSX, and keeps names that merely look like it", async () => {
    const f = evaluated(
      "() => [jsxDEV_7x81h0kn(Fragment_8vg9x3sq), JSX, decorators, __decorateElement_ggs2dd8p]",
    )
    const lines = await explainedFrom({ f, site: undefined })
    expect(lines.map((line) => line.split(",")[0])).toEqual([
      "JSX (line 1 of the function)",
      "JSX (line 1 of the function)",
      "decorators (line 1 of the function)",
      "decorators (line 1 of the function)",
    ])
    expect(lines[0]).toContain("the JSX runtime")
    expect(lines[1]).toContain("declared outside")
  })
})

async function explained(program: string): Promise<readonly string[]> {
  await using folder = await programFolder()
  await folder.load("other.ts", "export const IMPORT_FN = 1")
  const { sent } = await folder.load("program.ts", `${IMPORT_FN}\n${program}`)
  if (sent === undefined) throw new Error("nothing was sent")
  return await explainedFrom(sent)
}

/** Says of everything that the function uses what it is, sorted by nothing but the order of use. */
async function explainedFrom({ f, site }: Sent): Promise<readonly string[]> {
  const text = await readText(f)
  const located = await locate(f, site)
  expect(located === undefined).toBe(site === undefined)
  const inFile = located === undefined ? [] : outsideOf(located.node, located.source.scopes)
  const captures = outsideOf(text.node, await scopesOf(text)).map((use) => ({
    use,
    inFile: inFile.find((other) => keyOf(other) === keyOf(use)),
  }))
  const folder = site === undefined ? "" : site.file.slice(0, -basename(site.file).length)
  return explain(captures, { text, located, kind: kindOf(f) }).map((line) =>
    line.replace(folder, ""),
  )
}
