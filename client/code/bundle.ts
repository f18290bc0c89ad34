import { dirname, relative, resolve as absolute } from "node:path"
import { BunhouseError } from "../../protocol/errors.ts"
import { sourcePath } from "../../protocol/root.ts"
import { builtAsRun, resolvedAsRun } from "./as-run.ts"
import { assetProblems } from "./assets.ts"
import { nameOf, resolve } from "./find-value.ts"
import { positionAt } from "./lines.ts"
import { nativePackages, packageOf } from "./native.ts"
import { isOfProject } from "./outside.ts"
import { marksIn } from "./parse.ts"
import { readSourceFile } from "./source-file.ts"
import type { LineMap } from "./source-map.ts"
import { type Summary, stampOf, summaryOf } from "./summary.ts"

/**
 * One ES module of an entry and all that it imports, made by `Bun.build`.
 *
 * Files of the program (all that is not below a `node_modules`) are looked at on the way: for what they do when they are
 * loaded, and for what they import from the file that is masked. So are those of a package whose function is sent.
 */
export interface BundleInput {
  /** Path that stands for the bundle in messages; paths in the code are relative to its folder. */
  readonly path: string
  /** Text of the entry, which imports files by their absolute paths. Without it the file itself is the entry. */
  readonly entry?: string
  /** A text that stands for a file. */
  readonly mask?: { readonly path: string; readonly text: string }
  /** Modules that are made up, by specifier. */
  readonly made: ReadonlyMap<string, string>
  /** Packages that are left to the env. */
  readonly external: readonly string[]
}

export interface Bundle {
  readonly code: string
  readonly map: LineMap
  /** What the code asks about the file that it stands in; places in the code, from 0. */
  readonly metas: readonly {
    readonly text: string
    readonly line: number
    readonly column: number
  }[]
  readonly exports: readonly string[]
  /** Files of the program that were read, with what tells whether they have changed since. */
  readonly stamps: ReadonlyMap<string, string>
  /** What files of the program import from a masked file; `*` for all of it or for its namespace. */
  readonly imported: ReadonlySet<string>
  readonly files: readonly Summary[]
  /** Packages that have native code, which may be missed where it runs. */
  readonly natives: readonly string[]
  /** Why it cannot be sent, one line each. */
  readonly problems: readonly string[]
}

export async function bundle(input: BundleInput): Promise<Bundle> {
  const seen = new Seen(input.mask?.path)
  const output = await built({
    entrypoints: [input.entry === undefined ? input.path : ENTRY],
    target: "bun",
    format: "esm",
    sourcemap: "external",
    metafile: true,
    throw: false,
    external: externalOf(input).flatMap((name) => [name, `${name}/*`]),
    ...builtAsRun(),
    plugins: [{ name: "bunhouse", setup: (builder) => plug(builder, input, seen) }],
  })
  const optional = optionalIn(output)
  // They are left to the env as well. No more than once each, because what is left is not resolved.
  if (optional.length > 0) return bundle({ ...input, external: [...input.external, ...optional] })
  const problems = [...seen.addons].map(addonProblem)
  for (const log of output.logs) if (log.level === "error") problems.push(told(log))
  const code = output.outputs.find(({ kind }) => kind === "entry-point")
  const map = output.outputs.find(({ kind }) => kind === "sourcemap")
  problems.push(...assetProblems(output))
  const [about] = Object.values(output.metafile?.outputs ?? {})
  const named = Object.keys(output.metafile?.inputs ?? {}).filter((path) => !isMade(path))
  const inputs = named.map((path) => absolute(path))
  for (const path of inputs) seen.stamp(path)
  return {
    ...(await written(input.path, code, map)),
    exports: about?.exports ?? [],
    stamps: seen.stamps,
    imported: seen.imported,
    files: seen.files,
    natives: await nativePackages(inputs),
    problems,
  }
}

/** An entry that is not there makes Bun throw, whatever it is told. */
async function built(config: Bun.BuildConfig): Promise<Bun.BuildOutput> {
  try {
    return await Bun.build(config)
  } catch (cause) {
    throw new BunhouseError("FUNCTION_NOT_SENDABLE", `it cannot be bundled: ${String(cause)}`, {
      cause,
    })
  }
}

function externalOf({ external }: BundleInput): readonly string[] {
  return ["bunhouse", ...external]
}

/** Packages that a package asks for as it runs, and that are not there: it can do without, as it does here. */
function optionalIn({ logs }: Bun.BuildOutput): readonly string[] {
  return logs.flatMap((log) => {
    if (!(log instanceof ResolveMessage) || !AS_IT_RUNS.has(log.importKind)) return []
    const isOfPackage = log.position !== null && packageOf(log.position.file) !== undefined
    return isOfPackage && !isOfProject(log.specifier) ? [log.specifier] : []
  })
}

const AS_IT_RUNS: ReadonlySet<string> = new Set([
  "require-call",
  "require-resolve",
  "dynamic-import",
])

const NAMESPACE = "bunhouse"
const ENTRY = `${NAMESPACE}:entry`

function plug(build: Bun.PluginBuilder, input: BundleInput, seen: Seen): void {
  const made = new Map([[ENTRY, input.entry ?? ""], ...input.made])
  const external = externalOf(input)
  build.onResolve({ filter: /^bunhouse:/ }, ({ path }) => ({
    path: path.slice(NAMESPACE.length + 1),
    namespace: NAMESPACE,
  }))
  build.onResolve({ filter: /^[^./]/, namespace: "file" }, ({ path, importer, kind }) => {
    const isExternal = external.some((name) => path === name || path.startsWith(`${name}/`))
    if (isExternal || kind.startsWith("entry-point")) return undefined
    const found = resolvedAsRun(path, importer, kind.startsWith("require"))
    return found === undefined ? undefined : { path: found }
  })
  build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({
    contents: made.get(`${NAMESPACE}:${path}`) ?? "",
    loader: "js",
  }))
  // However a program imports the library, inside of an env it means the env's own copy.
  build.onLoad({ filter: exactly(LIBRARY) }, async () => ({
    contents: `export { ${(await libraryNames()).join()} } from "bunhouse"`,
    loader: "js",
  }))
  build.onLoad({ filter: /\.node$/ }, ({ path }) => {
    seen.addons.add(path)
    return { contents: "", loader: "js" }
  })
  build.onLoad({ filter: lookedAt(input.mask?.path) }, async ({ path }) => {
    const summary = await seen.see(path)
    if (summary === undefined || path !== input.mask?.path) return undefined
    return { contents: input.mask.text, loader: summary.dialect }
  })
}

const LIBRARY = sourcePath("client/index.ts")
const OF_THE_PROGRAM = /^(?!.*[\\/]node_modules[\\/]).*\.[cm]?[jt]sx?$/

/** Files of the program, and of the package that the masked file belongs to. */
function lookedAt(masked: string | undefined): RegExp {
  const owner = masked === undefined ? undefined : packageOf(masked)
  if (owner === undefined) return OF_THE_PROGRAM
  const own = `^${RegExp.escape(owner.folder)}[\\\\/](?!.*[\\\\/]node_modules[\\\\/]).*\\.[cm]?[jt]sx?$`
  return new RegExp(`${OF_THE_PROGRAM.source}|${own}`)
}

/** Values that the library exports; one by one, because Bun makes no `export *` of an external module. */
async function libraryNames(): Promise<readonly string[]> {
  const { program } = (await readSourceFile(LIBRARY)) ?? { program: { body: [] } }
  return program.body.flatMap((statement) => {
    if (statement.type !== "ExportNamedDeclaration" || statement.exportKind === "type") return []
    const { declaration, specifiers } = statement
    const declared = declaration?.type === "VariableDeclaration" ? declaration.declarations : []
    const names = declared.map(({ id }) => nameOf(id))
    if (declaration?.type === "FunctionDeclaration") names.push(declaration.id?.name ?? "")
    const values = specifiers.filter(({ exportKind }) => exportKind !== "type")
    return [...names, ...values.map(({ exported }) => nameOf(exported))]
  })
}

function exactly(path: string): RegExp {
  return new RegExp(`^${RegExp.escape(path)}$`)
}

/** What is noticed of the files of the program while they are bundled. */
class Seen {
  readonly stamps = new Map<string, string>()
  readonly imported = new Set<string>()
  readonly files: Summary[] = []
  readonly addons = new Set<string>()
  readonly #masked: string | undefined

  constructor(masked: string | undefined) {
    this.#masked = masked
  }

  /** Packages change only when they are installed. */
  stamp(path: string): void {
    if (!path.includes("/node_modules/") && !this.stamps.has(path)) {
      this.stamps.set(path, stampOf(path))
    }
  }

  async see(path: string): Promise<Summary | undefined> {
    this.stamp(path)
    const summary = await summaryOf(path)
    if (summary === undefined) return undefined
    this.files.push(summary)
    if (this.#masked === undefined || path === this.#masked) return summary
    for (const [specifier, names] of summary.imports) {
      if (resolve(specifier, path) !== this.#masked) continue
      for (const name of names) this.imported.add(name)
    }
    return summary
  }
}

function addonProblem(path: string): string {
  const { name } = packageOf(path) ?? { name: "a file" }
  return `${name} has a native addon (${path}): put the package into the env's spec, packages`
}

function told({ message, position }: BuildMessage | ResolveMessage): string {
  if (position === null || position.file === "") return message
  return `${message} (${absolute(position.file)}:${position.line})`
}

type Written = Pick<Bundle, "code" | "map" | "metas">

async function written(path: string, code?: Blob, map?: Blob): Promise<Written> {
  if (code === undefined || map === undefined) {
    return { code: "", map: { sources: [], mappings: "" }, metas: [] }
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Bun's own
  const { sources, mappings } = (await map.json()) as LineMap
  const text = await code.text()
  const { comments, metas } = await marksIn(text)
  return {
    code: portable(text, comments, new Set(sources), dirname(path)),
    map: {
      sources: sources.map((source) => (isMade(source) ? source : absolute(source))),
      mappings,
    },
    metas: metas.flatMap(({ start, end }) => {
      const [, property = ""] = /^\s*\.\s*(\w+)/.exec(text.slice(end, end + 80)) ?? []
      if (OF_NO_FILE.has(property)) return []
      const { line, column } = positionAt(text, start)
      const asked = property === "" ? "import.meta" : `import.meta.${property}`
      return [{ text: asked, line: line - 1, column: column - 1 }]
    }),
  }
}

/** What `import.meta` tells is the same wherever the code stands. */
const OF_NO_FILE: ReadonlySet<string> = new Set(["require", "env", "main"])

/**
 * The same code on every machine and in every folder: Bun tells above each module its path from the current folder, and
 * at the end a number for debuggers.
 */
function portable(
  code: string,
  comments: Awaited<ReturnType<typeof marksIn>>["comments"],
  sources: ReadonlySet<string>,
  folder: string,
): string {
  let text = ""
  let end = 0
  for (const comment of comments) {
    const path = comment.value.slice(1)
    const isPath = sources.has(path)
    if (!isPath && !comment.value.startsWith("# debugId=")) continue
    text += code.slice(end, comment.start)
    if (isPath) text += `// ${isMade(path) ? path : relative(folder, absolute(path))}`
    end = comment.end
  }
  return `${(text + code.slice(end)).trimEnd()}\n`
}

function isMade(source: string): boolean {
  return source.startsWith(`${NAMESPACE}:`)
}
