import { mkdir, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { BunhouseError } from "../protocol/errors.ts"
import {
  checkCodeSize,
  type FunctionInfo,
  type ModuleSpec,
  readFunctionInfo,
} from "../protocol/function-spec.ts"
import { homePaths, homeRoot } from "../protocol/home.ts"
import { paths } from "../protocol/http.ts"
import { ENV_CHANGE_TIMEOUT_MS } from "../protocol/limits.ts"
import { nameToken } from "../protocol/names.ts"
import type { Link } from "./link.ts"
import { notice } from "./notices.ts"
import { withProgress } from "./progress.ts"

/** What the daemon has under the name of a function, class or module; undefined where that is nothing. */
export async function lookUp(
  link: Pick<Link, "control">,
  { env, name }: Pick<ModuleSpec, "env" | "name">,
): Promise<FunctionInfo | undefined> {
  try {
    return readFunctionInfo(await link.control.request("GET", paths.function(env, name)))
  } catch (error) {
    if (error instanceof BunhouseError && error.code === "NOT_FOUND") return undefined
    throw error
  }
}

/** Writes the code to a file, sends it, and prints both. */
export async function deploy(
  link: Link,
  what: "function" | "class" | "module",
  spec: ModuleSpec,
  /** What the daemon is told beside the names. */
  body: object,
): Promise<FunctionInfo> {
  checkCodeSize(spec)
  const { env, name } = spec
  const written = await writeOut(link, what, spec)
  notice(`wrote ${what} ${name} to ${written}`)
  const path = what === "module" ? paths.module(env, name) : paths.function(env, name)
  const sent = link.control.request("PUT", path, body, ENV_CHANGE_TIMEOUT_MS)
  const info = readDeployed(await withProgress(link, env, sent))
  notice(`sent ${env}/${name} to the daemon at ${link.address().url}`)
  return info
}

/** Keeps what is sent where a person can read it. */
async function writeOut(
  link: Link,
  what: string,
  { env, name, code }: ModuleSpec,
): Promise<string> {
  const { sent } = homePaths(homeRoot(link.environment))
  const suffix = what === "function" ? "fn" : what
  const path = join(sent, fileName(env), `${fileName(name)}_${suffix}.mjs`)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFile(path, code, { mode: 0o600 })
  return path
}

/** As readable as a file name can be, and another one for each name, also where the case of letters does not count. */
function fileName(name: string): string {
  const token = nameToken(name)
  if (token.startsWith("p-")) return name
  return `${name.replaceAll(/[^\w-]+/g, "_").slice(0, 40)}-${token.slice(2, 10)}`
}

function readDeployed(answer: unknown): FunctionInfo {
  return readFunctionInfo(
    typeof answer === "object" && answer !== null && "info" in answer ? answer.info : undefined,
  )
}
