import { describe, expect, test } from "bun:test"
import { basename } from "node:path"
import { codeOf } from "../../../client/code/code-of.ts"
import { explain } from "../../../client/code/explain.ts"
import { outsideOf } from "../../../client/code/outside.ts"
import { scopesOf } from "../../../client/code/scope.ts"
import { readText } from "../../../client/code/text.ts"
import { IMPORT_FN, evaluated, programFolder } from "./sent.ts"

const PASS = "pass it as an argument"
const CARRY = `${PASS}, or carry its value along, with: { x }`
const MOVE = "move it into the function, or to the top of the file"

describe("explain()", () => {
  test.each([
    ["let x = 1", "x++", "a variable of line 2: return the new value instead of assigning it"],
    [
      "let x = 1; x = 2",
      "x",
      `a variable of line 2, which gets another value in line 2: ${PASS}, or carry its value of now along, with: { x }`,
    ],
    ["", "x", `neither declared in this file nor a global of Bun: ${PASS}`],
    ["", "[module]", `which belongs to the file that it stands in: ${PASS}`],
    ["", "[__dirname]", `which belongs to the file that it stands in: ${PASS}`],
    ["for (const x of [1]) { }", "x", `neither declared in this file nor a global of Bun: ${PASS}`],
  ])("after %p, says of %p what it is", async (declaration, use, said) => {
    const lines = await explained(`${declaration}\nexport const sent = fn(() => ${use})`)
    const [name = ""] = /[_a-zA-Z]+(?=\W|$)/.exec(use.replace("new ", "")) ?? []
    expect(lines).toEqual([`${name} (program.ts:3), ${said}`])
  })

  test.each([
    [
      "function main(x) { return [fn(() => x)] }",
      `a parameter of the function main (line 2): ${CARRY}`,
    ],
    [
      "const main = (x) => [fn(() => x)]",
      `a parameter of the function around it (line 2): ${CARRY}`,
    ],
    [
      "function main() { for (const x of [[1]]) return [fn(() => x)] }",
      `a constant of the function main (line 2): ${CARRY}`,
    ],
    [
      "function main() { try { throw 1 } catch (x) { return [fn(() => x)] } }",
      `a variable of the function main (line 2): ${CARRY}`,
    ],
    [
      "function main() { function x() {} return [fn(() => x)] }",
      `a function of the function main (line 2): ${MOVE}`,
    ],
    [
      "function main() { const x = class {}; return [fn(() => x)] }",
      `a class of the function main (line 2): ${MOVE}`,
    ],
    [
      "function main() { enum x { A = Date.now() } return [fn(() => x)] }",
      `an enum of the function main (line 2): ${MOVE}`,
    ],
    [
      "let main; { const x = [1]; main = () => [fn(() => x)] }",
      `a constant of the block around it (line 2): ${CARRY}`,
    ],
    [
      "function main() { const Map = [1]; return [fn(() => Map)] }",
      `a constant of the function main (line 2), not the global of this name: ${CARRY.replace("x", "Map").replace("{ x }", "{ Map }")}`,
    ],
    [
      "function main() { const x = (n) => n ? x(n - 1) : 0; return [fn(x)] }",
      "the name of a constant that holds the function itself: give the function its own name, function x(…) { … }",
    ],
  ])("names the function of %s", async (main, said) => {
    const lines = await explained(`${main}\nexport const [sent] = main([1])`)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain("(program.ts:2), ")
    expect(lines[0]?.replaceAll("Map", "x")).toEndWith(said.replaceAll("Map", "x"))
  })

  test("tells where a thing that is needed needs something that cannot travel", async () => {
    expect(
      await explained(`let count = 0
      const next = () => ++count
      function id() { return next() }
      export const sent = fn(() => id())`),
    ).toEqual([
      "count (program.ts:3), a variable of line 2: return the new value instead of assigning it",
    ])
  })

  test("does without the file", async () => {
    expect(await explainedText("() => {\n  a()\n  return [b,\n  import('./x'), this] }")).toEqual([
      "a (line 2 of the function), declared outside of the function: pass it as an argument, or carry its value along, with: { a }, or move it into the function",
      "b (line 3 of the function), declared outside of the function: pass it as an argument, or carry its value along, with: { b }, or move it into the function",
      `"./x" (line 4 of the function), a module of this project, which does not travel: move what you need of it into the function`,
      "this (line 4 of the function), which an arrow function takes from the place where it is written: pass what you need of it as an argument",
    ])
  })

  test("makes one trouble of all that Bun adds for JSX, and keeps names that merely look like it", async () => {
    const lines = await explainedText(
      "() => [jsxDEV_7x81h0kn(Fragment_8vg9x3sq), JSX, decorators, __decorateElement_ggs2dd8p]",
    )
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

/** What a program's function is refused for, a line each. */
async function explained(program: string): Promise<readonly string[]> {
  await using folder = await programFolder()
  const { sent } = await folder.load("program.ts", `${IMPORT_FN}\n${program}`)
  if (sent === undefined) throw new Error("nothing was sent")
  const { f, site } = sent
  const refusal = await codeOf(f, site).then(
    () => "it travels",
    (error: Error) => error.message,
  )
  const here = site === undefined ? "" : site.file.slice(0, -basename(site.file).length)
  const [, ...lines] = refusal.replaceAll(here, "").split("\n")
  return lines.map((line) => line.trim())
}

async function explainedText(expression: string): Promise<readonly string[]> {
  const text = await readText(evaluated(expression))
  const around = { text: text.text, file: undefined, node: text.node, given: new Set<string>() }
  const uses = outsideOf(text.node, await scopesOf(text)).filter(
    ({ kind, name }) => kind !== "module" || name.startsWith("."),
  )
  return explain(uses, around)
    .split("\n")
    .map((line) => line.trim())
}
