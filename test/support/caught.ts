import { BunhouseError } from "../../protocol/errors.ts"

/** The BunhouseError that `work` rejects with or throws; fails when there is none, or another. */
export async function caught(work: Promise<unknown> | (() => unknown)): Promise<BunhouseError> {
  try {
    await (typeof work === "function" ? work() : work)
  } catch (error) {
    if (error instanceof BunhouseError) return error
    throw error
  }
  throw new Error("expected a BunhouseError, but it succeeded")
}
