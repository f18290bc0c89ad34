import { realpathSync } from "node:fs"
import { isBuiltin } from "node:module"
import { BunhouseError } from "../../protocol/errors.ts"
import { type Bundle, bundle } from "./bundle.ts"
import { firstEffectOf } from "./effects.ts"
import { explain, listed } from "./explain.ts"
import { resolve } from "./find-value.ts"
import { type AnyClass, type AnyFunction, describe, isClass, ownName, refusal } from "./kind.ts"
import { positionAt } from "./lines.ts"
import type { Located } from "./locate.ts"
import { VALUE, VALUES, circular, maskOf } from "./mask.ts"
import { leftBehind } from "./left-behind.ts"
import { type Needs, exportsOf, needsOf } from "./needs.ts"
import { isOfProject } from "./outside.ts"
import { mapped, originOf } from "./source-map.ts"

/**
 * The code of a function or a class whose source file is known: what it needs of its file, and all that is imported.
 *
 * Files that import the file back get the same module as the function: it keeps what they import from it, too.
 */
export interface Travelled {
  readonly code: string
  readonly notices: readonly string[]
  /** Carried names that are used. */
  readonly used: ReadonlySet<string>
  readonly stamps: ReadonlyMap<string, string>
}

export interface Luggage {
  /** Names of the values that are carried along. */
  readonly given: ReadonlySet<string>
  /** A module that exports them. */
  readonly values: (names: ReadonlySet<string>) => string
  readonly external: readonly string[]
}

// Each round finds more of what a circle of files imports from the first one.
const ROUNDS_MAX = 16

export async function travel(
  value: AnyFunction | AnyClass,
  located: Located,
  luggage: Luggage,
): Promise<Travelled> {
  const { node, source } = located
  // As the bundler knows it.
  const path = realpathSync(source.path)
  let exports: ReadonlySet<string> = new Set()
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const needs = needsOf(node, source, { values: luggage.given, exports })
    check(value, located, needs, luggage.given)
    const made = await bundle({
      path,
      entry: entryOf(value, path),
      mask: { path, text: maskOf(node, source, needs) },
      made: new Map([[VALUES, luggage.values(needs.values) + literalsOf(needs)]]),
      external: [...luggage.external, ...missing(needs, path)],
    })
    const wanted = exports.union(await importedOf(located, path, made, luggage))
    if (wanted.size > exports.size) {
      exports = wanted
      continue
    }
    refuseProblems(describe(value), made)
    return {
      code: mapped(made.code, made.map),
      notices: noticesOf(value, located, path, needs, made),
      used: needs.values,
      stamps: made.stamps,
    }
  }
  throw new BunhouseError("INTERNAL", `the imports of ${source.path} lead back to it without end`)
}

function literalsOf({ literals }: Needs): string {
  return [...literals].map(([name, text]) => `export const ${name} = ${text}\n`).join("")
}

/**
 * What files of the bundle import from the function's own. Where one takes all of it, that is each export whose name
 * stands in one of the files and that can travel: taking every one would run what has nothing to do with the function.
 */
async function importedOf(
  { node, source }: Located,
  own: string,
  made: Bundle,
  luggage: Luggage,
): Promise<ReadonlySet<string>> {
  const { imported, files } = made
  if (!imported.has("*")) return imported
  const words = new Set<string>()
  for (const { path } of files) {
    if (path === own) continue
    const text = await Bun.file(path).text()
    for (const [word] of text.matchAll(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu)) words.add(word)
  }
  const offered = exportsOf(source).filter((name) => {
    if (!words.has(name)) return false
    const needs = needsOf(node, source, { values: luggage.given, exports: new Set([name]) })
    return needs.troubles.length === 0 && circular(node, needs) === undefined
  })
  return imported.union(new Set(offered)).difference(new Set("*"))
}

/** The name is set, because a bundler gives another one to what would collide. */
function entryOf(value: AnyFunction | AnyClass, path: string): string {
  const name = ownName(value)
  const from = `import { ${JSON.stringify(VALUE)} as value } from ${JSON.stringify(path)}\n`
  const named = `Object.defineProperty(value, "name", { value: ${JSON.stringify(name)}, configurable: true })\n`
  // A class without a name may have a static member that is called so.
  return `${from}${name === "" && isClass(value) ? "" : named}export default value\n`
}

function check(
  value: AnyFunction | AnyClass,
  { node, source, file }: Located,
  needs: Needs,
  given: ReadonlySet<string>,
): void {
  const { troubles } = needs
  if (troubles.length > 0) {
    const around = { text: source.text, file, node, given }
    throw refusal(value, `it uses what cannot travel\n${explain(troubles, around)}`)
  }
  const around = circular(node, needs)
  if (around === undefined) return
  const { line } = positionAt(source.text, around.start)
  throw refusal(
    value,
    `it needs the statement that it is a part of (${file}:${line}), which would run again: move the function out of it`,
  )
}

/** Packages that `import()` names and that are not here: the env may have them. */
function missing({ loads }: Needs, path: string): readonly string[] {
  return [...loads].filter(
    (name) => !isOfProject(name) && !isBuiltin(name) && resolve(name, path) === undefined,
  )
}

/** Throws FUNCTION_NOT_SENDABLE for what the bundler found. */
export function refuseProblems(subject: string, made: Bundle): void {
  const problems = made.problems.length > 0 ? made.problems : metaProblems(made)
  if (problems.length === 0) return
  const list = listed([...new Set(problems)])
  const message = `${subject} cannot be sent: what it imports cannot travel\n${list}`
  throw new BunhouseError("FUNCTION_NOT_SENDABLE", message)
}

/** A file of the program that asks where it stands would get an answer about the env. */
function metaProblems({ map, metas }: Bundle): readonly string[] {
  return metas.flatMap(({ text, line, column }) => {
    const origin = originOf(map, line, column)
    if (origin === undefined || !isOfProgram(origin.file)) return []
    return [
      `${text} (${origin.file}:${origin.line}), which tells of the file that it stands in: pass what you need of it as an argument`,
    ]
  })
}

function isOfProgram(path: string): boolean {
  return path.startsWith("/") && !path.includes("/node_modules/")
}

function noticesOf(
  value: AnyFunction | AnyClass,
  { file, source }: Located,
  path: string,
  needs: Needs,
  made: Bundle,
): readonly string[] {
  const own = firstEffectOf(needs.declarations, source)
  const places = own === undefined ? [] : [`${file}:${positionAt(source.text, own).line}`]
  const left = leftBehind(needs, source).map(({ name, start }) => {
    return `${name} (${file}:${positionAt(source.text, start).line})`
  })
  return [
    ...loadNotices(ownName(value), made, places, path),
    ...(left.length === 0
      ? []
      : [
          `what the file does with ${left.join(", ")} does not travel: do it in the function, or send the file with module(…)`,
        ]),
    ...changeNotices(made),
  ]
}

/** One line for all that is done when the env loads the code. */
export function loadNotices(
  name: string,
  { files }: Bundle,
  known: readonly string[] = [],
  own?: string,
): readonly string[] {
  const places = [...known]
  for (const { path, effectLine } of files) {
    if (path !== own && effectLine !== undefined) places.push(`${path}:${effectLine}`)
  }
  if (places.length === 0) return []
  return [`${name} takes along code that runs when the env loads it: ${places.join(", ")}`]
}

/** Where what travels is not what the program here loaded. */
export function changeNotices({ stamps, natives }: Bundle): readonly string[] {
  const startedNs = BigInt(Math.floor(performance.timeOrigin)) * 1_000_000n
  const changed = [...stamps].filter(([, stamp]) => BigInt(stamp.split(" ")[0] ?? 0) > startedNs)
  return [
    ...changed.map(([path]) => {
      return `${path} was changed after this program started: it travels as it is now`
    }),
    ...natives.map((name) => {
      return `the native code of ${name} stays behind: put the package into the env's spec, packages`
    }),
  ]
}
