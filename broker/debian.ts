import { mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { BunhouseError } from "../protocol/errors.ts"
import type { Environment } from "../protocol/home.ts"
import { PACKAGE_FETCH_MS_MAX } from "../protocol/limits.ts"
import type { NatsServerBinary } from "./binary.ts"
import { installNatsServer, makeScratch } from "./cache.ts"
import { runProgram } from "./program.ts"

/**
 * Fetches the package `nats-server` of Debian or Ubuntu into the cache, without installing it: no root, no sudo,
 * nothing on the system changes. apt checks the package against the distribution's signed lists.
 */
export interface PackageOptions {
  readonly cache: string
  /** Of the daemon: PATH and the proxies are passed on. */
  readonly environment: Environment
  readonly progress: (line: string) => void
}

/** Throws UNAVAILABLE with the reason. */
export async function fetchPackage(options: PackageOptions): Promise<NatsServerBinary> {
  const { cache, environment, progress } = options
  const apt = new Apt(environment, progress)
  await using scratch = await makeScratch(cache)
  const folder = scratch.path
  progress("fetching the distribution's package nats-server")
  const known = await apt.download(folder, [])
  if (known !== undefined) {
    progress(`the system's package lists do not lead to it (${known}): fetching lists of our own`)
    const lists = await apt.privateLists(folder)
    const reason = await apt.download(folder, lists)
    if (reason !== undefined) throw unavailable(`\`apt-get download nats-server\`: ${reason}`)
  }
  const program = await apt.unpack(folder)
  return await installNatsServer(cache, folder, program, "package")
}

class Apt {
  readonly #aptGet: string
  readonly #dpkgDeb: string
  readonly #environment: Readonly<Record<string, string>>
  readonly #progress: (line: string) => void

  constructor(environment: Environment, progress: (line: string) => void) {
    const PATH = `${environment["PATH"] ?? ""}:/usr/bin:/bin`
    const aptGet = Bun.which("apt-get", { PATH })
    const dpkgDeb = Bun.which("dpkg-deb", { PATH })
    if (aptGet === null || dpkgDeb === null) {
      throw unavailable("this is no Debian or Ubuntu (apt-get and dpkg-deb are not there)")
    }
    this.#aptGet = aptGet
    this.#dpkgDeb = dpkgDeb
    this.#environment = { ...proxies(environment), PATH, LC_ALL: "C" }
    this.#progress = progress
  }

  /** Options that make apt use lists in `folder` instead of the system's, once these lists were fetched. */
  async privateLists(folder: string): Promise<string[]> {
    const lists = join(folder, "lists")
    const cache = join(folder, "apt")
    await mkdir(join(lists, "partial"), { recursive: true })
    await mkdir(join(cache, "archives", "partial"), { recursive: true })
    const options = ["-o", `Dir::State::lists=${lists}`, "-o", `Dir::Cache=${cache}`]
    // One source of many that cannot be had makes this fail; whether ours was among them, the download says.
    await this.#run(folder, [...options, "update"])
    return options
  }

  /** Returns the reason when the package did not come. */
  async download(folder: string, options: readonly string[]): Promise<string | undefined> {
    const end = await this.#run(folder, [...options, "download", "nats-server"])
    return end.isSuccess ? undefined : end.reason
  }

  async unpack(folder: string): Promise<Uint8Array> {
    const file = (await readdir(folder)).find((name) => name.endsWith(".deb"))
    if (file === undefined) throw unavailable("`apt-get download nats-server` left no package")
    const root = join(folder, "root")
    const options = { timeoutMs: PACKAGE_FETCH_MS_MAX, environment: this.#environment, folder }
    const end = await runProgram([this.#dpkgDeb, "-x", join(folder, file), root], options)
    if (!end.isSuccess) throw unavailable(`\`dpkg-deb -x ${file}\`: ${end.reason}`)
    for (const place of ["usr/sbin", "usr/bin"]) {
      const program = Bun.file(join(root, place, "nats-server"))
      if (await program.exists()) return await program.bytes()
    }
    throw unavailable(`${file} holds no nats-server`)
  }

  #run(folder: string, words: readonly string[]) {
    return runProgram([this.#aptGet, ...this.#sandbox(), ...words], {
      timeoutMs: PACKAGE_FETCH_MS_MAX,
      environment: this.#environment,
      folder,
      // Lines such as "Get:1 http://deb.debian.org/debian … nats-server amd64 2.9.10 [3645 kB]".
      onLine: (line) => {
        if (line.startsWith("Get:") || line.startsWith("Fetched ")) this.#progress(line)
      },
    })
  }

  /** Root's apt hands downloads to the user `_apt`, who may not enter our folder. */
  #sandbox(): string[] {
    return process.getuid?.() === 0 ? ["-o", "APT::Sandbox::User=root"] : []
  }
}

function proxies(environment: Environment): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    if (/_proxy$/i.test(name) && value !== undefined) found[name] = value
  }
  return found
}

function unavailable(message: string): BunhouseError {
  return new BunhouseError("UNAVAILABLE", message)
}
