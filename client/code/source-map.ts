import { SourceMap } from "node:module"
import { SOURCE_BYTES_MAX } from "../../protocol/limits.ts"
import { withMap } from "../../protocol/function-spec.ts"

/** The part of a source map that is used here. */
export interface LineMap {
  /** Absolute paths. */
  readonly sources: readonly string[]
  readonly mappings: string
}

/**
 * The code with its source map as the last line, by which Bun tells the author's own files and lines in stacks. Without
 * it where both together are too long to be sent.
 */
export function mapped(code: string, { sources, mappings }: LineMap): string {
  // Bun reads no map without the texts of its sources; it does not look at them.
  const map = { version: 3, sources, sourcesContent: sources.map(() => ""), names: [], mappings }
  const whole = withMap(code, JSON.stringify(map))
  return Buffer.byteLength(whole) > SOURCE_BYTES_MAX ? code : whole
}

/** Where a place of the code comes from; lines and columns from 0 there, from 1 here. */
export function originOf(
  { sources, mappings }: LineMap,
  line: number,
  column: number,
): { readonly file: string; readonly line: number } | undefined {
  const map = new SourceMap({
    version: 3,
    sources: [...sources],
    mappings,
    file: "",
    names: [],
    sourcesContent: [],
    sourceRoot: "",
  })
  const entry = map.findEntry(line, column)
  if (!("originalSource" in entry)) return undefined
  return { file: entry.originalSource, line: entry.originalLine + 1 }
}
