import { basename, extname } from "node:path"
import { BunhouseError } from "../protocol/errors.ts"
import { type FunctionInfo, moduleVersion } from "../protocol/function-spec.ts"
import { checkName } from "../protocol/names.ts"
import { moduleCode } from "./code/module-code.ts"
import { Daemon } from "./daemon.ts"
import { deploy, lookUp } from "./deploy.ts"
import type { Env } from "./env.ts"
import type { Target } from "./fn.ts"
import { checkKnown } from "./known-options.ts"
import { warn } from "./notices.ts"
import { makeRemoteModule, type RemoteModule } from "./remote-module.ts"

export interface ModuleOptions {
  /** Name under which the env knows the module. Default: the name of its file, without folder and extension. */
  readonly name?: string
}

/** A module that is about to be sent. */
export interface SendableModule<M extends object> {
  /**
   * Sends the module with what it imports, unless the env has this very version of it. It is loaded there, and not here:
   * once on the env's loop, where its async functions run, and once in each thread that runs its sync functions.
   *
   * @throws {BunhouseError} FUNCTION_NOT_SENDABLE when it needs something that cannot travel; DEPLOY_FAILED when the env
   *   cannot load it; ENV_FAILED, NO_DAEMON and the like.
   */
  to(target: Target): Promise<RemoteModule<M>>
}

/**
 * Takes a module to be sent, by its address:
 *
 *     const jobs = await module<typeof import("./jobs.ts")>(import.meta.resolve("./jobs.ts")).to(here)
 *
 * Each function in it is in the env as `<module>.<export>`: `here.get("env/jobs.resize")` finds it.
 *
 * @throws {BunhouseError} INVALID_ARGUMENT for what is no address of a file, or a bad name.
 */
export function module<M extends object>(
  url: string | URL,
  options: ModuleOptions = {},
): SendableModule<M> {
  checkKnown("module()", options, { name: true })
  const path = pathOf(url)
  const name = options.name ?? basename(path, extname(path))
  checkName("module", name)
  return {
    async to(target) {
      const env = target instanceof Daemon ? target.env() : target
      const info = await sendModule(path, name, env)
      return makeRemoteModule<M>(await env.describe(), info)
    },
  }
}

/** Sends a module, unless the env has it, and makes no handle of it. */
export async function sendModule(path: string, name: string, env: Env): Promise<FunctionInfo> {
  const link = await env.describe()
  const { code, notices } = await moduleCode(path, { external: await env.packages() })
  const spec = { env: env.name, name, code }
  const known = await lookUp(link, spec)
  if (known?.kind === "module" && known.version === moduleVersion(spec)) return known
  for (const line of notices) warn(line)
  return deploy(link, "module", spec, { code })
}

function pathOf(url: string | URL): string {
  const text = String(url)
  if (text.startsWith("/")) return text
  if (text.startsWith("file:")) return Bun.fileURLToPath(text)
  const message = `expected a file URL or an absolute path of a module (import.meta.resolve("./jobs.ts")), got ${JSON.stringify(text)}`
  throw new BunhouseError("INVALID_ARGUMENT", message)
}
