/**
 * Where this package stands, and where the programs that it starts are. The one place that asks: in a program that was
 * bundled (server/bundle.ts) the bundler writes the answers here, because such a program stands somewhere else.
 */
const SOURCES = new URL("../", import.meta.url).href
const BUNDLES: string | undefined = undefined

/** The path of a source file, named from the root of the package: `sourcePath("client/blocking/program.js")`. */
export function sourcePath(file: string): string {
  return Bun.fileURLToPath(new URL(file, SOURCES))
}

/** The path to start a program by: a program that is bundled itself starts bundles. */
export function programPath(file: string): string {
  if (BUNDLES === undefined) return sourcePath(file)
  return Bun.fileURLToPath(new URL(file.replace(/\.ts$/, ".js"), BUNDLES))
}
