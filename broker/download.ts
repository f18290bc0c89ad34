import { BunhouseError } from "../protocol/errors.ts"
import { FETCH_CONNECT_MS_MAX, FETCH_STALL_MS_MAX } from "../protocol/limits.ts"
import { isLoopback } from "./loopback.ts"
import { reasonOf } from "./reason.ts"

export interface DownloadOptions {
  /** More is refused, whether announced or not. */
  readonly bytesMax: number
  /** Lines for a person who waits. */
  readonly progress: (line: string) => void
}

/**
 * Fetches a file into memory. Gives up when nobody answers within FETCH_CONNECT_MS_MAX, and when nothing arrives for
 * FETCH_STALL_MS_MAX; a slow but steady source is waited for. Throws UNAVAILABLE with the address and the reason.
 */
export async function download(url: string, options: DownloadOptions): Promise<Uint8Array> {
  checkAddress(url)
  const patience = new Patience()
  try {
    patience.allow(FETCH_CONNECT_MS_MAX, "no answer")
    const response = await fetch(url, { signal: patience.signal })
    // A redirect must not lead to where the address itself must not point.
    checkAddress(response.url)
    if (!response.ok) throw new Error(`HTTP status ${response.status}`)
    return await readBody(response, options, patience)
  } catch (error) {
    const cause = patience.signal.aborted ? patience.signal.reason : error
    throw new BunhouseError("UNAVAILABLE", `${url} cannot be fetched: ${reasonOf(cause)}`, {
      cause,
    })
  } finally {
    patience.end()
  }
}

async function readBody(
  response: Response,
  { bytesMax, progress }: DownloadOptions,
  patience: Patience,
): Promise<Uint8Array> {
  const announced = Number(response.headers.get("content-length") ?? Number.NaN)
  if (announced > bytesMax) throw new Error(`${announced} bytes are over the limit of ${bytesMax}`)
  const chunks: Uint8Array[] = []
  let bytes = 0
  let shown = 0
  patience.allow(FETCH_STALL_MS_MAX, "nothing more arrived")
  for await (const chunk of response.body ?? []) {
    patience.allow(FETCH_STALL_MS_MAX, "nothing more arrived")
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > bytesMax) throw new Error(`more than the limit of ${bytesMax} bytes arrived`)
    const percent = Math.floor((100 * bytes) / announced)
    if (percent < shown + PERCENT_STEP) continue
    shown = percent
    progress(`${percent} % of ${(announced / 1e6).toFixed(1)} MB`)
  }
  if (bytes < announced) throw new Error(`only ${bytes} of ${announced} bytes arrived`)
  return Buffer.concat(chunks)
}

const PERCENT_STEP = 20

/** One timer that is set anew for each step. */
class Patience {
  readonly #controller = new AbortController()
  #timer: Timer | undefined

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  allow(ms: number, otherwise: string): void {
    clearTimeout(this.#timer)
    const reason = new Error(`${otherwise} within ${ms} ms`)
    this.#timer = setTimeout(() => this.#controller.abort(reason), ms)
  }

  end(): void {
    clearTimeout(this.#timer)
    // Also ends a body that nobody reads any more.
    this.#controller.abort(new Error("the download has ended"))
  }
}

/** What is fetched will be run, so nobody on the way may change it: https, or this machine itself. */
function checkAddress(address: string): void {
  const url = URL.parse(address)
  if (url?.protocol === "https:") return
  if (url?.protocol === "http:" && isLoopback(url.hostname)) return
  throw new BunhouseError(
    "UNAVAILABLE",
    `${address} cannot be fetched: expected an https address (http only on this machine)`,
  )
}
