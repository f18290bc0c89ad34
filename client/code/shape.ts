import { type AnyFunction, checkSendable, refusal, textOf } from "./kind.ts"
import { readWords } from "./words.ts"

/** How the text of a function stands in a module. */
export interface Shape {
  /** The text of the function. */
  readonly code: string
  readonly isAsync: boolean
  readonly isGenerator: boolean
  /** An expression with a name of its own, an expression without one, or a method of an object literal. */
  readonly form: "named" | "unnamed" | "method"
  /** With methods: the offset in `code` of the bracket that opens the parameters, right after the name. */
  readonly parameters: number
}

/** Throws FUNCTION_NOT_SENDABLE, also for all that `kindOf` refuses. */
export function shapeOf(f: AnyFunction): Shape {
  checkSendable(f)
  const code = textOf(f)
  const { form, parameters, ...is } = readWords(code)
  switch (form) {
    case "named":
    case "unnamed":
    case "method":
      return { code, ...is, form, parameters }
    case "getter":
    case "setter":
      throw refusal(f, `it is a ${form}; ${SEND_ARROW}`)
    case "private method":
      throw refusal(f, `it is the #private method of a class; ${SEND_ARROW}`)
    case "unknown":
      throw refusal(f, UNREADABLE)
    default:
      return form satisfies never
  }
}

/** What to do instead of sending a method that belongs to a class too closely. */
export const SEND_ARROW = "send an arrow function that takes what it needs as arguments"

export const UNREADABLE = "its text cannot be read as JavaScript"
