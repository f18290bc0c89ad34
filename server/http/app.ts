import type { Server, ServerWebSocket } from "bun"
import { Elysia } from "elysia"
import { readEnvSpec, shownEnvSpec } from "../../protocol/env-spec.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { readFunctionSpec, readModuleSpec } from "../../protocol/function-spec.ts"
import { paths } from "../../protocol/http.ts"
import {
  BODY_BYTES_MAX,
  ENV_PAYLOAD_BYTES_MAX,
  FILES_BODY_BYTES_MAX,
  FILES_BODY_MS_MAX,
  UNREAD_BYTES_MAX,
} from "../../protocol/limits.ts"
import { checkName } from "../../protocol/names.ts"
import type { DaemonStatus } from "../../protocol/status.ts"
import type { CallDesk } from "../calls/call-desk.ts"
import type { DeployResult } from "../envs/deployer.ts"
import type { Registry } from "../envs/registry.ts"
import { toldInfo } from "../envs/told-info.ts"
import type { Objects } from "../objects/objects.ts"
import { errorResponse, jsonResponse, thrownResponse } from "./answer.ts"
import { checkFiles } from "./files.ts"
import { readBody, readJsonBody } from "./body.ts"
import { readCallBody } from "./call-body.ts"
import { callByFrames, callByName, nextChunk, releaseStream } from "./calls.ts"
import type { Gate } from "./gate.ts"
import { instanceRoutes } from "./instances.ts"
import { type JobParts, jobRoutes } from "./jobs.ts"
import { objectRoutes } from "./objects.ts"
import { namesIn } from "./path-names.ts"
import { envStatus } from "../envs/env-status.ts"
import { SocketCaller, type SocketPeer } from "./socket.ts"
import { StreamSessions } from "./stream-sessions.ts"
import { loadTimeoutOf } from "./timeout.ts"

/**
 * The daemon's HTTP face: routes and nothing else. Every request has passed the gate before a route sees it; every
 * handler answers with a Response and every error becomes one typed JSON body.
 */
export interface HttpParts extends JobParts {
  readonly gate: Gate
  readonly registry: Registry
  readonly desk: CallDesk
  readonly objects: Objects
  /** Payload of the hello frame. */
  readonly hello: Uint8Array
  status(): DaemonStatus
  /** Begins to stop the daemon; returns at once. */
  shutdown(): void
}

export interface HttpServer {
  readonly port: number
  /** Closes the port and all connections. */
  stop(): Promise<void>
}

/** Binds the port. Throws what `Bun.serve` throws when the port is taken. */
export function serveHttp(parts: HttpParts, hostname: string, port: number): HttpServer {
  const app = new Elysia({
    serve: {
      reusePort: false,
      development: false,
      // Of the largest call; readBody holds all others to less.
      maxRequestBodySize: ENV_PAYLOAD_BYTES_MAX + BODY_BYTES_MAX,
      idleTimeout: 30,
    },
    websocket: {
      maxPayloadLength: BODY_BYTES_MAX,
      backpressureLimit: UNREAD_BYTES_MAX,
      closeOnBackpressureLimit: true,
      perMessageDeflate: false,
      idleTimeout: 120,
      sendPings: true,
    },
  })
  app
    .onRequest(({ request }) => {
      const refusal = parts.gate.refusal(request)
      return refusal === undefined ? undefined : errorResponse(refusal)
    })
    .onError(({ error, code, request }) => {
      const path = new URL(request.url).pathname
      // Our own errors have a code, too, which Elysia takes for one of its own.
      const isOurs = error instanceof BunhouseError
      if (isOurs || code !== "NOT_FOUND") return thrownResponse(error, `${request.method} ${path}`)
      return errorResponse(new BunhouseError("NOT_FOUND", `there is no ${request.method} ${path}`))
    })
  controlRoutes(app, parts)
  envRoutes(app, parts)
  instanceRoutes(app, parts.registry)
  objectRoutes(app, parts.objects)
  callRoutes(app, parts)
  jobRoutes(app, parts)
  socketRoute(app, parts)
  app.listen({ hostname, port })
  return {
    port: app.server?.port ?? port,
    stop: async () => {
      // What callers were told last is still on its way out, at the end of this turn.
      await new Promise(setImmediate)
      await app.stop(true)
    },
  }
}

function controlRoutes(app: Elysia, parts: HttpParts): void {
  const { registry } = parts
  const functionPath = "/v1/envs/:env/functions/:function"
  app
    .get(paths.health, () => jsonResponse({ alive: true }))
    .get(paths.ready, () => {
      const refusal = parts.refusal()
      return refusal === undefined ? jsonResponse({ ready: true }) : errorResponse(refusal)
    })
    .get(paths.status, () => jsonResponse(parts.status()))
    .get(paths.envs, () => jsonResponse({ envs: parts.status().envs }))
    .get(paths.functions, () => {
      return jsonResponse({ functions: parts.status().envs.flatMap((env) => env.functions) })
    })
    .post(paths.shutdown, () => {
      parts.shutdown()
      return jsonResponse({ stopping: true }, 202)
    })
    .put(functionPath, async ({ request, server }) => {
      const { names, timeoutMs, input } = await deployIn(request, server)
      const spec = readFunctionSpec(names.env, names.function, input)
      return deployed(registry, await registry.deploy(spec, timeoutMs))
    })
    .put("/v1/envs/:env/modules/:module", async ({ request, server }) => {
      const { names, timeoutMs, input } = await deployIn(request, server)
      const spec = readModuleSpec(names.env, names.function, input)
      return deployed(registry, await registry.deployModule(spec, timeoutMs))
    })
    .get(functionPath, ({ request }) => {
      const names = namesIn(request)
      const { info, env } = registry.route(names.env, names.function)
      return jsonResponse(toldInfo(info, env.spec))
    })
    .delete(functionPath, async ({ request }) => {
      const names = namesIn(request)
      await registry.removeFunction(names.env, names.function)
      return jsonResponse({ removed: true })
    })
}

function deployed(registry: Registry, { info, changed }: DeployResult): Response {
  return jsonResponse({ info: toldInfo(info, registry.env(info.env).spec), changed })
}

function envRoutes(app: Elysia, { registry }: HttpParts): void {
  const envPath = "/v1/envs/:env"
  const filesPath = "/v1/files/:version"
  app
    .get(envPath, ({ request }) => {
      return jsonResponse(envStatus(registry.env(namesIn(request).env)))
    })
    .get(`${envPath}/spec`, ({ request }) => {
      return jsonResponse(shownEnvSpec(registry.env(namesIn(request).env).spec))
    })
    .put(envPath, async ({ request, server }) => {
      const { env } = namesIn(request)
      checkName("env", env)
      const spec = readEnvSpec(env, await readJsonBody(request))
      patient(server, request)
      return jsonResponse(await registry.putEnv(env, spec))
    })
    .put(filesPath, async ({ request, server }) => {
      patient(server, request)
      const pack = await readBody(request, FILES_BODY_MS_MAX, FILES_BODY_BYTES_MAX)
      await registry.putFiles(checkFiles(namesIn(request).env, pack), pack)
      return jsonResponse({ stored: true })
    })
    .delete(envPath, async ({ request }) => {
      await registry.removeEnv(namesIn(request).env)
      return jsonResponse({ removed: true })
    })
    .post(`${envPath}/restart`, async ({ request, server }) => {
      patient(server, request)
      await registry.env(namesIn(request).env).restart()
      return jsonResponse({ restarted: true })
    })
    .post(`${envPath}/ready`, async ({ request, server }) => {
      const { env } = namesIn(request)
      checkName("env", env)
      patient(server, request)
      await (await registry.ensureEnv(env)).ready()
      return jsonResponse({ ready: true })
    })
}

/** What is sent to be deployed; loading it may take long. */
async function deployIn(request: Request, server: Server<unknown> | null) {
  const [names, timeoutMs] = [namesIn(request), loadTimeoutOf(request)]
  const input = await readJsonBody(request)
  patient(server, request)
  return { names, timeoutMs, input }
}

function callRoutes(app: Elysia, parts: HttpParts): void {
  const calls = {
    desk: parts.desk,
    hello: parts.hello,
    find: (env: string, fn: string) => parts.registry.route(env, fn),
    sessions: new StreamSessions(),
  }
  app
    .post(paths.frames, async ({ request, server }) => {
      const body = await readCallBody(request)
      patient(server, request)
      return callByFrames(calls, request, body)
    })
    .post("/v1/streams/:stream/next", ({ request, server, params }) => {
      patient(server, request)
      return nextChunk(calls, request, params.stream)
    })
    .post("/v1/streams/:stream/release", ({ params }) => releaseStream(calls, params.stream))
    .post("/v1/envs/:env/functions/:function/call", async ({ request, server }) => {
      const body = await readCallBody(request)
      patient(server, request)
      return callByName(calls, request, body, namesIn(request))
    })
}

function socketRoute(app: Elysia, parts: HttpParts): void {
  const callers = new WeakMap<object, SocketCaller>()
  app.ws(paths.connect, {
    open({ raw }) {
      const peer: SocketPeer = {
        send: (batch) => void raw.send(batch),
        close: (code, reason) => raw.close(code, reason),
        get unreadBytes() {
          // Elysia's type leaves it out.
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion
          return (raw as unknown as ServerWebSocket).getBufferedAmount()
        },
      }
      const { desk, registry, hello } = parts
      const find = (env: string, fn: string) => registry.route(env, fn)
      callers.set(raw, new SocketCaller({ peer, desk, find, hello }))
    },
    message({ raw }, message) {
      // Text is no frame; as bytes it is refused like any other that is none.
      const bytes = message instanceof Uint8Array ? message : Buffer.from(String(message))
      callers.get(raw)?.receive(bytes)
    },
    close({ raw }) {
      callers.get(raw)?.closed()
    },
  })
}

/** From here on the answer may take as long as the call's own deadline allows. */
function patient(server: Server<unknown> | null, request: Request): void {
  server?.timeout(request, 0)
}
