import { type ErrorCode, ERROR_CODES } from "../../protocol/errors.ts"

export const ALL_CODES: readonly ErrorCode[] = Object.keys(ERROR_CODES).filter(isCode)

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code)
}
