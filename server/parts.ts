import { join } from "node:path"
import { openPayloads } from "../broker/chunks.ts"
import { openObjects } from "../broker/object-store.ts"
import type { Store } from "../broker/store.ts"
import type { DaemonHello } from "../protocol/hello.ts"
import { payloadBytesMaxOf } from "../protocol/env-spec.ts"
import { envLog, type HomePaths } from "../protocol/home.ts"
import { IDEMPOTENCY_STORED_BYTES_MAX, IDEMPOTENCY_TTL_MS } from "../protocol/limits.ts"
import { nameToken } from "../protocol/names.ts"
import { envSubjects } from "../protocol/subjects.ts"
import { PACKAGE_VERSION, PROTOCOL_VERSION } from "../protocol/version.ts"
import type { Broker } from "./broker.ts"
import type { CallDesk } from "./calls/call-desk.ts"
import { Dispatcher } from "./calls/dispatcher.ts"
import { Builds } from "./envs/builds.ts"
import type { Env } from "./envs/env.ts"
import { Loader } from "./envs/loader.ts"
import { NestedCalls, type NestedCallsOptions } from "./envs/nested-calls.ts"
import type { EnvLife } from "./envs/life.ts"
import { EnvProcess } from "./envs/process.ts"
import { Registry } from "./envs/registry.ts"
import type { EnvParts } from "./envs/parts.ts"
import { EnvVariables } from "./envs/variables.ts"
import { SocketCaller } from "./http/socket.ts"
import { KeyedCalls } from "./idempotency/keyed-calls.ts"
import type { Log } from "./log.ts"
import { Objects } from "./objects/objects.ts"
import { Room } from "./payloads/room.ts"
import { StoredPayloads } from "./payloads/stored-payloads.ts"
import type { ServerSettings } from "./settings.ts"

/** The daemon's parts, tied together: who tells whom what. */
export interface Parts {
  readonly dispatcher: Dispatcher
  /** Where calls come in. */
  readonly desk: CallDesk
  readonly registry: Registry
  readonly objects: Objects
  /** Payload of the hello frame, with which every connection begins. */
  readonly hello: Uint8Array
}

interface PartsOptions {
  readonly bootId: string
  readonly space: string
  readonly home: HomePaths
  readonly settings: ServerSettings
  readonly broker: Broker
  readonly store: Store
  readonly log: Log
}

type OpenCaller = NestedCallsOptions["open"]

export function tieParts(options: PartsOptions): Parts {
  const { bootId, space, home, broker, store, log } = options
  const variables = new EnvVariables(options.settings.environment, home.root)
  const dispatcher = new Dispatcher(bootId)
  const loader = new Loader({ codeOf: (version) => store.code.get(version), dispatcher })
  const builds = new Builds({
    folderOf: (env) => join(home.envs, nameToken(env)),
    logFileOf: (env) => envLog(home, env),
    salt: space,
    variables,
    filesOf: (version) => store.files.get(version),
    log,
  })
  const desk = new KeyedCalls({ dispatcher, bootId, payloads: openOutcomes(options) })
  const about: DaemonHello = { protocol: PROTOCOL_VERSION, version: PACKAGE_VERSION, bootId }
  const hello = Buffer.from(JSON.stringify(about))
  const find = (env: string, fn: string) => registry.route(env, fn)
  const openCaller: OpenCaller = (peer, messageBytesMax) => {
    return new SocketCaller({ peer, messageBytesMax, desk, find, hello })
  }
  const replace = (env: Env, worn: EnvLife) => registry.replaceWorn(env, worn)
  const parts = partsOfEnvs(options, {
    dispatcher,
    loader,
    builds,
    variables,
    openCaller,
    replace,
  })
  const registry: Registry = new Registry({ store, dispatcher, loader, parts })
  const objects = new Objects({
    open: (problem) => openObjects(broker.connection, { space, problem }),
    bytesMax: options.settings.objectsBytesMax,
    now: Date.now,
    log,
  })
  return { dispatcher, desk, registry, objects, hello }
}

/** Results of calls with idempotency keys. Who knew of them is gone with its daemon, and then so are they. */
function openOutcomes({ broker, space, log }: PartsOptions): StoredPayloads {
  return new StoredPayloads({
    open: () =>
      openPayloads(broker.connection, { space, what: "calls", ttlMs: 2 * IDEMPOTENCY_TTL_MS }),
    room: new Room("results of calls with an idempotency key", 2 * IDEMPOTENCY_STORED_BYTES_MAX),
    mayRemove: () => true,
    log,
  })
}

function partsOfEnvs(
  { bootId, space, home, settings, broker, log }: PartsOptions,
  tied: {
    readonly dispatcher: Dispatcher
    readonly loader: Loader
    readonly builds: Builds
    readonly variables: EnvVariables
    readonly openCaller: OpenCaller
    readonly replace: (env: Env, worn: EnvLife) => Promise<void>
  },
): EnvParts {
  const { dispatcher, loader, builds, variables, openCaller } = tied
  return {
    log,
    prepare: (preparation) => builds.prepare(preparation),
    tidy: (env, inUse) => builds.tidy(env, inUse),
    loadVersion: (env, process, info) => loader.load(env, process, info),
    load: (env, process, route) => loader.loadWaiting(env, process, route),
    loaded: (route, index) => dispatcher.loaded(route, index),
    lost: (process, reason) => dispatcher.linkLost(process, "WORKER_LOST", reason),
    unloaded: (env, reason) => dispatcher.unloaded(env, reason),
    instancesLost: (env, reason) => {
      for (const instance of env.instances.values()) dispatcher.lost(instance, reason)
    },
    replace: (env, worn) =>
      tied.replace(env, worn).catch((error: unknown) => {
        // It serves as it is, and is tried again after as many threads.
        log("env process not replaced", { env: env.name, reason: String(error) })
      }),
    refused: (env, error) => dispatcher.envRefused(env, error),
    resume: (env) => dispatcher.resume(env),
    start: (env, spec, build) => {
      const incarnation = crypto.randomUUID().slice(0, 8)
      const { connection } = broker
      const life = new EnvProcess({
        ...build,
        env: env.name,
        incarnation,
        bootId,
        space,
        threadsMax: spec.threads.max,
        loopBlockMs: spec.loopBlockMs,
        payloadBytesMax: payloadBytesMaxOf(spec),
        memoryMiB: spec.memoryMiB,
        bunArgs: spec.bunArgs,
        connection,
        broker: broker.envAccess,
        token: settings.token,
        logFile: envLog(home, env.name),
        variables: variables.ofProcess(spec.vars),
        onReplies: (link, frame) => dispatcher.replies(link, frame),
        onCutOff: (process) => {
          nested.reset()
          const reason = "the env process lost its connection to the broker"
          dispatcher.linkLost(process, "BROKER_LOST", reason)
        },
        reportOf: (link, about) => dispatcher.reportOf(link, about),
        onReport: (process, report, isOver) => env.health.reported(process, report, isOver),
        onReachable: (process) => env.cameBack(process),
        onUnsent: (batch, error) => dispatcher.unsent(batch, error),
      })
      const subjects = envSubjects(space, env.name, incarnation)
      const nested = new NestedCalls({ connection, subjects, open: openCaller })
      void life.exited.then(() => nested.close())
      return life
    },
  }
}
