import type { DeviceJobRow } from './api-calls.ts'

/** The results of a job: one line for all devices that answered 200, and one for every other device. */
export function resultTable(rows: readonly DeviceJobRow[]): string {
  const plain = rows.filter((row) => row.status === 'completed' && (answerOf(row)?.status ?? 200) === 200)
  const others = rows.filter((row) => !plain.includes(row)).map(cellsOf)
  const answered = plain.some((row) => answerOf(row) !== undefined) ? '200' : ''
  return layOut([
    ['device', 'status', 'code', 'description'],
    [`${plain.length} devices`, 'completed', answered, ''],
    ...others,
  ])
}

function cellsOf(row: DeviceJobRow): string[] {
  const { deviceId, status, error } = row
  const answer = answerOf(row)
  return [
    deviceId,
    status,
    error?.code ?? String(answer?.status ?? ''),
    error?.description ?? (answer === undefined ? '' : JSON.stringify(answer.payload)),
  ]
}

function answerOf({ outcome }: DeviceJobRow): { status: number; payload: unknown } | undefined {
  return outcome.deviceMethodResponse ?? undefined
}

function layOut(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)))
  return lines
    .map((cells) => `  ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n')
}
