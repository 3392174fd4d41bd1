import type { DeviceError } from '@muster/contract'

export function countByCode(errors: readonly DeviceError[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { code } of errors) counts[code] = (counts[code] ?? 0) + 1
  return counts
}
