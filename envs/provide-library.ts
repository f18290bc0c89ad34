/**
 * Makes `import("bunhouse")` inside of a remote function mean this process's own copy of the library, wherever the
 * function's file stands.
 */
export function provideLibrary(): void {
  Bun.plugin({
    name: "bunhouse",
    setup(build) {
      build.module("bunhouse", async () => ({
        exports: await import("../client/index.ts"),
        loader: "object",
      }))
    },
  })
}
