import { BunhouseError } from "../../protocol/errors.ts"
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
  readonly #hosts: ReadonlySet<string>

  /** `hosts`: host names under which the daemon may be addressed, without port. */
  constructor(token: string, hosts: Iterable<string>) {
    this.#tokenDigest = digest(token)
    this.#hosts = new Set(hosts)
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
    return host !== undefined && this.#hosts.has(host.toLowerCase())
  }

  #isAuthorized(header: string | null): boolean {
    if (header === null || header.length > HEADER_LENGTH_MAX) return false
    const token = /^Bearer (\S+)$/i.exec(header)?.[1]
    return token !== undefined && crypto.timingSafeEqual(digest(token), this.#tokenDigest)
  }
}

/** Host names of the machine itself; always allowed. */
export const LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

const HEADER_LENGTH_MAX = 1024

function digest(token: string): Buffer {
  return new Bun.CryptoHasher("sha256").update(token).digest()
}
