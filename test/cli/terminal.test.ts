import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { until } from "../support/until.ts"
import { type CommandLine, commandLine } from "./command-line.ts"

describe("at a terminal", () => {
  test("bunhouse paints, and suggests what is next", async () => {
    await using cli = await commandLine()
    const started = await atTerminal(cli, ["start"], "`bunhouse logs -f`")
    expect(started).toContain("the daemon is running at http://")
    await atTerminal(cli, ["status"], "\u001b[32mrunning\u001b[39m")
  })

  test("NO_COLOR is respected", async () => {
    await using cli = await commandLine(() => ({ NO_COLOR: "1" }))
    await cli.run("start")
    expect(await atTerminal(cli, ["status"], "none yet")).not.toContain("\u001b")
  })
})

test("into a pipe, bunhouse paints and suggests nothing", async () => {
  await using cli = await commandLine()
  const { stdout, stderr } = await cli.run("start")
  const text = stdout + stderr + (await cli.run("status")).stdout
  expect(text).not.toContain("\u001b")
  expect(text).not.toContain("next:")
})

/** What the command wrote, once `last` has come. */
async function atTerminal(
  cli: CommandLine,
  words: readonly string[],
  last: string,
): Promise<string> {
  let text = ""
  const decoder = new TextDecoder()
  await using terminal = new Bun.Terminal({
    cols: 200,
    rows: 50,
    data: (_, bytes) => void (text += decoder.decode(bytes, { stream: true })),
  })
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "../../cli/main.ts"), ...words],
    {
      env: { ...cli.variables, TERM: "xterm-256color" },
      terminal,
    },
  )
  await child.exited
  await until(() => text.includes(last), `${JSON.stringify(last)} in ${JSON.stringify(text)}`)
  return text
}
