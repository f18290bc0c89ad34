import { join } from "node:path"
import type { Store } from "../broker/store.ts"
import { envLog, type HomePaths } from "../protocol/home.ts"
import { nameToken } from "../protocol/names.ts"
import type { Broker } from "./broker.ts"
import type { CallDesk } from "./calls/call-desk.ts"
import { Dispatcher } from "./calls/dispatcher.ts"
import { KeyedCalls } from "./calls/idempotency.ts"
import { Loader } from "./envs/loader.ts"
import { EnvProcess } from "./envs/process.ts"
import { Registry } from "./envs/registry.ts"
import { envVariables } from "./envs/variables.ts"
import type { Log } from "./log.ts"
import type { ServerSettings } from "./settings.ts"

/** The daemon's parts, tied together: who tells whom what. */
export interface Parts {
  readonly dispatcher: Dispatcher
  /** Where calls come in. */
  readonly desk: CallDesk
  readonly registry: Registry
}

export function tieParts(options: {
  readonly bootId: string
  readonly space: string
  readonly home: HomePaths
  readonly settings: ServerSettings
  readonly broker: Broker
  readonly store: Store
  readonly log: Log
}): Parts {
  const { bootId, space, home, broker, store, log } = options
  const variables = envVariables(options.settings.environment, home.root)
  const dispatcher = new Dispatcher(bootId)
  const folderOf = (env: string) => join(home.envs, nameToken(env))
  const loader = new Loader({
    codeOf: (version) => store.code.get(version),
    folderOf,
    dispatcher,
  })
  const registry = new Registry({
    store,
    dispatcher,
    loader,
    parts: {
      log,
      load: (env, process, route) => loader.loadWaiting(env, process, route),
      lost: (env, reason) => dispatcher.envLost(env, reason),
      refused: (env, error) => dispatcher.envRefused(env, error),
      resume: (env) => dispatcher.resume(env),
      start: (env) =>
        new EnvProcess({
          env: env.name,
          incarnation: crypto.randomUUID().slice(0, 8),
          bootId,
          space,
          threadsMax: env.spec.threads.max,
          connection: broker.connection,
          broker: broker.envAccess,
          folder: folderOf(env.name),
          logFile: envLog(home, env.name),
          variables,
          onReplies: (link, frame) => dispatcher.replies(link, frame),
          onCutOff: () => dispatcher.envCutOff(env),
          onReachable: () => env.cameBack(),
          onUnsent: (batch, error) => dispatcher.unsent(batch, error),
        }),
    },
  })
  return { dispatcher, desk: new KeyedCalls(dispatcher, bootId), registry }
}
