import { decodePayload } from "../protocol/codec/index.ts"

/**
 * Makes `import("bunhouse")` inside of a remote function mean this process's own copy of the library, wherever the
 * function's file stands. `bunhouse/values` reads the values that code carries along (client/code/code-of.ts).
 */
export function provideLibrary(): void {
  Bun.plugin({
    name: "bunhouse",
    setup(build) {
      build.module("bunhouse", async () => ({
        exports: await import("../client/index.ts"),
        loader: "object",
      }))
      build.module("bunhouse/values", () => ({ exports: { decode }, loader: "object" }))
    },
  })
}

/** Each was encoded as the one argument of a call. */
function decode(base64: string): unknown {
  const args = decodePayload(Buffer.from(base64, "base64"))
  return Array.isArray(args) ? args[0] : undefined
}
