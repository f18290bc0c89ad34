import type { BrokerConnection } from "../../broker/connection.ts"
import { openStore, type Store } from "../../broker/store.ts"

/** The store of a space, and the problems that it reports. */
export async function storeOf(
  connection: BrokerConnection,
  space = "space1",
): Promise<[Store, string[]]> {
  const problems: string[] = []
  const store = await openStore(connection, { space, problem: (line) => void problems.push(line) })
  return [store, problems]
}
