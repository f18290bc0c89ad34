import { BunhouseError } from "../protocol/errors.ts"
import { exportInfo, type FunctionInfo } from "../protocol/function-spec.ts"
import type { AnyFunction } from "./code/kind.ts"
import type { AnyClass } from "./code/members.ts"
import type { Link } from "./link.ts"
import { makeRemote, type Remote } from "./remote.ts"
import { RemoteCall } from "./remote-call.ts"
import { makeRemoteClass, type RemoteClass } from "./remote-class.ts"

/**
 * A module that lives somewhere else: its functions and classes are called there, its other exports are copies of the
 * values that they had when the module was sent or looked up. Reading an export that cannot be sent throws
 * VALUE_NOT_SENDABLE, or FUNCTION_NOT_SENDABLE for a class that cannot be one. The module is not loaded here, so that the
 * `local` of each is undefined.
 */
export type RemoteModule<M extends object> = {
  readonly [K in keyof M]: M[K] extends AnyClass
    ? RemoteClass<M[K]>
    : M[K] extends AnyFunction
      ? Remote<M[K]>
      : M[K]
}

/** Makes the handle for a module that the daemon has. */
export async function makeRemoteModule<M extends object>(
  link: Link,
  info: FunctionInfo,
): Promise<RemoteModule<M>> {
  if (info.kind !== "module") {
    const message = `${info.env}/${info.name} is no module, but of the kind ${info.kind}`
    throw new BunhouseError("INVALID_ARGUMENT", message, { env: info.env })
  }
  const call = new RemoteCall({ link, info, local: undefined, options: {} })
  const handle = {}
  await Promise.all(
    (info.exports ?? []).map(async (exported) => {
      const { name } = exported
      const about = exportInfo(info, exported)
      // An object with such a method is a promise to `await`.
      if (name === "then") return
      if (about !== undefined) define(handle, name, remoteOf(link, about))
      else if (exported.kind === "refused") {
        defineRefusal(handle, name, refused(info, name, exported.reason))
      } else {
        await call.awaitable([name, "value"]).then(
          (value) => define(handle, name, value),
          (error: unknown) => defineRefusal(handle, name, valueError(info, name, error)),
        )
      }
    }),
  )
  // The one place where the types of the outside meet the untyped inside.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return handle as RemoteModule<M>
}

function remoteOf(link: Link, info: FunctionInfo): unknown {
  const parts = { link, info, local: undefined, options: {} }
  return info.kind === "class" ? makeRemoteClass(parts) : makeRemote(parts)
}

function define(handle: object, name: string, value: unknown): void {
  Object.defineProperty(handle, name, { value, enumerable: true })
}

/** One export that cannot be sent is no reason to do without the others: only reading it throws. */
function defineRefusal(handle: object, name: string, error: unknown): void {
  Object.defineProperty(handle, name, {
    get: () => {
      throw error
    },
    enumerable: true,
  })
}

function refused({ env, name }: FunctionInfo, exported: string, reason: string): BunhouseError {
  const message = `${env}/${name}: the export ${exported} cannot be used: ${reason}`
  return new BunhouseError("FUNCTION_NOT_SENDABLE", message, { env })
}

/** Only what cannot be sent is an affair of the export; everything else is one of the platform. */
function valueError({ env, name }: FunctionInfo, exported: string, error: unknown): unknown {
  if (!(error instanceof BunhouseError)) return error
  const { code, path, message, cause } = error
  if (code !== "VALUE_NOT_SENDABLE" && code !== "PAYLOAD_TOO_LARGE") throw error
  const text = `${env}/${name}: the export ${exported} cannot be read from afar: ${message}`
  return new BunhouseError(code, text, { env, cause, ...(path !== undefined && { path }) })
}
