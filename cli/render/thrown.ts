import type { Style } from "../style.ts"
import { printable } from "./printable.ts"

/** What a function threw, as it came by JSON: an error with the stack it had where it ran, or `{ value }`. */
export function renderThrown(thrown: unknown, target: string, style: Style): string {
  return `${style.red(`${target} threw`)} ${printable(causes(thrown).join("\ncaused by: "))}`
}

/** The error, its cause, the cause of that. */
function causes(thrown: unknown): string[] {
  const texts: string[] = []
  let error = thrown
  while (texts.length < CAUSES_MAX && isRecord(error) && typeof error["name"] === "string") {
    texts.push(errorText(error))
    error = error["cause"]
  }
  if (texts.length > 0) return texts
  const value = isRecord(thrown) ? thrown["value"] : thrown
  // JSON leaves out `undefined`.
  return [value === undefined ? "undefined" : JSON.stringify(value)]
}

/** Stacks begin with name and message in some engines only. */
function errorText(error: Readonly<Record<string, unknown>>): string {
  const title = `${String(error["name"])}: ${String(error["message"])}`
  const stack = typeof error["stack"] === "string" ? error["stack"].trimEnd() : ""
  if (stack === "") return title
  return stack.startsWith(String(error["name"])) ? stack : `${title}\n${stack}`
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null
}

const CAUSES_MAX = 8
