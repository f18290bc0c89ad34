import { expect } from "bun:test"
import { join } from "node:path"
import { codeOf } from "../../../client/code/code-of.ts"
import { arrive } from "./arrive.ts"
import { IMPORT_FN, type Sent, programFolder } from "./sent.ts"

/** Programs of several files whose `sent` is sent and arrives, or is refused. */
type Files = Readonly<Record<string, string>>

/** What arrives of `sent` of a program, and what it gives. */
export async function resultOf(program: string, files: Files = {}, external: string[] = []) {
  await using folder = await programFolder()
  const { sent } = await folder.load("main.ts", `${IMPORT_FN}\n${program}`, files)
  const { code } = await codeOf(...at(sent), { external })
  return await Reflect.apply(await arrive(code), undefined, [])
}

/** Why `sent` is refused. `change` is done to the files after they were loaded. */
export async function refusalOf(
  program: string,
  files: Files = {},
  change: Files = {},
): Promise<string> {
  await using folder = await programFolder()
  const { sent } = await folder.load("main.ts", `${IMPORT_FN}\n${program}`, files)
  for (const [name, text] of Object.entries(change)) await Bun.write(join(folder.path, name), text)
  const error: unknown = await codeOf(...at(sent)).then(
    () => "it travels",
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ code: "FUNCTION_NOT_SENDABLE", ran: "no" })
  return String(error).replaceAll(`${folder.path}/`, "")
}

export function at(sent: Sent | undefined): [Sent["f"], Sent["site"]] {
  if (sent === undefined) throw new Error("nothing was sent")
  return [sent.f, sent.site]
}
