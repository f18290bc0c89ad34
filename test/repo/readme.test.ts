import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { type Stack, startStack } from "../support/stack.ts"

// The snippets sleep.
setDefaultTimeout(30_000)

/**
 * README.md is run as its readers would: each TypeScript snippet as a program that has installed the library, each
 * shell snippet by a shell, against a real daemon. What a comment says that a line gives is compared with what it gave.
 */
const root = join(import.meta.dir, "../..")
const readme = await Bun.file(join(root, "README.md")).text()

interface Snippet {
  readonly language: string
  readonly text: string
  /** What stands between it and the next snippet. */
  readonly after: string
}

const snippets: readonly Snippet[] = [
  ...readme.matchAll(/^```(\w+)\n(.*?)^```\n(.*?)(?=^```|$(?![^]))/gms),
].map(([, language = "", text = "", after = ""]) => ({ language, text, after }))

const programs = snippets.filter(({ language }) => language === "ts")
const commands = snippets.filter(({ language }) => language === "sh")

/** `f(2) // 2   words`: an expression and what it gives. */
const STATED = /^(?<expression>[^/\n]+) \/\/ (?<value>\S+)(?: {2,}.*)?$/gm

/** What the comments of a program say that its lines give. */
function stated(text: string): string[] {
  return [...text.matchAll(STATED)].map(({ groups }) => groups?.["value"] ?? "")
}

/** The same program, which prints what those lines give. */
function printing(text: string): string {
  return text.replaceAll(STATED, "console.log(Bun.inspect($<expression>))")
}

let stack: Stack
let folder: TemporaryFolder
beforeAll(async () => {
  stack = await startStack()
  folder = temporaryFolder()
  mkdirSync(folder.join("node_modules"))
  for (const name of ["bunhouse", "bun-types"]) {
    const target = name === "bunhouse" ? root : join(root, "node_modules", name)
    symlinkSync(target, folder.join("node_modules", name))
  }
  symlinkSync(stack.home, folder.join(".bunhouse"))
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** Runs a program of a user of this daemon, to its end. */
async function run(words: readonly string[]) {
  await using program = Bun.spawn([...words], {
    cwd: folder.path,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: folder.path,
      BUNHOUSE_HOME: folder.join(".bunhouse"),
      BUNHOUSE_QUIET: "1",
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const [stdout, stderr] = await Promise.all([program.stdout.text(), program.stderr.text()])
  return { exitCode: await program.exited, stdout, stderr }
}

describe("README.md", () => {
  test("has snippets, and states what some of their lines give", () => {
    // Fewer would mean that the snippets are not found any more.
    expect([programs.length >= 9, commands.length]).toEqual([true, 1])
    const values = programs.flatMap(({ text }) => stated(text))
    expect(values.length).toBeGreaterThanOrEqual(10)
    expect(values).toContain('"17:1999"')
  })

  test.each(programs.map(({ text }, index) => [index + 1, text] as const))(
    "has a TypeScript snippet %i that compiles, runs and gives what it states",
    async (index, text) => {
      const name = `snippet-${index}.ts`
      writeFileSync(folder.join(name), text)
      writeFileSync(folder.join("tsconfig.json"), JSON.stringify(CONFIG))
      const checked = await run([process.execPath, "check", name])
      expect(checked).toMatchObject({ exitCode: 0 })
      writeFileSync(folder.join(name), printing(text))
      const { exitCode, stdout, stderr } = await run([process.execPath, name])
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" })
      expect(stdout.split("\n").filter((line) => line !== "")).toEqual(stated(text))
    },
  )

  // The tests promise to run where there is nothing but Node and npm.
  test.skipIf(Bun.which("curl") === null)("has a curl command that answers as stated", async () => {
    for (const { text, after } of commands) {
      const answer = /^\nanswers `([^`]+)`/.exec(after)?.[1]
      const here = text.replaceAll("http://127.0.0.1:7420", stack.url)
      expect(here).not.toBe(text)
      const { stdout, exitCode } = await run(["sh", "-c", here])
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${answer}\n` })
    }
  })
})

describe("a stated value", () => {
  test("is found beside an expression only, without the words after it", () => {
    const text = `await f(2) // 2   words and more\nf(1) // "a"\n// 3\nconst x = 1\ng("// 4")\nf() // two words\n`
    expect(stated(text)).toEqual(["2", `"a"`])
    expect(printing("await f(2) // 2   words\n")).toBe("console.log(Bun.inspect(await f(2)))\n")
  })
})

const CONFIG = {
  compilerOptions: {
    target: "ESNext",
    module: "Preserve",
    lib: ["ESNext"],
    types: ["bun-types"],
    noEmit: true,
    allowImportingTsExtensions: true,
    strict: true,
    skipLibCheck: true,
  },
}
