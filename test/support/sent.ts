import { expect } from "bun:test"
import { decodeArgs, decodePayload, encodeArgs } from "../../protocol/codec/index.ts"
import { encodeResult, encodeThrown } from "../../protocol/codec/index.ts"
import { BunhouseError, type ErrorCode } from "../../protocol/errors.ts"
import { differenceOf } from "./same-graph.ts"

// The type parameters say what a test expects; that it is so, the test checks.
// oxlint-disable typescript/no-unnecessary-type-parameters, typescript/no-unsafe-type-assertion

export function decoded<T = unknown>(bytes: Uint8Array): T {
  return decodePayload(bytes) as T
}

/** What arrives when `value` is sent as a result. */
export function sent<T = unknown>(value: unknown): T {
  return decodePayload(encodeResult(value)) as T
}

/** What arrives when `thrown` is thrown. */
export function sentThrown<T = Error>(thrown: unknown): T {
  return decodePayload(encodeThrown(thrown)) as T
}

export function sentArgs<T extends unknown[] = unknown[]>(...args: unknown[]): T {
  const bytes = encodeArgs(args)
  return decodeArgs(bytes, 0, bytes.length) as T
}

export function expectArrivesAsSent(value: unknown): void {
  expect(differenceOf(value, sent(value))).toBeUndefined()
  expect(differenceOf([value, value], sentArgs(value, value))).toBeUndefined()
}

/** The error that `run` throws, which must be ours and carry `code`. */
export function refusal(code: ErrorCode, run: () => unknown): BunhouseError {
  try {
    run()
  } catch (error) {
    if (!(error instanceof BunhouseError)) throw error
    expect(error.code).toBe(code)
    return error
  }
  throw new Error(`expected ${code}, but nothing was thrown`)
}

/** The path that a refusal to send `args` names. */
export function refusedPath(...args: unknown[]): string | undefined {
  return refusal("VALUE_NOT_SENDABLE", () => encodeArgs(args)).path
}
