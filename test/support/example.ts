import { expect } from "bun:test"
import { sourcePath } from "../../protocol/root.ts"
import type { Stack } from "./stack.ts"

/** Runs a file of examples/ to its end, against the stack, as its readers would; it must end well. */
export async function runExample(
  stack: Stack,
  file: string,
  variables: Readonly<Record<string, string>> = { BUNHOUSE_QUIET: "1" },
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  await using program = Bun.spawn([process.execPath, sourcePath(`examples/${file}`)], {
    env: {
      PATH: process.env["PATH"] ?? "",
      BUNHOUSE_HOME: stack.home,
      BUNHOUSE_URL: stack.url,
      BUNHOUSE_TOKEN: stack.token,
      ...variables,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  })
  const [stdout, stderr] = await Promise.all([program.stdout.text(), program.stderr.text()])
  expect({ exitCode: await program.exited, stderr }).toEqual({
    exitCode: 0,
    stderr: "BUNHOUSE_QUIET" in variables ? "" : expect.any(String),
  })
  return { stdout, stderr }
}
