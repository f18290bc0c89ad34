/**
 * `bun run quickstart`: starts a daemon of its own (own folder, free port), runs the tutorial against it, stops it.
 * A daemon that is running already is left alone.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { findNatsServer } from "../broker/find.ts"
import { homePaths, homeRoot } from "../protocol/home.ts"
import { sourcePath } from "../protocol/root.ts"

const folder = mkdtempSync(join(tmpdir(), "bunhouse-quickstart-"))
// What has to be fetched is fetched once, into the cache of this user's own state folder.
const { path: natsServer } = await findNatsServer({
  environment: process.env,
  cache: homePaths(homeRoot(process.env)).cache,
  progress: (line) => console.log(line),
})
const environment = {
  ...process.env,
  BUNHOUSE_HOME: folder,
  BUNHOUSE_PORT: "0",
  BUNHOUSE_NATS_SERVER: natsServer,
}
const cli = join(import.meta.dir, "../cli/main.ts")

try {
  // Users have the bundles from their second start on: the first one makes them in the background.
  run("bundling its programs", [sourcePath("server/bundle.ts"), homePaths(folder).cache])
  run("starting a daemon", [cli, "start"])
  run("running examples/tutorial.ts", [join(import.meta.dir, "tutorial.ts")])
} finally {
  run("stopping the daemon", [cli, "stop"])
  rmSync(folder, { recursive: true, force: true })
}

function run(what: string, args: readonly string[]): void {
  console.log(`\n— ${what}`)
  const { exitCode } = Bun.spawnSync([process.execPath, ...args], {
    env: environment,
    stdio: ["ignore", "inherit", "inherit"],
  })
  if (exitCode !== 0) process.exitCode = exitCode
}
