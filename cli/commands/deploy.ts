import { setTimeout as sleep } from "node:timers/promises"
import { stampOf } from "../../client/code/summary.ts"
import { isGeneratorKind } from "../../protocol/members.ts"
import type { FunctionInfo } from "../../protocol/function-spec.ts"
import { checkName } from "../../protocol/names.ts"
import { toErrorRecord } from "../../protocol/errors.ts"
import { type Answer, type Cli, failureText, printAnswer } from "../command.ts"
import { type Files, isChanged } from "../deploy/files.ts"
import { type Attempt, type Order, sendOnce } from "../deploy/send.ts"
import { parseTarget } from "../deploy/target.ts"
import { printableLine } from "../render/printable.ts"

export interface DeployOptions {
  readonly env: string
  readonly name: string | undefined
  /** How long the file may take to load here. */
  readonly timeoutMs: number
  readonly isWatched: boolean
  readonly isJson: boolean
}

/** `bunhouse deploy file.ts[:export]`: sends what a file exports; watched, again after each save until the user ends it. */
export async function deploy(cli: Cli, text: string, options: DeployOptions): Promise<Answer> {
  const { env, name, timeoutMs, isWatched, isJson } = options
  checkName("env", env)
  if (name !== undefined) checkName("function", name)
  const order = { target: parseTarget(text), env, name, timeoutMs }
  if (!isWatched) {
    const { outcome, ms } = await timed(cli, order)
    if (outcome.kind === "failed") throw outcome.error
    return answerOf(outcome, ms)
  }
  for (let before: Files | undefined; ;) {
    const { outcome, ms, files } = await timed(cli, order)
    if (outcome.kind === "sent") await printAnswer(cli.terminal, isJson, answerOf(outcome, ms))
    else {
      cli.terminal.say(failureText(outcome.error))
      if (isJson) await cli.terminal.print(JSON.stringify({ error: toErrorRecord(outcome.error) }))
    }
    const watched = outcome.kind === "sent" ? files : withEarlier(files, before)
    if (watched.size !== before?.size) {
      const what = watched.size === 1 ? "1 file" : `${watched.size} files`
      cli.terminal.say(`bunhouse: watching ${what} (Ctrl-C ends)`)
    }
    before = watched
    await changeOf(watched)
  }
}

/** What is broken may not tell its imports: those that it had before count as well, as they are now. */
function withEarlier(files: Files, before: Files = new Map()): Files {
  const earlier = [...before.keys()].filter((path) => !files.has(path))
  return new Map([...files, ...earlier.map((path) => [path, stampOf(path)] as const)])
}

async function timed(
  { environment }: Cli,
  order: Order,
): Promise<Attempt & { readonly ms: number }> {
  const start = performance.now()
  const attempt = await sendOnce(order, environment)
  return { ...attempt, ms: Math.round(performance.now() - start) }
}

/** Resolves after a save. Looking costs little, and sees what no notice tells: files that are replaced, or on other machines. */
async function changeOf(files: Files): Promise<void> {
  while (!isChanged(files)) await sleep(LOOK_MS)
  // Editors and formatters write several times.
  await sleep(LOOK_MS)
}

const LOOK_MS = 100

function answerOf({ info, changed }: { info: FunctionInfo; changed: boolean }, ms: number): Answer {
  const { env, name, version } = info
  const address = printableLine(`${env}/${name}`)
  const text = changed
    ? `sent ${address} (${whatIs(info)}), version ${version}, in ${ms} ms`
    : `${address} is unchanged, version ${version}`
  return { document: { info, changed, ms }, text }
}

function whatIs({ kind, exports = [] }: FunctionInfo): string {
  if (kind === "module")
    return `module: ${printableLine(exports.map(({ name }) => name).join(", "))}`
  if (kind === "class") return kind
  return isGeneratorKind(kind) ? kind : `${kind} function`
}
