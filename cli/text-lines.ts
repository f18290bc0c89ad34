/**
 * Lines of a text as they come: all that a chunk completes, at a time. The parts of a long line are joined once. `failed`
 * is told what reading fails with, and throws what is to be thrown.
 */
export async function* textLines(
  bytes: ReadableStream<Uint8Array>,
  failed: (error: unknown) => never,
): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder()
  let begun: string[] = []
  try {
    for await (const chunk of bytes) {
      const [first = "", ...others] = decoder.decode(chunk, { stream: true }).split("\n")
      begun.push(first)
      const last = others.pop()
      if (last === undefined) continue
      yield [begun.join(""), ...others]
      begun = [last]
    }
  } catch (error) {
    failed(error)
  }
  const rest = begun.join("")
  if (rest !== "") yield [rest]
}
