import { basename, extname, join, resolve } from "node:path"
import { isOfProject } from "./outside.ts"
import { DIALECTS } from "./source-file.ts"

/**
 * Files that a bundle does not hold: images and the like, which Bun lays beside it, pages, and databases (`with { type:
 * "sqlite" }`), which it leaves where they are. Style sheets mean nothing where a program runs, and are left out.
 */
export function assetProblems({ outputs, metafile }: Bun.BuildOutput): readonly string[] {
  const inputs = Object.entries(metafile?.inputs ?? {})
  const files = new Map(inputs.map(([path]) => [basename(path), resolve(path)]))
  const beside = outputs
    .filter(({ kind, loader, path }) => {
      return loader === "html" || (kind === "asset" && !path.endsWith(".css"))
    })
    .map(({ path }) => basename(path).replace(/-[0-9a-z]{8}(?=\.[^.]*$)/, ""))
  const left = inputs.flatMap(([path, { imports }]) => {
    // Macros have run, and are not imported any more.
    const names = imports.filter(({ path: name, external }) => {
      return external === true && isOfProject(name) && !DIALECTS.has(extname(name))
    })
    return names.map((one) => join(resolve(path), "..", one.path))
  })
  const problems = [...beside.map((name) => files.get(name) ?? name), ...left]
  return [...new Set(problems)].map((file) => {
    return `${file} is a file that no module can hold: pass what is in it`
  })
}
