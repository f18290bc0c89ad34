import { delimiter, resolve } from "node:path"
import type { Environment } from "../../protocol/home.ts"

/** The variables that say whom to trust, for a program that runs in another folder: paths are made absolute. */
export function trustOf(environment: Environment): Record<string, string> {
  const trust: Record<string, string> = {}
  for (const [name, made] of VARIABLES) {
    const value = environment[name]
    if (value !== undefined && value !== "") trust[name] = made(value)
  }
  return trust
}

const asIs = (value: string): string => value
const path = (value: string): string => resolve(value)
const paths = (value: string): string => value.split(delimiter).map(path).join(delimiter)

const VARIABLES = [
  ["NODE_EXTRA_CA_CERTS", path],
  ["NODE_TLS_REJECT_UNAUTHORIZED", asIs],
  ["NODE_USE_SYSTEM_CA", asIs],
  ["SSL_CERT_DIR", paths],
  ["SSL_CERT_FILE", path],
] as const
