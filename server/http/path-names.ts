import { BunhouseError } from "../../protocol/errors.ts"

/** The names in the path of a request about an env: what is not there is empty. */
export interface PathNames {
  readonly env: string
  /** Function, class or module. */
  readonly function: string
  /** Name or id of an instance. */
  readonly instance: string
}

export function namesIn(request: Request): PathNames {
  const [, , , env = "", , fn = "", , instance = ""] = decoded(request)
  return { env, function: fn, instance }
}

/** The id in the path of a request about a job, the name in one about a schedule. */
export function idIn(request: Request): string {
  const [, , , id = ""] = decoded(request)
  return id
}

/** Decodes the parts of a path, here and only here, so that what was checked is what is used. */
function decoded(request: Request): string[] {
  try {
    return new URL(request.url).pathname.split("/").map(decodeURIComponent)
  } catch (cause) {
    throw new BunhouseError("INVALID_ARGUMENT", "a name in the path is not well encoded", { cause })
  }
}
