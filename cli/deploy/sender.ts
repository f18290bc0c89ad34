import { lookUp } from "../../client/deploy.ts"
import { cls } from "../../client/cls.ts"
import { checkSendable } from "../../client/code/kind.ts"
import { isConcreteClass } from "../../client/code/members.ts"
import { Control } from "../../client/control.ts"
import { Daemon } from "../../client/daemon.ts"
import { fn } from "../../client/fn.ts"
import { sendModule } from "../../client/module.ts"
import { setQuiet, wantsQuiet } from "../../client/notices.ts"
import { asBunhouseError, BunhouseError, toErrorRecord } from "../../protocol/errors.ts"
import type { FunctionInfo } from "../../protocol/function-spec.ts"
import { daemonAddress } from "../daemon/find.ts"
import { filesOf } from "./files.ts"
import type { Order } from "./send.ts"
import { fileName } from "./target.ts"

/**
 * A program that sends once and is then ended by who started it (send.ts), which it tells what happens. A process of its own,
 * because loading a file runs what stands at its top level, and because nothing loads a changed file anew.
 */
const [, , text = ""] = process.argv
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made by send.ts
const order = JSON.parse(text) as Order
process.on("disconnect", () => process.exit())
setQuiet(wantsQuiet(process.env))
const { target, env } = order
tell({ kind: "files", files: [...(await filesOf(target.file))] })
try {
  tell({ kind: "sent", ...(await send()) })
} catch (error) {
  tell({ kind: "failed", error: toErrorRecord(asBunhouseError(error, "sending it")) })
}

function tell(message: object): void {
  process.send?.(message)
}

async function send(): Promise<{ readonly info: FunctionInfo; readonly changed: boolean }> {
  const { url, token } = daemonAddress(process.env)
  const daemon = new Daemon({ url, token }, process.env)
  const value = target.export === undefined ? undefined : await loadExport(target.export)
  tell({ kind: "loaded" })
  const name = order.name ?? defaultName(value)
  const before = await lookUp({ control: new Control(() => ({ url, token })) }, { env, name })
  const info = await sendValue(value, name, daemon)
  return { info, changed: before?.version !== info.version }
}

async function sendValue(value: unknown, name: string, daemon: Daemon): Promise<FunctionInfo> {
  const to = daemon.env(env)
  if (target.export === undefined) return sendModule(target.file, name, to)
  if (isConcreteClass(value)) return (await cls(value, { name }).to(to)).info
  checkSendable(value)
  return (await fn(value, { name }).to(to)).info
}

async function loadExport(name: string): Promise<unknown> {
  const exports = await load()
  if (Object.hasOwn(exports, name)) return Reflect.get(exports, name)
  const others = Object.keys(exports).join(", ")
  const message = `${target.file} has no export ${name}${others === "" ? "" : `; it has ${others}`}`
  throw new BunhouseError("NOT_FOUND", message)
}

async function load(): Promise<object> {
  try {
    return await import(target.file)
  } catch (cause) {
    const message = `${target.file} cannot be loaded: ${Bun.inspect(cause).trim()}`
    throw new BunhouseError("FUNCTION_NOT_SENDABLE", message, { cause })
  }
}

/** As the export; a default one as the function itself, else as the file. */
function defaultName(value: unknown): string {
  const { export: exported, file } = target
  if (exported === undefined) return fileName(file)
  if (exported !== "default") return exported
  const own = typeof value === "function" ? value.name : ""
  return own === "" || own === "default" ? fileName(file) : own
}
