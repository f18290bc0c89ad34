import { extname } from "node:path"
import { SOURCE_BYTES_MAX } from "../../protocol/limits.ts"
import { jsxFactoriesOf } from "./compiler-options.ts"
import { type ParseOptions, type Parsed, parse } from "./parse.ts"
import { type Scopes, scopeReader } from "./scope.ts"

/** A file of the program that sends, parsed and analysed. */
export interface SourceFile extends Parsed {
  readonly path: string
  readonly dialect: ParseOptions["dialect"]
  readonly scopes: Scopes
  /** Names of the file that its JSX uses, though they do not stand there (compiler-options.ts). */
  readonly jsxFactories: ReadonlySet<string>
}

/** Undefined for what is no JavaScript or TypeScript, or too large. Throws where there is no such file. */
export async function readSourceFile(path: string): Promise<SourceFile | undefined> {
  const dialect = DIALECTS.get(extname(path))
  const file = Bun.file(path)
  if (dialect === undefined || file.size > SOURCE_BYTES_MAX) return undefined
  const text = await file.text()
  const before = recent.get(path)
  const known = before?.text === text ? before.analysed.deref() : undefined
  if (known !== undefined) return known
  const analysed = analyse(path, dialect, text)
  recent.delete(path)
  recent.set(path, { text, analysed: new WeakRef(analysed) })
  const [oldest] = recent.keys()
  if (recent.size > RECENT_MAX && oldest !== undefined) recent.delete(oldest)
  return analysed
}

// Programs send several functions from one file, and a large file takes tens of milliseconds. Few files, held weakly:
// syntax trees are large, and most programs send nothing after they have started.
const recent = new Map<
  string,
  { readonly text: string; readonly analysed: WeakRef<Promise<SourceFile>> }
>()
const RECENT_MAX = 8

async function analyse(
  path: string,
  dialect: SourceFile["dialect"],
  text: string,
): Promise<SourceFile> {
  const [parsed, read] = await Promise.all([parse(text, { dialect }), scopeReader()])
  let scopes: Scopes | undefined
  return {
    ...parsed,
    path,
    dialect,
    // Most files of a bundle are asked for their imports and nothing else.
    get scopes() {
      scopes ??= read(parsed)
      return scopes
    },
    get jsxFactories() {
      return dialect === "ts" ? NONE : jsxFactoriesOf(path, text)
    },
  }
}

const NONE: ReadonlySet<string> = new Set()

/** As Bun loads them. */
export const DIALECTS: ReadonlyMap<string, SourceFile["dialect"]> = new Map([
  [".ts", "ts"],
  [".mts", "ts"],
  [".cts", "ts"],
  [".tsx", "tsx"],
  [".js", "jsx"],
  [".mjs", "jsx"],
  [".cjs", "jsx"],
  [".jsx", "jsx"],
])
