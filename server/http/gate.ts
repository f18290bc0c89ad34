import { BunhouseError } from "../../protocol/errors.ts"
import { hostInUrl } from "../../protocol/home.ts"
import { PROTOCOL_HEADER, paths } from "../../protocol/http.ts"
import { PROTOCOL_VERSION } from "../../protocol/version.ts"

/**
 * Who may come in. Every request of every method and path passes here before it is routed, upgrades included.
 *
 * Invariants:
 * G1. Allow-lists only: what is not named is refused, also methods and paths that do not exist.
 * G2. No page in a browser gets through, whatever token it may know: a foreign Host means DNS rebinding, an Origin or
 *     a cross-site fetch means a page. There are no cookies and no CORS headers.
 * G3. Only liveness is free of the token, and it says nothing.
 * G4. The token is compared in constant time, by digests of equal length.
 */
export class Gate {
  readonly #tokenDigest: Buffer
  readonly #hosts: Hosts

  constructor(token: string, hosts: Hosts) {
    this.#tokenDigest = digest(token)
    this.#hosts = hosts
  }

  /** Undefined when the request may pass, else the refusal. */
  refusal(request: Request): BunhouseError | undefined {
    const { headers } = request
    if (!this.#isKnownHost(headers.get("host"))) {
      return new BunhouseError("PERMISSION_DENIED", "this Host is not served here", { ran: "no" })
    }
    const site = headers.get("sec-fetch-site")
    if (headers.has("origin") || (site !== null && site !== "none")) {
      return new BunhouseError("PERMISSION_DENIED", "requests from web pages are refused")
    }
    if (request.method === "GET" && new URL(request.url).pathname === paths.health) return undefined
    if (!this.#isAuthorized(headers.get("authorization"))) {
      return new BunhouseError(
        "UNAUTHENTICATED",
        "expected the header `authorization: Bearer <token>`; the token stands in the daemon's state folder",
      )
    }
    const protocol = headers.get(PROTOCOL_HEADER)
    if (protocol !== null && protocol !== String(PROTOCOL_VERSION)) {
      return new BunhouseError(
        "VERSION_MISMATCH",
        `the client speaks protocol ${protocol.slice(0, 20)}, the daemon ${PROTOCOL_VERSION}: use the same bunhouse version on both sides`,
      )
    }
    return undefined
  }

  #isKnownHost(header: string | null): boolean {
    if (header === null) return false
    const host = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.exec(header)?.[1]
    if (host === undefined) return false
    return this.#hosts.names.has(host.toLowerCase()) || (this.#hosts.anyAddress && isAddress(host))
  }

  #isAuthorized(header: string | null): boolean {
    if (header === null || header.length > HEADER_LENGTH_MAX) return false
    const token = /^Bearer (\S+)$/i.exec(header)?.[1]
    return token !== undefined && crypto.timingSafeEqual(digest(token), this.#tokenDigest)
  }
}

/** Under which hosts the daemon may be addressed, without port. */
export interface Hosts {
  /** Lower case; IPv6 addresses in brackets. */
  readonly names: ReadonlySet<string>
  /** Under any address as well: no name that is bound anew (G2) looks like one. */
  readonly anyAddress: boolean
}

/** Of a daemon that listens on `host` and is known by `others`, too. */
export function hostsOf(host: string, others: readonly string[]): Hosts {
  const isWildcard = host === "0.0.0.0" || host === "::"
  const own = isWildcard ? [process.getBuiltinModule("node:os").hostname()] : []
  const names = [...LOCAL_HOSTS, hostInUrl(host), ...own, ...others]
  return { names: new Set(names.map((name) => name.toLowerCase())), anyAddress: isWildcard }
}

/** Host names of the machine itself; always allowed. */
const LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

function isAddress(host: string): boolean {
  return host.startsWith("[") || /^\d{1,3}(\.\d{1,3}){3}$/.test(host)
}

const HEADER_LENGTH_MAX = 1024

function digest(token: string): Buffer {
  return new Bun.CryptoHasher("sha256").update(token).digest()
}
