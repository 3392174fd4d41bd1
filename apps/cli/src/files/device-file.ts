import { clip, isJsonObject, numbersIn } from '@muster/contract'
import { csvRows } from './csv-rows.ts'
import type { EntryOrFault } from './entry.ts'
import { readEntry } from './read-entry.ts'
import { textLines } from './text-lines.ts'

/**
 * Reads a file of devices and modules: `.csv` with a header, any other name with one JSON object in each line. A line has the members of
 * an entry of a bulk request; importMode may be left out.
 */
export async function* readDeviceFile(path: string): AsyncGenerator<EntryOrFault> {
  if (path.toLowerCase().endsWith('.csv')) {
    yield* csvRows(path)
    return
  }
  for await (const { no, text } of textLines(path)) yield readLine(`line ${no}`, text)
}

function readLine(place: string, text: string | null): EntryOrFault {
  if (text === null) return { place, complaint: 'it is longer than 1 MiB; expected one JSON object in each line' }
  try {
    const body: unknown = JSON.parse(text)
    // The text, because the rules of numbers look at how they are written.
    if (isJsonObject(body)) return readEntry(place, body, numbersIn(text, body))
    return { place, complaint: `expected a JSON object, got ${clip(text, 40)}` }
  } catch (error) {
    if (error instanceof SyntaxError) return { place, complaint: `it is no JSON (${error.message})` }
    throw error
  }
}
