import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Fields, parseJson } from "../protocol/fields.ts"
import { type NatsServerBinary, type NatsServerOrigin, proveNatsServer } from "./binary.ts"

/**
 * Proves a program, unless the last proof that stands in the cache folder is this one's: otherwise each start would run it
 * twice, once to see what it is and once as the broker. Throws what `proveNatsServer` throws.
 *
 * Invariants:
 * PR1. A proof counts for the very file that was run: as long as its size, its times and its place on disk are the same. What
 *      a launcher starts may have changed all the same: what fails to start is to be found anew, without the proof.
 * PR2. A proof that cannot be written or read is made anew; nothing fails for it.
 */
export async function proveOnce(
  path: string,
  origin: NatsServerOrigin,
  cache: string,
  trustsProof: boolean,
): Promise<NatsServerBinary> {
  const file = fileState(path)
  const known = trustsProof ? readProof(cache) : undefined
  if (known !== undefined && known.path === path && known.file === file) {
    return { path, version: known.version, origin, isRemembered: true }
  }
  const proved = await proveNatsServer(path, origin)
  if (file !== undefined && fileState(path) === file) {
    writeProof(cache, { path, file, version: proved.version })
  }
  return proved
}

interface Proof {
  readonly path: string
  readonly file: string
  readonly version: string
}

const PROOF = "nats-server.json"

function readProof(cache: string): Proof | undefined {
  try {
    const text = readFileSync(join(cache, PROOF), "utf8")
    const fields = new Fields("the proof", parseJson("the proof", text))
    return { path: fields.text("path"), file: fields.text("file"), version: fields.text("version") }
  } catch {
    return undefined // PR2
  }
}

function writeProof(cache: string, proof: Proof): void {
  const draft = join(cache, `${PROOF}.${process.pid}`)
  try {
    mkdirSync(cache, { recursive: true, mode: 0o700 })
    writeFileSync(draft, JSON.stringify(proof), { mode: 0o600 })
    renameSync(draft, join(cache, PROOF))
  } catch {
    rmSync(draft, { force: true }) // PR2
  }
}

/** PR1; undefined where it cannot be run anyway. */
function fileState(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined || !stat.isFile() || (stat.mode & 0o111) === 0) return undefined
  return [stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(" ")
}
