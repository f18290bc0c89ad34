/** Columns under headings, two spaces apart; numbers stand right. Empty columns are left out. */
export interface Column {
  readonly heading: string
  readonly cells: readonly string[]
  readonly align?: "right"
  /** Emphasis, applied after the cell was padded. */
  readonly paint?: (cell: string) => string
}

export function renderTable(columns: readonly Column[], heading: (text: string) => string): string {
  const shown = columns.filter(({ cells }) => cells.some((cell) => cell !== ""))
  const widths = shown.map((column) => {
    return Math.max(...[column.heading, ...column.cells].map((cell) => Bun.stringWidth(cell)))
  })
  const rows = Math.max(0, ...shown.map(({ cells }) => cells.length))
  const line = (cellOf: (column: Column) => string, paintOf: (column: Column) => Paint): string => {
    const parts = shown.map((column, index) => {
      const isLast = index === shown.length - 1
      const padded = pad(cellOf(column), widths[index] ?? 0, column.align, isLast)
      return paintOf(column)(padded)
    })
    return parts.join("  ")
  }
  const lines = [
    line(
      (column) => column.heading,
      () => heading,
    ),
  ]
  for (let row = 0; row < rows; row++) {
    lines.push(
      line(
        (column) => column.cells[row] ?? "",
        (column) => column.paint ?? plain,
      ),
    )
  }
  return lines.join("\n")
}

type Paint = (text: string) => string

const plain: Paint = (text) => text

/** The last column has no blanks behind it. */
function pad(cell: string, width: number, align: Column["align"], isLast: boolean): string {
  const blanks = " ".repeat(Math.max(0, width - Bun.stringWidth(cell)))
  if (align === "right") return blanks + cell
  return isLast ? cell : cell + blanks
}
