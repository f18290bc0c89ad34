/**
 * `bunhouse deploy --watch` over an edit: a file is saved, and the next call runs what it says now.
 *
 *     bunhouse start
 *     bun examples/deploy-watch.ts
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { here } from "bunhouse"

const folder = mkdtempSync(join(tmpdir(), "deploy-watch-"))
const file = join(folder, "greet.ts")
const save = (text: string) => {
  writeFileSync(file, `export async function greet(name: string) { ${text} }`)
}

save("return `hello ${name}`")
const cli = join(import.meta.dir, "../cli/main.ts") // `bunhouse`, where it is installed
const watch = Bun.spawn([process.execPath, cli, "deploy", `${file}:greet`, "--watch", "--json"], {
  stderr: "ignore",
})
const reader = watch.stdout.pipeThrough(new TextDecoderStream()).getReader()
/** Waits until it has sent, or could not send, what was saved. */
const outcome = async () => JSON.parse((await reader.read()).value ?? "{}")
try {
  await outcome()
  const greet = await here.get<(name: string) => Promise<string>>("greet")
  console.log(await greet("Ada"))

  save("return `good evening, ${name}`")
  await outcome()
  console.log(await greet("Ada"))

  save("return `") // a slip: it is told, and the version before stays
  const { error } = await outcome()
  console.log(error.code, await greet("Ada"))

  save("return name.toUpperCase()")
  await outcome()
  console.log(await greet("Ada"))
} finally {
  watch.kill()
  rmSync(folder, { recursive: true })
}
