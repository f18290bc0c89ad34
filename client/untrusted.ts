import { BunhouseError } from "../protocol/errors.ts"

/**
 * Whether the TLS handshake failed: who listens has no certificate that this process trusts, or speaks no TLS. A request is
 * sent after it, so that nothing was.
 */
export function isUntrusted(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && HANDSHAKE_FAILED.test(String(cause.code))
}

export function untrusted(url: string, cause: unknown): BunhouseError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const message = `there is no trusted connection to ${url} (${reason}); NODE_EXTRA_CA_CERTS names an authority of your own`
  return new BunhouseError("UNAVAILABLE", message, { ran: "no", cause })
}

/** The names that OpenSSL has for what is wrong with a certificate, and Bun's for names that differ and for no TLS at all. */
const HANDSHAKE_FAILED =
  /^(CERT_|CRL_|DEPTH_ZERO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH$|INVALID_(CA|PURPOSE)$|PATH_LENGTH_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_|EPROTO$)/
