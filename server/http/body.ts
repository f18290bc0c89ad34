import { BunhouseError } from "../../protocol/errors.ts"
import { parseJson } from "../../protocol/fields.ts"

/**
 * Reads a request's body within `msMax`: Bun closes connections whose headers drip in, but not bodies.
 * The size is bounded by the server's `maxRequestBodySize`.
 */
export async function readBody(request: Request, msMax = BODY_MS_MAX): Promise<Uint8Array> {
  let timer: Timer | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new BunhouseError("INVALID_ARGUMENT", "the request body came too slowly")),
      msMax,
    )
  })
  try {
    return await Promise.race([request.bytes(), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Reads a body as JSON; an empty one is an empty object. */
export async function readJsonBody(request: Request): Promise<unknown> {
  const bytes = await readBody(request)
  if (bytes.length === 0) return {}
  return parseJson("the request body", Buffer.from(bytes).toString())
}

const BODY_MS_MAX = 30_000
