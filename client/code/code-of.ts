import { encodeArgs } from "../../protocol/codec/index.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { stampOf } from "./summary.ts"
import type { CallSite } from "./call-site.ts"
import { checkSelfContained } from "./captured.ts"
import type { AnyClass, AnyFunction } from "./kind.ts"
import { describe } from "./kind.ts"
import { locateText } from "./locate.ts"
import { search } from "./search.ts"
import { moduleOf } from "./source.ts"
import { readValueText } from "./text.ts"
import { travel } from "./travel.ts"

/** What travels: the text of one ES module. */
export interface Code {
  /** The default export of the module is the function or class. Its last line may be a source map (function-spec.ts). */
  readonly code: string
  /** What the user should know, one line each; for `warn`, when the code is really sent. */
  readonly notices: readonly string[]
}

export interface CodeOptions {
  /** Packages that the env brings along (`packages` of its spec): they are imported there and do not travel. */
  readonly external?: readonly string[]
  /** Values to carry along, by the name that the code knows them under. */
  readonly with?: Readonly<Record<string, unknown>>
}

/**
 * The code of a function or of a class, with all that it needs from its file and from what the file imports.
 *
 * `site` is where `fn(f)` or `cls(C)` was called. Rejects with FUNCTION_NOT_SENDABLE for what cannot travel, naming each
 * thing with its file, its line and the mend; with VALUE_NOT_SENDABLE for a value that cannot be carried.
 *
 * What was found is kept as long as the function and its files are the same.
 */
export async function codeOf(
  value: AnyFunction | AnyClass,
  site: CallSite | undefined,
  options: CodeOptions = {},
): Promise<Code> {
  const luggage = pack(options)
  const key = JSON.stringify([site, luggage.external, luggage.encoded])
  const known = made.get(value)
  if (known?.key === key && isFresh(known.stamps)) return known.code
  const { code, notices, used, stamps } = await make(value, site, luggage)
  for (const name of luggage.given) if (!used.has(name)) throw unused(value, name)
  made.set(value, { key, stamps, code: { code, notices } })
  return { code, notices }
}

const made = new WeakMap<
  object,
  { readonly key: string; readonly stamps: ReadonlyMap<string, string>; readonly code: Code }
>()

function isFresh(stamps: ReadonlyMap<string, string>): boolean {
  for (const [path, stamp] of stamps) if (stampOf(path) !== stamp) return false
  return true
}

async function make(
  value: AnyFunction | AnyClass,
  site: CallSite | undefined,
  luggage: ReturnType<typeof pack>,
): ReturnType<typeof travel> {
  const text = await readValueText(value)
  const located = (await locateText(text, site)) ?? (await search(text, site?.file))
  if (located !== undefined) return await travel(value, located, luggage)
  const used = await checkSelfContained(value, text, luggage.given)
  const prelude = used.size === 0 ? "" : luggage.values(used).replaceAll("export ", "")
  return { code: moduleOf(value, prelude), notices: [], used, stamps: new Map() }
}

function pack(options: CodeOptions) {
  const values = Object.entries(options.with ?? {})
  const encoded = values.map(([name, value]) => [name, encode(name, value)] as const)
  const texts = new Map(encoded)
  return {
    given: new Set(texts.keys()),
    external: options.external ?? [],
    encoded,
    /** Every env has the module that reads them (envs/provide-library.ts). */
    values: (names: ReadonlySet<string>) => {
      if (names.size === 0) return ""
      const lines = [...names].map(
        (name) => `export const ${name} = decode(${JSON.stringify(texts.get(name))})\n`,
      )
      return `import { decode } from "bunhouse/values"\n${lines.join("")}`
    },
  }
}

function encode(name: string, value: unknown): string {
  try {
    return Buffer.from(encodeArgs([value])).toString("base64")
  } catch (error) {
    if (!(error instanceof BunhouseError) || error.path === undefined) throw error
    const path = error.path.replace("args[0]", `with.${name}`)
    const message = error.message.replaceAll("args[0]", `with.${name}`)
    throw new BunhouseError(error.code, message, { path, cause: error })
  }
}

function unused(value: AnyFunction | AnyClass, name: string): BunhouseError {
  return new BunhouseError(
    "INVALID_ARGUMENT",
    `with: { ${name} } is for nothing: ${describe(value)} uses no name ${name} from outside of itself`,
  )
}
