import type { CallSite } from "./call-site.ts"
import { checkSelfContained } from "./captured.ts"
import { type AnyClass, type AnyFunction, isClass } from "./kind.ts"
import { classModuleOf, moduleOf } from "./source.ts"

/** What travels: the text of one ES module. */
export interface Code {
  /** The default export of the module is the function or class. Its last line may be a source map (function-spec.ts). */
  readonly code: string
  /** What the user should know, one line each; for `notice` or `warn`, when the code is really sent. */
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
 * thing with its file, its line and the mend.
 */
export async function codeOf(
  value: AnyFunction | AnyClass,
  site: CallSite | undefined,
  _options: CodeOptions = {},
): Promise<Code> {
  if (isClass(value)) return { code: classModuleOf(value), notices: [] }
  await checkSelfContained(value, site)
  return { code: moduleOf(value), notices: [] }
}
