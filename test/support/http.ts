import type { Stack } from "./stack.ts"

/** An answer of the daemon, read to its end. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown
}

export interface Ask {
  readonly body?: string | Uint8Array | object | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** Asks the daemon as somebody with `curl` would, token included. */
export async function ask(stack: Stack, method: string, path: string, more: Ask = {}) {
  const { body, headers = {}, signal } = more
  const isObject = typeof body === "object" && !(body instanceof Uint8Array)
  const response = await fetch(`${stack.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${stack.token}`, ...headers },
    ...(body !== undefined && { body: isObject ? JSON.stringify(body) : new Blob([body]) }),
    ...(signal !== undefined && { signal }),
  })
  return answerOf(response)
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parsed(text) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The path of a function, its names encoded. */
export function pathOf(env: string, fn: string, rest = ""): string {
  return `/v1/envs/${encodeURIComponent(env)}/functions/${encodeURIComponent(fn)}${rest}`
}
