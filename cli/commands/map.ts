import { Daemon } from "../../client/daemon.ts"
import type { MapProgress } from "../../client/map.ts"
import { setQuiet, wantsQuiet } from "../../client/notices.ts"
import { progressBar } from "../../client/progress-bar.ts"
import type { LogLine } from "../../client/logs.ts"
import type { Remote, UntypedFunction } from "../../client/remote.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { type Answer, type Cli, failureText } from "../command.ts"
import { daemonAddress } from "../daemon/find.ts"
import { EXIT_THROWN, exitOf } from "../exit-codes.ts"
import { jsonItems, jsonText, thrownDocument } from "../json-lines.ts"
import { printable } from "../render/printable.ts"
import { renderThrown } from "../render/thrown.ts"

export interface MapCommandOptions {
  /** A file with one JSON document a line; undefined for stdin. */
  readonly file: string | undefined
  readonly concurrency: number | undefined
  readonly isSettled: boolean
  readonly isSpread: boolean
  /** Of each call. */
  readonly timeoutMs: number | undefined
}

/**
 * `bunhouse map env/function`: one call for each line of JSON, one line of JSON for each result, in the same order.
 * Neither items nor results are held in memory beyond what is under way.
 */
export async function map(cli: Cli, target: string, options: MapCommandOptions): Promise<Answer> {
  const { environment, terminal } = cli
  const { concurrency, isSettled, isSpread, timeoutMs } = options
  const lines = await openLines(options.file)
  const { url, token } = daemonAddress(environment)
  using daemon = new Daemon({ url, token }, environment)
  const found: Remote<UntypedFunction> = await daemon.get(target)
  const isQuiet = wantsQuiet(environment)
  setQuiet(isQuiet)
  // Results are on stdout.
  const onLog = ({ text }: LogLine) => terminal.say(printable(text))
  const remote = found.with({
    ...(!isQuiet && { onLog }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  })
  const more = concurrency === undefined ? {} : { concurrency }
  const total = process.stderr.isTTY && !isQuiet ? await countLines(options.file) : undefined
  const draw = isQuiet ? () => undefined : progressBar(target)
  const onProgress = (progress: MapProgress) => draw({ ...progress, total })
  const given = { ...more, onProgress, settled: true } as const
  const items = jsonItems(lines)
  const run = isSpread
    ? remote.map(checkLists(items), { ...given, spread: true })
    : remote.map(items, given)
  let failures = 0
  for await (const result of run) {
    if (result.status === "rejected") {
      failures++
      if (!isSettled) return failed(cli, target, result.reason)
    }
    await terminal.print(isSettled ? settledText(result) : valueText(result))
  }
  return { document: undefined, text: "", exitCode: failures === 0 ? 0 : EXIT_THROWN }
}

function settledText(result: PromiseSettledResult<unknown>): string {
  if (result.status === "fulfilled") return jsonText(result)
  return jsonText({ status: "rejected", reason: thrownDocument(result.reason) })
}

function valueText(result: PromiseSettledResult<unknown>): string {
  return jsonText(result.status === "fulfilled" ? result.value : null)
}

/** The first failure ends it; the message is that of `bunhouse call`. */
function failed({ terminal }: Cli, target: string, reason: unknown): Answer {
  const isOurs = reason instanceof BunhouseError
  const error = thrownDocument(reason)
  terminal.say(isOurs ? failureText(reason) : renderThrown(error, target, terminal.messageStyle))
  return { document: { error }, text: "", exitCode: isOurs ? exitOf(reason) : EXIT_THROWN }
}

async function openLines(path: string | undefined): Promise<ReadableStream<Uint8Array>> {
  if (path === undefined) return Bun.stdin.stream()
  const file = Bun.file(path)
  if (await file.exists()) return file.stream()
  throw new BunhouseError("NOT_FOUND", `there is no file ${JSON.stringify(path)}`)
}

/** For the bar; of what comes by a pipe nobody knows. */
async function countLines(path: string | undefined): Promise<number | undefined> {
  if (path === undefined) return undefined
  let count = 0
  for await (const _item of jsonItems(Bun.file(path).stream(), () => undefined)) count++
  return count
}

async function* checkLists(items: AsyncIterable<unknown>): AsyncGenerator<unknown[]> {
  for await (const item of items) {
    if (!Array.isArray(item)) {
      throw new BunhouseError("INVALID_ARGUMENT", `expected each line to be a JSON list (--spread)`)
    }
    yield item
  }
}
