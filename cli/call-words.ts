/**
 * Arguments of a call from words of the command line:
 *
 * - A single word that is a JSON list is all the arguments: `'[1, {"a": 2}]'`.
 * - Otherwise each word is one argument: as JSON where it is JSON (`2`, `true`, `'{"a": 1}'`, `'"2"'`), else as the
 *   text it is (`hello`).
 *
 * So the one argument `[1, 2]` is written `'[[1, 2]]'`, and the text `2` is written `'"2"'`.
 */
export function argsFromWords(words: readonly string[]): readonly unknown[] {
  const args = words.map(argFromWord)
  const [only] = args
  return args.length === 1 && Array.isArray(only) ? only : args
}

function argFromWord(word: string): unknown {
  try {
    return JSON.parse(word)
  } catch {
    return word
  }
}
