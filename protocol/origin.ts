import { Fields, parseJson } from "./fields.ts"

/**
 * Who failed, as the metadata of an error frame says it: the version of the code that threw, and, where that is not the
 * function that was called, which one it is, as JSON behind a line break.
 */
export interface Origin {
  readonly version: string | undefined
  readonly who?: Thrower
}

export interface Thrower {
  readonly env: string
  readonly function: string
  readonly callId: string
}

/** The metadata of a call's error as that of another call, which failed because of it. The first one who failed stays. */
export function encodeOrigin(extra: Uint8Array, who: Thrower): Uint8Array {
  const text = Buffer.from(extra).toString()
  return Buffer.from(text.includes("\n") ? text : `${text}\n${JSON.stringify(who)}`)
}

/** Whether the error is that of another function than the one that was called, which then did not run. */
export function isOfAnother(extra: Uint8Array): boolean {
  return extra.includes(LINE_BREAK)
}

/** Throws INVALID_ARGUMENT. */
export function readOrigin(extra: Uint8Array): Origin {
  if (extra.length === 0) return { version: undefined }
  const text = Buffer.from(extra).toString()
  const end = text.indexOf("\n")
  if (end === -1) return { version: text }
  const what = "who threw an error"
  const fields = new Fields(what, parseJson(what, text.slice(end + 1)))
  const who = {
    env: fields.text("env"),
    function: fields.text("function"),
    callId: fields.text("callId"),
  }
  const version = end === 0 ? undefined : text.slice(0, end)
  return { version, who }
}

const LINE_BREAK = 10
