import { BunhouseError } from "../../protocol/errors.ts"
import type { FunctionInfo } from "../../protocol/function-spec.ts"
import type { EnvRoute, FunctionRoute } from "../calls/route.ts"
import type { EnvLife } from "./life.ts"

/** A process that is ready to take over, with what is loaded in it. */
export interface Successor {
  readonly process: EnvLife
  readonly loaded: ReadonlyMap<FunctionRoute, LoadedVersion>
}

interface LoadedVersion {
  readonly info: FunctionInfo
  readonly index: number
}

/**
 * Starts a process that can take over: waits until it is ready, and loads every function that the present process has,
 * so that no call waits for it afterwards. Rejects with ENV_FAILED or what loading said; the process is gone then.
 */
export async function prepareSuccessor(
  { name: env, functions }: Pick<EnvRoute, "name" | "functions">,
  start: () => EnvLife,
  load: (process: EnvLife, info: FunctionInfo) => Promise<number>,
): Promise<Successor> {
  let process: EnvLife | undefined
  try {
    const started = (process = start())
    await started.ready
    const inUse = [...functions.values()].filter(({ index }) => index !== undefined)
    const loaded = await Promise.all(
      inUse.map(async (route) => {
        const { info } = route
        return [route, { info, index: await load(started, info) }] as const
      }),
    )
    return { process: started, loaded: new Map(loaded) }
  } catch (cause) {
    process?.kill()
    await process?.exited
    const { code, message } =
      cause instanceof BunhouseError
        ? cause
        : {
            code: "ENV_FAILED" as const,
            message: cause instanceof Error ? cause.message : String(cause),
          }
    const what = `env ${JSON.stringify(env)} cannot be changed, and stays as it was`
    const hint = `see \`bunhouse logs ${env}\``
    throw new BunhouseError(code, `${what}: ${message}; ${hint}`, { env, cause })
  }
}
