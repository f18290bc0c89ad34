import { stampOf } from "../../client/code/summary.ts"
import { BunhouseError, fromErrorRecord } from "../../protocol/errors.ts"
import { Fields } from "../../protocol/fields.ts"
import { type FunctionInfo, readFunctionInfo } from "../../protocol/function-spec.ts"
import type { Environment } from "../../protocol/home.ts"
import { sourcePath } from "../../protocol/root.ts"
import type { Files } from "./files.ts"
import type { DeployTarget } from "./target.ts"

/** What is to be sent, and where to. */
export interface Order {
  readonly target: DeployTarget
  readonly env: string
  /** Undefined for the name that it has. */
  readonly name: string | undefined
  /** How long the file may take to load here. */
  readonly timeoutMs: number
}

export interface Attempt {
  /** Of the program, as they were before anything was read; the entry alone where nothing is known. */
  readonly files: Files
  readonly outcome: Outcome
}

type Outcome =
  | { readonly kind: "sent"; readonly info: FunctionInfo; readonly changed: boolean }
  | { readonly kind: "failed"; readonly error: BunhouseError }

/** Sends once, by a process of its own (sender.ts). What that prints is shown as messages. Never rejects. */
export async function sendOnce(order: Order, environment: Environment): Promise<Attempt> {
  const { file } = order.target
  let files: Files = new Map([[file, stampOf(file)]])
  const told = Promise.withResolvers<Outcome>()
  const fail = (reason: string) => {
    const error = new BunhouseError("DEPLOY_FAILED", `${file} ${reason}`)
    told.resolve({ kind: "failed", error })
  }
  const timer = setTimeout(() => fail(`did not load within ${order.timeoutMs} ms`), order.timeoutMs)
  await using child = Bun.spawn(
    [process.execPath, "--no-orphans", sourcePath("cli/deploy/sender.ts"), JSON.stringify(order)],
    {
      env: { ...environment },
      // Data of this command is on stdout.
      stdio: ["ignore", 2, 2],
      ipc(message: unknown) {
        const news = readNews(message)
        if (news.kind === "files") ({ files } = news)
        else if (news.kind === "loaded") clearTimeout(timer)
        else if (news.kind !== "other") told.resolve(news)
      },
      onExit(_, exitCode, signal) {
        fail(
          `ended the process that loads it (${exitCode === null ? signal : `exit code ${exitCode}`})`,
        )
      },
    },
  )
  try {
    return { outcome: await told.promise, files }
  } finally {
    clearTimeout(timer)
    child.kill("SIGKILL")
  }
}

type News =
  | Outcome
  | { readonly kind: "files"; readonly files: Files }
  | { readonly kind: "loaded" }
  /** Whatever the file that was loaded sends by itself. */
  | { readonly kind: "other" }

function readNews(message: unknown): News {
  if (typeof message !== "object" || message === null || !("kind" in message))
    return { kind: "other" }
  const fields = new Fields("what the sender tells", message)
  switch (fields.unknown("kind")) {
    case "files":
      return { kind: "files", files: new Map(fields.list("files").map(readFile)) }
    case "loaded":
      return { kind: "loaded" }
    case "sent":
      return {
        kind: "sent",
        info: readFunctionInfo(fields.unknown("info")),
        changed: fields.flag("changed"),
      }
    case "failed":
      return { kind: "failed", error: fromErrorRecord(fields.unknown("error")) }
    default:
      return { kind: "other" }
  }
}

function readFile(entry: unknown): readonly [path: string, stamp: string] {
  const [path, stamp]: unknown[] = Array.isArray(entry) ? entry : []
  return [String(path), String(stamp)]
}
