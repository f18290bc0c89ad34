import { copyFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { BunhouseError } from "../../protocol/errors.ts"
import { INSTALL_TIMEOUT_MS } from "../../protocol/limits.ts"
import { runStep } from "./run-step.ts"

/**
 * Installs packages into `folder` with `bun install`, from the registry that the user's own settings name. Lifecycle
 * scripts run by Bun's rule: those of packages that Bun trusts, and no others. Rejects with ENV_FAILED and what Bun said.
 */
export async function installPackages(options: {
  readonly env: string
  readonly folder: string
  readonly packages: Readonly<Record<string, string>>
  /** The lockfile of an earlier installation of the same packages: what was latest then stays. */
  readonly lockfile: string | undefined
  readonly variables: Readonly<Record<string, string>>
  readonly logFile: string
  readonly signal: AbortSignal
}): Promise<void> {
  const { env, folder, packages, lockfile, variables, logFile, signal } = options
  const manifest = { name: "bunhouse-env", private: true, dependencies: packages }
  await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`)
  if (lockfile !== undefined) await copyFile(lockfile, join(folder, LOCKFILE)).catch(() => {})
  const { failure, tail } = await runStep({
    command: [process.execPath, "install", "--no-progress", "--no-summary"],
    cwd: folder,
    variables,
    logFile,
    timeoutMs: INSTALL_TIMEOUT_MS,
    signal,
    hide: (line) => line,
  })
  if (failure === undefined) return
  const message = `the packages of env ${JSON.stringify(env)} cannot be installed (${failure}): ${reasonIn(tail)}`
  throw new BunhouseError("ENV_FAILED", message, { env })
}

export const LOCKFILE = "bun.lock"

/** What Bun calls an error; otherwise all that it said. */
function reasonIn(output: string): string {
  const errors = output.split("\n").filter((line) => line.startsWith("error:"))
  return (errors.length > 0 ? errors : [output]).join("\n")
}
