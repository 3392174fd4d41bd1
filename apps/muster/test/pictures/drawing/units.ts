/** How a unit of Grafana is written, and in which steps its axis goes. */
export interface Unit {
  readonly steps: 'decimal' | 'binary' | 'time'
  format(value: number): string
}

const thousands = [
  [1e9, ' Bil'],
  [1e6, ' Mil'],
  [1e3, ' K'],
] as const
const bytes = [
  [1024 ** 3, ' GiB'],
  [1024 ** 2, ' MiB'],
  [1024, ' KiB'],
  [1, ' B'],
] as const
const bytesPerSecond = [
  [1e9, ' GB/s'],
  [1e6, ' MB/s'],
  [1e3, ' kB/s'],
  [1, ' B/s'],
] as const
const seconds = [
  [86_400, ' days'],
  [3_600, ' h'],
  [60, ' min'],
  [1, ' s'],
  [1e-3, ' ms'],
  [1e-6, ' µs'],
  [1e-9, ' ns'],
] as const

const units: Readonly<Record<string, Unit>> = {
  none: { steps: 'decimal', format: plain },
  short: { steps: 'decimal', format: (value) => scaled(value, thousands) },
  ops: { steps: 'decimal', format: (value) => `${scaled(value, thousands)} ops/s` },
  reqps: { steps: 'decimal', format: (value) => `${scaled(value, thousands)} req/s` },
  percentunit: { steps: 'decimal', format: (value) => `${plain(value * 100)}%` },
  s: { steps: 'time', format: (value) => scaled(value, seconds, ' s') },
  d: { steps: 'decimal', format: (value) => `${plain(value)} days` },
  bytes: { steps: 'binary', format: (value) => scaled(value, bytes, ' B') },
  Bps: { steps: 'decimal', format: (value) => scaled(value, bytesPerSecond, ' B/s') },
}

/** @throws Error for a unit that no panel has had: its way of writing is to be added here */
export function unitOf(name: string): Unit {
  const unit = units[name]
  if (unit === undefined) throw new Error(`the unit ${name} cannot be drawn yet: say in units.ts how it is written`)
  return unit
}

/** With the largest name that leaves at least one of it; what is below all names has the name `least`. */
function scaled(value: number, names: readonly (readonly [size: number, name: string])[], least = ''): string {
  // What rounds up to the next name has that name: 999.9 ms is a second.
  const [size, name] = names.find(([size]) => Number(Math.abs(value / size).toPrecision(3)) >= 1) ?? [1, least]
  return `${plain(value / size)}${name}`
}

/** Three digits, or all of a whole number. */
function plain(value: number): string {
  const rounded = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
  return rounded.toLocaleString('en')
}
