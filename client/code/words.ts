/**
 * What the first words of a function's text say, read without a parser: so that a function which an env knows already
 * is recognised without loading one. Before a text is sent, the parser has the last word (text.ts).
 *
 * The text begins with the function itself. Comments between words are rare (Bun drops them, except in text that was
 * given to eval), but they are read.
 */
export interface Words {
  readonly isAsync: boolean
  readonly isGenerator: boolean
  /** "named" is an expression that brings its own name along: `function resize() {}`. */
  readonly form: "named" | "unnamed" | "method" | "getter" | "setter" | "private method" | "unknown"
  /** With methods: the offset of the bracket that opens the parameters, right after the name. */
  readonly parameters: number
}

/** `code` is the text of a function that is no class. */
export function readWords(code: string): Words {
  const start = after(ASYNC, code, 0)
  const at = isOnlyName(code, start) ? 0 : start
  const isAsync = at > 0
  const keyword = after(FUNCTION, code, at)
  const key = after(STAR, code, keyword)
  const is = { isAsync, isGenerator: key > keyword }
  if (keyword > at) {
    return { ...is, form: after(NAME, code, key) > key ? "named" : "unnamed", parameters: 0 }
  }
  if (code[at] === "(" || after(ARROW, code, at) > at)
    return { ...is, form: "unnamed", parameters: 0 }
  if (code[key] === "#") return { ...is, form: "private method", parameters: 0 }
  const accessor = after(ACCESSOR, code, at)
  if (!isAsync && accessor > at) {
    return { ...is, form: code.startsWith("get") ? "getter" : "setter", parameters: 0 }
  }
  const nameEnd = code[key] === "[" ? bracketEnd(code, key) : after(KEY, code, key)
  const parameters = after(BETWEEN, code, nameEnd ?? key)
  return { ...is, form: code[parameters] === "(" ? "method" : "unknown", parameters }
}

/** True for `async(x) { … }`, where the word is the name of a method. */
export function isMethodCalledAsync(code: string): boolean {
  const start = after(ASYNC, code, 0)
  return code[start] === "(" && start > 0 && isOnlyName(code, start)
}

/** Whether the `async` that ends at `start` is a name: in `async => x` and `async(x) { … }`, not in `async (x) => x`. */
function isOnlyName(code: string, start: number): boolean {
  if (code[start] !== "(") return code.startsWith("=>", start)
  const end = bracketEnd(code, start)
  return end !== undefined && !code.startsWith("=>", after(BETWEEN, code, end))
}

const GAP = String.raw`(?:\s|/\*(?:[^*]|\*(?!/))*\*/|//.*\n)*`
const WORD = String.raw`[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*`
const WORD_ENDS = String.raw`(?![\p{ID_Continue}$\u200c\u200d])`

const BETWEEN = new RegExp(GAP, "uy")
const ASYNC = new RegExp(`async${WORD_ENDS}${GAP}`, "uy")
const FUNCTION = new RegExp(`function${WORD_ENDS}${GAP}`, "uy")
const STAR = new RegExp(String.raw`\*${GAP}`, "uy")
const NAME = new RegExp(WORD, "uy")
const ARROW = new RegExp(`${WORD}${GAP}=>`, "uy")
const ACCESSOR = new RegExp(String.raw`[gs]et${WORD_ENDS}${GAP}[^\s(/]`, "uy")
const TEXT = String.raw`"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'`
const KEY = new RegExp(String.raw`${WORD}|${TEXT}|[\d.][\w.]*`, "uy")

/** Where `pattern` ends that begins at `from`; `from` itself where it does not begin there. */
function after(pattern: RegExp, code: string, from: number): number {
  pattern.lastIndex = from
  return pattern.test(code) ? pattern.lastIndex : from
}

/** The offset after the bracket that closes the one at `from`. Brackets and quotes in regular expressions mislead it. */
function bracketEnd(code: string, from: number): number | undefined {
  let depth = 0
  let quote = ""
  for (let at = from; at < code.length; at++) {
    const char = code[at] ?? ""
    if (quote !== "") {
      if (char === "\\") at++
      else if (char === quote) quote = ""
    } else if (QUOTES.has(char)) quote = char
    else if (OPENING.has(char)) depth++
    else if (CLOSING.has(char) && --depth === 0) return at + 1
  }
  return undefined
}

const QUOTES: ReadonlySet<string> = new Set([`"`, "'", "`"])
const OPENING: ReadonlySet<string> = new Set(["(", "[", "{"])
const CLOSING: ReadonlySet<string> = new Set([")", "]", "}"])
