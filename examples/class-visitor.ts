/** Another process, which class-state.ts starts: of the class it has the type only. */
import { here } from "bunhouse"
import type { Visits } from "./class-state.ts"

const RemoteVisits = await here.getClass<typeof Visits>("visits/Visits")
const visits = await RemoteVisits.get("site")
console.log(await visits.count("/home"), "of", await visits.get("total"))
