import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { mkdir, rename, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { EnvSpec } from "../../protocol/env-spec.ts"
import { withoutSecrets } from "../../protocol/env-vars.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { unpackFiles } from "../../protocol/files.ts"
import { KeyedMutex } from "../../protocol/keyed-mutex.ts"
import { SETUP_TIMEOUT_MS } from "../../protocol/limits.ts"
import { installPackages, LOCKFILE } from "./packages.ts"
import { runStep } from "./run-step.ts"
import type { EnvVariables } from "./variables.ts"

/**
 * What an env process finds on the disk: packages, shipped files, and what its setup made of them. An env that asks for
 * none of these has its own folder; otherwise each set of them is a **build**, a folder of its own:
 *
 *     envs/<token>/builds/<key>/         package.json, bun.lock, node_modules/, files/, code/
 *     envs/<token>/builds/<key>.json     says that the build is complete
 *
 * Invariants:
 * I1. A build that is not complete is never used: its record is written last, and a folder without one is made anew.
 * I2. A complete build is not changed again, so that processes of two builds of one env live side by side.
 * I3. One env has one preparation at a time; who asks for the same build meanwhile gets it.
 */
export interface Build {
  /** Where the functions' code is written: packages resolve from here. */
  readonly folder: string
  /** Working directory of the process. */
  readonly cwd: string
}

export interface BuildsOptions {
  readonly folderOf: (env: string) => string
  /** Goes into the names of builds, so that nobody learns from a name what a secret is. */
  readonly salt: string
  readonly logFileOf: (env: string) => string
  readonly variables: EnvVariables
  /** A shipped folder. Undefined where it is not in the store. */
  readonly filesOf: (version: string) => Promise<Uint8Array | undefined>
  readonly log: (event: string, facts: Readonly<Record<string, unknown>>) => void
}

export interface Preparation {
  readonly env: string
  readonly spec: EnvSpec
  /** Told what is being done, when it takes its time. */
  readonly report: (activity: string) => void
  readonly signal: AbortSignal
}

export class Builds {
  readonly #options: BuildsOptions
  /** I3. */
  readonly #mutex = new KeyedMutex()

  constructor(options: BuildsOptions) {
    this.#options = options
  }

  /**
   * Makes what a process of `spec` needs, unless it is there. Rejects with INVALID_ARGUMENT for a working directory that
   * is none, NOT_FOUND for files that were not shipped, ENV_FAILED for an installation or a setup that failed.
   */
  async prepare(preparation: Preparation): Promise<Build> {
    const { env, spec } = preparation
    checkCwd(env, spec.cwd)
    const own = this.#options.folderOf(env)
    mkdirSync(own, { recursive: true, mode: 0o700 })
    if (isPlain(spec)) return { folder: own, cwd: spec.cwd ?? own }
    const folder = join(own, "builds", keyOf(spec, this.#options.salt))
    const build = { folder, cwd: cwdIn(spec, folder) }
    await this.#mutex.run(env, async () => {
      if (existsSync(recordOf(folder))) return
      await this.#make(preparation, build)
    })
    return build
  }

  /** Removes the builds of an env that are not in use. `inUse` is asked when it comes to it; undefined for "not now". Never rejects. */
  async tidy(env: string, inUse: () => ReadonlySet<string> | undefined): Promise<void> {
    const tidying = this.#mutex.run(env, async () => {
      const used = inUse()
      if (used === undefined) return
      const builds = join(this.#options.folderOf(env), "builds")
      for (const name of list(builds)) {
        const folder = join(builds, name.replace(/\.json$/, ""))
        if (used.has(folder)) continue
        // The record first (I1).
        await rm(recordOf(folder), { force: true })
        await rm(folder, { recursive: true, force: true })
      }
    })
    await tidying.catch((error: unknown) =>
      this.#options.log("builds not tidied", { env, reason: String(error) }),
    )
  }

  async #make(preparation: Preparation, build: Build): Promise<void> {
    const { env, spec, signal } = preparation
    const { folder } = build
    const startedAt = performance.now()
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true, mode: 0o700 })
    try {
      await this.#install(preparation, folder)
      await this.#unpack(preparation, folder)
      await this.#setUp(preparation, build)
      signal.throwIfAborted()
      const record: BuildRecord = { packages: spec.packages }
      await writeFile(`${recordOf(folder)}.draft`, JSON.stringify(record), { mode: 0o600 })
      await rename(`${recordOf(folder)}.draft`, recordOf(folder))
    } catch (error) {
      rmSync(folder, { recursive: true, force: true })
      // Whoever stopped it has said why.
      signal.throwIfAborted()
      throw error
    }
    const tookMs = Math.round(performance.now() - startedAt)
    this.#options.log("env built", { env, folder, tookMs })
  }

  async #install({ env, spec, report, signal }: Preparation, folder: string): Promise<void> {
    const { packages } = spec
    const count = Object.keys(packages).length
    if (count === 0) return
    report(`installing ${count === 1 ? "1 package" : `${count} packages`}`)
    await installPackages({
      env,
      folder,
      packages,
      lockfile: lockfileFor(dirname(folder), packages),
      variables: this.#options.variables.ofInstaller(),
      logFile: this.#options.logFileOf(env),
      signal,
    })
  }

  async #unpack({ env, spec, report }: Preparation, folder: string): Promise<void> {
    if (spec.files === undefined) return
    const { version, count } = spec.files
    report(count === 1 ? "unpacking 1 file" : `unpacking ${count} files`)
    const pack = await this.#options.filesOf(version)
    if (pack === undefined) {
      const message = `the files of env ${JSON.stringify(env)} are not in the store: ship them again`
      throw new BunhouseError("NOT_FOUND", message, { env })
    }
    const files = join(folder, "files")
    await mkdir(files, { mode: 0o700 })
    for (const { path, bytes, isExecutable } of unpackFiles(pack)) {
      const target = join(files, path)
      await mkdir(dirname(target), { recursive: true, mode: 0o700 })
      await writeFile(target, bytes, { flag: "wx", mode: isExecutable ? 0o700 : 0o600 })
    }
  }

  async #setUp({ env, spec, report, signal }: Preparation, build: Build): Promise<void> {
    const { setup, vars } = spec
    if (setup.length === 0) return
    report("running the setup")
    const { failure, tail } = await runStep({
      command: setup,
      cwd: build.cwd,
      variables: this.#options.variables.ofSetup(vars, build.folder),
      logFile: this.#options.logFileOf(env),
      timeoutMs: SETUP_TIMEOUT_MS,
      signal,
      hide: (line) => withoutSecrets(vars, line),
    })
    if (failure === undefined) return
    const said = tail === "" ? "it said nothing" : tail
    const message = `the setup of env ${JSON.stringify(env)} failed (${failure}): ${said}`
    throw new BunhouseError("ENV_FAILED", message, { env })
  }
}

/** What a build's record says. */
interface BuildRecord {
  readonly packages: Readonly<Record<string, string>>
}

function isPlain({ packages, files, setup }: EnvSpec): boolean {
  return Object.keys(packages).length === 0 && files === undefined && setup.length === 0
}

/** Equal specs have equal builds. A setup sees variables and working directory as well. */
function keyOf({ packages, files, setup, vars, cwd }: EnvSpec, salt: string): string {
  const seen = setup.length === 0 ? [] : [setup, vars, cwd ?? null]
  const text = JSON.stringify([packages, files?.version ?? null, ...seen])
  return new Bun.CryptoHasher("sha256", salt).update(text).digest("hex").slice(0, 16)
}

function cwdIn(spec: EnvSpec, folder: string): string {
  return spec.cwd ?? (spec.files === undefined ? folder : join(folder, "files"))
}

function recordOf(folder: string): string {
  return `${folder}.json`
}

/** Of any complete build with the same packages. */
function lockfileFor(builds: string, packages: BuildRecord["packages"]): string | undefined {
  return list(builds)
    .filter((name) => name.endsWith(".json"))
    .filter((name) => {
      try {
        return Bun.deepEquals(
          JSON.parse(readFileSync(join(builds, name), "utf8")),
          { packages },
          true,
        )
      } catch {
        return false
      }
    })
    .map((name) => join(builds, name.replace(/\.json$/, ""), LOCKFILE))
    .find((path) => existsSync(path))
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

function checkCwd(env: string, cwd: string | undefined): void {
  if (cwd === undefined) return
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true) return
  const message = `the working directory ${cwd} of env ${JSON.stringify(env)} is no folder on the daemon's machine`
  throw new BunhouseError("INVALID_ARGUMENT", message, { env })
}
