/** A file of the program that examples/travel.ts imports: it travels with what uses it. */
export function wordsIn(text: string): string[] {
  return text.toLowerCase().match(/\p{L}+/gu) ?? []
}
