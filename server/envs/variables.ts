import { dirname, join } from "node:path"
import { type EnvVar, plainVars } from "../../protocol/env-vars.ts"
import type { Environment } from "../../protocol/home.ts"

/**
 * The environments of an env's processes: allow-lists, because the daemon's own environment holds secrets (its token,
 * cloud credentials) that a function has no business with.
 */
export class EnvVariables {
  readonly #passed: Readonly<Record<string, string>>
  readonly #forInstaller: Readonly<Record<string, string>>
  readonly #home: string

  constructor(daemon: Environment, home: string) {
    this.#passed = select(daemon, (name) => PASSED_ON.has(name) || name.startsWith("LC_"))
    this.#forInstaller = select(daemon, (name) => FOR_INSTALLER.test(name))
    this.#home = home
  }

  /** What functions see. Those of the spec win, but never over the daemon's own. */
  ofProcess(vars: Readonly<Record<string, EnvVar>>): Record<string, string> {
    // For the library inside of an env: `here` is the daemon that runs the env, and the env's log is not for its notices.
    return {
      ...this.#passed,
      ...plainVars(vars),
      BUNHOUSE_HOME: this.#home,
      BUNHOUSE_QUIET: "1",
    }
  }

  /** What a setup command sees: the same, and the programs of the env's packages, and Bun, by name. */
  ofSetup(vars: Readonly<Record<string, EnvVar>>, folder: string): Record<string, string> {
    const variables = this.ofProcess(vars)
    const path = [join(folder, "node_modules/.bin"), variables["PATH"], dirname(process.execPath)]
    return { ...variables, PATH: path.filter(Boolean).join(":") }
  }

  /** What `bun install` sees: where the registry is, how it is reached, and as whom. */
  ofInstaller(): Record<string, string> {
    return { ...this.#passed, ...this.#forInstaller }
  }
}

function select(daemon: Environment, isWanted: (name: string) => boolean): Record<string, string> {
  const wanted: Record<string, string> = {}
  for (const [name, value] of Object.entries(daemon)) {
    if (value !== undefined && isWanted(name)) wanted[name] = value
  }
  return wanted
}

const PASSED_ON = new Set([
  "HOME",
  "LANG",
  "LANGUAGE",
  "LOGNAME",
  // Whom to trust: also the broker, where it is somebody else's.
  "NODE_EXTRA_CA_CERTS",
  "PATH",
  "SHELL",
  "SSL_CERT_DIR",
  "SSL_CERT_FILE",
  "TMPDIR",
  "TZ",
  "USER",
  "XDG_CACHE_HOME",
])

/** Settings of npm and Bun (`npm_config_registry`, `NPM_TOKEN`, `BUN_CONFIG_REGISTRY`), proxies and certificates. */
const FOR_INSTALLER =
  /^(npm_|BUN_CONFIG_|BUN_INSTALL|XDG_CONFIG_HOME$|(https?|no|all)_proxy$|SSL_CERT_|NODE_EXTRA_CA_CERTS$)/i
