import type { Elysia } from "elysia"
import { BunhouseError } from "../../protocol/errors.ts"
import type { FunctionInfo } from "../../protocol/function-spec.ts"
import { checkName } from "../../protocol/names.ts"
import type { InstanceRoute } from "../calls/instance-route.ts"
import type { Env } from "../envs/env.ts"
import type { Registry } from "../envs/registry.ts"
import { toldInfo } from "../envs/told-info.ts"
import { jsonResponse } from "./answer.ts"
import { namesIn, type PathNames } from "./path-names.ts"
import { loadTimeoutOf } from "./timeout.ts"

/** Routes about instances of classes. That one is constructed, called or asked is a call like any other. */
export function instanceRoutes(app: Elysia, registry: Registry): void {
  const instancesPath = "/v1/envs/:env/functions/:function/instances"
  const instancePath = "/v1/envs/:env/functions/:function/instances/:instance"
  app
    .post(instancesPath, async ({ request, server }) => {
      const { env, type } = classIn(registry, namesIn(request))
      const timeoutMs = loadTimeoutOf(request)
      server?.timeout(request, 0)
      return answer(await registry.instances.make(env, type, timeoutMs))
    })
    .put(instancePath, async ({ request, server }) => {
      const names = namesIn(request)
      checkName("instance", names.instance)
      const { env, type } = classIn(registry, names)
      const timeoutMs = loadTimeoutOf(request)
      server?.timeout(request, 0)
      return answer(await registry.instances.ensure(env, type, names.instance, timeoutMs))
    })
    .get(instancePath, ({ request }) => {
      const names = namesIn(request)
      const { env, type } = classIn(registry, names)
      const found = registry.instances.named(env, type.name, names.instance)
      if (found !== undefined) return answer(found)
      const message = `${env.name}/${type.name} has no instance ${JSON.stringify(names.instance)}: make it with getOrCreate`
      throw new BunhouseError("NOT_FOUND", message, { env: env.name, function: type.name })
    })
    .delete(instancePath, async ({ request, server }) => {
      const names = namesIn(request)
      const env = registry.env(names.env)
      const found = env.instances.get(`${names.function}/${names.instance}`)
      server?.timeout(request, 0)
      if (found !== undefined) await registry.instances.release(env, found)
      return jsonResponse({ released: found !== undefined })
    })
}

function answer({ id, type, env }: InstanceRoute): Response {
  return jsonResponse({ id, info: toldInfo(type, env.spec) })
}

function classIn(
  registry: Registry,
  names: PathNames,
): { readonly env: Env; readonly type: FunctionInfo } {
  const env = registry.env(names.env)
  const { info } = registry.route(names.env, names.function)
  if (info.kind === "class") return { env, type: info }
  const message = `${env.name}/${info.name} is no class, and has no instances`
  throw new BunhouseError("INVALID_ARGUMENT", message, { env: env.name, function: info.name })
}
