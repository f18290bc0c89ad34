import { BunhouseError } from "../protocol/errors.ts"

/**
 * A misspelt option must not be ignored: TypeScript sees one where the options are written out, and JavaScript never.
 * Throws INVALID_ARGUMENT.
 */
export function checkKnown<T extends object>(
  what: string,
  options: T,
  known: Readonly<Record<keyof T, true>>,
): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue
    const names = Object.keys(known).join(", ")
    throw new BunhouseError(
      "INVALID_ARGUMENT",
      `${what} has the unknown option ${JSON.stringify(name)} (known: ${names})`,
    )
  }
}
