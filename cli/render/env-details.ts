import { packageList } from "../../protocol/env-packages.ts"
import type { EnvStatus, LoopBlock } from "../../protocol/status.ts"
import type { Style } from "../style.ts"
import { printableLine } from "./printable.ts"

/** What an env is made of and what it may use, below its name. Values of variables are left to `--json`. */
export function renderEnvDetails(env: EnvStatus, style: Style): string {
  const lines = factsOf(env).flatMap(([name, text]) => {
    return text === undefined ? [] : `  ${style.dim(name.padEnd(8))}  ${printableLine(text)}`
  })
  return [style.bold(printableLine(env.name)), ...lines].join("\n")
}

function factsOf(env: EnvStatus): (readonly [name: string, text: string | undefined])[] {
  const { spec, activity, retiring } = env
  const { packages, vars, files, bunArgs, setup } = spec
  return [
    ["doing", activity],
    ["memory", memoryText(env)],
    ["limits", limitsText(env)],
    ["packages", listed(packageList(packages))],
    ["vars", listed(Object.keys(vars))],
    ["cwd", env.cwd ?? spec.cwd],
    ["files", files && `${files.count} files, ${mebibytes(files.bytes)} MiB`],
    ["bun", listed(bunArgs)],
    ["setup", setup.length === 0 ? undefined : setup.join(" ")],
    ["blocked", env.loopBlocks[0] && blockText(env.loopBlocks[0])],
    ["old", retiring === 0 ? undefined : `${retiring} processes that still finish calls`],
  ]
}

function memoryText({ rssBytes, spec }: EnvStatus): string | undefined {
  const limit = spec.memoryMiB === undefined ? "" : ` of at most ${spec.memoryMiB} MiB`
  return rssBytes === undefined ? undefined : `${mebibytes(rssBytes)} MiB${limit}`
}

function blockText({ at, ms, functions, isCertain, isOver, stack }: LoopBlock): string {
  const who = `${isCertain ? "" : "probably "}${functions.join(", ")}`
  const where = stack[0] === undefined ? "" : `, in ${stack[0]}`
  return `the event loop, by ${who}, for ${ms} ms${isOver ? "" : " so far"}${where}, at ${at}`
}

function limitsText({ spec }: EnvStatus): string {
  const { concurrency, threads, queue, memoryMiB } = spec
  const memory = memoryMiB === undefined ? "" : `, ${memoryMiB} MiB`
  return `${concurrency} async calls and ${threads.max} threads at a time, ${queue} waiting${memory}`
}

function listed(items: readonly string[]): string | undefined {
  return items.length === 0 ? undefined : items.join(", ")
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(bytes < 10 * 1024 * 1024 ? 1 : 0)
}
