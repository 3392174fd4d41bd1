import { createReadStream } from 'node:fs'
import { CommandError } from '../failure.ts'

/** A request may be as large; a longer line is no entry, and no newline at all would fill the memory. */
const lineCharactersMax = 1024 * 1024

export interface TextLine {
  /** From 1. */
  readonly no: number
  /** Null: it is longer than any entry may be. */
  readonly text: string | null
}

/** The lines of a file in UTF-8 that hold something. */
export async function* textLines(path: string): AsyncGenerator<TextLine> {
  let no = 0
  let rest = ''
  let isTooLong = false
  for await (const chunk of textOf(path)) {
    const pieces = (rest + chunk).split('\n')
    rest = pieces.pop() ?? ''
    for (const piece of pieces) {
      no += 1
      const text = piece.trim()
      if (isTooLong || text !== '') yield { no, text: isTooLong ? null : text }
      isTooLong = false
    }
    if (rest.length > lineCharactersMax) {
      rest = ''
      isTooLong = true
    }
  }
  if (isTooLong || rest.trim() !== '') yield { no: no + 1, text: isTooLong ? null : rest.trim() }
}

/** The text of a file, without a byte order mark. Rejects when it is not UTF-8. */
export async function* textOf(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const bytes of createReadStream(path, { highWaterMark: 256 * 1024 })) {
      yield decoder.decode(bytes, { stream: true })
    }
    yield decoder.decode()
  } catch (cause) {
    throw cause instanceof TypeError ? new CommandError(`${path} is not UTF-8`, { cause }) : cause
  }
}
