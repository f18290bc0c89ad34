import { BunhouseError } from "./errors.ts"

/**
 * The flags of Bun that an env may be given. A list of what is allowed, because most others would break the supervision
 * of the process (--watch, --hot, --no-orphans), run something else (--eval, --print), change what the spec says by other
 * means (--cwd, --env-file, --install, --config), or open a port that asks for no token (--inspect).
 */
const BARE = new Set(
  `--smol --expose-gc --zero-fill-buffers --no-addons --no-ffi-cc --preserve-symlinks --no-deprecation --throw-deprecation
   --no-warnings --trace-warnings --trace-deprecation --pending-deprecation --use-system-ca --use-openssl-ca
   --use-bundled-ca --tls-min-v1.2 --tls-min-v1.3 --tls-max-v1.2 --tls-max-v1.3 --experimental-http2-fetch
   --experimental-http3-fetch --experimental-stream-iter --jsx-side-effects --ignore-dce-annotations`.split(
    /\s+/,
  ),
)
const WITH_VALUE = new Set(
  `--preload --require --import --conditions --define --drop --feature --loader --main-fields --extension-order
   --tsconfig-override --jsx-factory --jsx-fragment --jsx-import-source --jsx-runtime --max-http-header-size
   --dns-result-order --disable-warning --console-depth --user-agent --fetch-preconnect --title`.split(
    /\s+/,
  ),
)

/** Reads the flags of an env. One that takes a value is written `--name=value`. Throws INVALID_ARGUMENT. */
export function readBunArgs(what: string, input: unknown): readonly string[] {
  if (input === undefined) return []
  if (!Array.isArray(input) || !input.every((item) => typeof item === "string")) {
    throw refusal(what, `expected bunArgs to be a list of flags such as "--smol"`)
  }
  for (const flag of input) {
    const reason = whyNotAllowed(flag)
    if (reason !== undefined) {
      throw refusal(what, `${JSON.stringify(flag)} cannot be in bunArgs: ${reason}`)
    }
  }
  return input
}

function whyNotAllowed(flag: string): string | undefined {
  if (flag.includes("\0")) return "it contains a NUL"
  if (BARE.has(flag)) return undefined
  const equals = flag.indexOf("=")
  const name = equals === -1 ? flag : flag.slice(0, equals)
  if (!WITH_VALUE.has(name)) {
    return `allowed are ${[...BARE].join(", ")} and, with =value, ${[...WITH_VALUE].join(", ")}`
  }
  return equals === -1 || equals === flag.length - 1 ? `expected ${name}=value` : undefined
}

function refusal(what: string, reason: string): BunhouseError {
  return new BunhouseError("INVALID_ARGUMENT", `${what}: ${reason}`)
}
