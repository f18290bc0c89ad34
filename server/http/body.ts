import { BunhouseError } from "../../protocol/errors.ts"
import { parseJson } from "../../protocol/fields.ts"
import { BODY_BYTES_MAX } from "../../protocol/limits.ts"

/**
 * Reads a request's body of at most `bytesMax`, within `msMax`: Bun closes connections whose headers drip in, but not
 * bodies, and its own bound on the size is that of the largest body of all.
 */
export async function readBody(
  request: Request,
  msMax = BODY_MS_MAX,
  bytesMax = BODY_BYTES_MAX,
): Promise<Uint8Array> {
  const told = request.headers.get("content-length")
  if (Number(told) > bytesMax) throw tooLarge(bytesMax)
  let timer: Timer | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new BunhouseError("INVALID_ARGUMENT", "the request body came too slowly")),
      msMax,
    )
  })
  try {
    const body = told === null ? readUpTo(request, bytesMax) : request.bytes()
    return await Promise.race([body, late])
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

/** A body in chunks does not say how long it is. */
async function readUpTo(request: Request, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request.body ?? []) {
    length += chunk.length
    if (length > bytesMax) throw tooLarge(bytesMax)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export function tooLarge(bytesMax: number): BunhouseError {
  const message = `the request body is larger than ${bytesMax} bytes`
  return new BunhouseError("PAYLOAD_TOO_LARGE", message)
}

const BODY_MS_MAX = 30_000
