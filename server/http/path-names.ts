import { BunhouseError } from "../../protocol/errors.ts"

/** The names in the path of a request about an env: what is not there is empty. */
export interface PathNames {
  readonly env: string
  /** Function, class or module. */
  readonly function: string
  /** Name or id of an instance. */
  readonly instance: string
}

/** Decodes the names in a path, here and only here, so that what was checked is what is used. */
export function namesIn(request: Request): PathNames {
  const [, , , env = "", , fn = "", , instance = ""] = new URL(request.url).pathname.split("/")
  try {
    return {
      env: decodeURIComponent(env),
      function: decodeURIComponent(fn),
      instance: decodeURIComponent(instance),
    }
  } catch (cause) {
    throw new BunhouseError("INVALID_ARGUMENT", "a name in the path is not well encoded", { cause })
  }
}
