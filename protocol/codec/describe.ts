/** Words for what cannot be sent, and for where it stands. Bounded, because they travel inside of errors. */

const SHOWN_LENGTH_MAX = 200

export function describeClass(value: object): string {
  const name: unknown = (value.constructor as { name?: unknown } | undefined)?.name
  if (typeof name === "string" && name !== "") return name
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -"]".length)
  return tag === "Object" ? "an unnamed class" : tag
}

export function describeFunction(value: unknown): string {
  const name = (value as { name?: unknown }).name
  return typeof name === "string" && name !== "" ? `the function ${name}` : "a function"
}

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

/** `args[0].user["first name"]` */
export function showPath(path: readonly (string | number)[]): string {
  let shown = String(path[0])
  for (const part of path.slice(1)) {
    if (typeof part === "number") shown += `[${part}]`
    else shown += IDENTIFIER.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`
  }
  return shorten(shown)
}

export function shorten(text: string): string {
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX - 3)}...` : text
}
