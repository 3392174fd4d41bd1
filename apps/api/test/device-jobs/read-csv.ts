/** Reads a CSV text as RFC 4180 has it, into a record for each line. An apostrophe at the beginning of a cell is taken off. */
export function readCsv(text: string): Record<string, string>[] {
  const cell = /("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)/gy
  const lines: string[][] = [[]]
  let end = 0
  for (const [whole, content = '', mark] of text.matchAll(cell)) {
    end += whole.length
    const raw = content.startsWith('"') ? content.slice(1, -1).replaceAll('""', '"') : content
    lines.at(-1)?.push(raw.replace(/^'/, ''))
    if (mark === '\r\n') lines.push([])
  }
  if (end !== text.length) throw new Error(`no CSV from ${end}: ${text.slice(end, end + 40)}`)
  const [head = [], ...rows] = lines.slice(0, -1)
  return rows.map((cells) => {
    if (cells.length !== head.length) throw new Error(`${cells.length} cells in ${cells}`)
    return Object.fromEntries(head.map((name, index) => [name, cells[index] ?? '']))
  })
}
