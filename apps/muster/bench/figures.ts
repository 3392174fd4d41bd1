/** What the machine needs for what cannot be spared. It takes turns with what is measured: a machine has busy minutes. */
export interface Baseline {
  readonly name: string
  readonly work: () => unknown
}

export interface Measuring {
  readonly runs: number
  /** How often a run does the work, which is then not to be waited for; the figures are those of one. */
  readonly repetitions?: number
  readonly baseline?: Baseline
  readonly barMs?: number
}

/**
 * Times the work, after one run that does not count, and prints a line. A figure over its bar is said to be so and is no
 * failure: machines differ. Returns what the last run gave.
 */
export async function figure<Result>(
  name: string,
  { runs, repetitions = 1, baseline, barMs }: Measuring,
  work: () => Promise<Result> | Result,
): Promise<Result> {
  let { result } = await timed(work, repetitions)
  const times: number[] = []
  const baselineTimes: number[] = []
  for (let run = 0; run < runs; run++) {
    if (baseline !== undefined) baselineTimes.push((await timed(baseline.work, repetitions)).ms)
    const one = await timed(work, repetitions)
    times.push(one.ms)
    result = one.result
  }
  const ratio = baseline === undefined ? '' : `${(median(times) / median(baselineTimes)).toFixed(1)} x ${baseline.name}`
  const bar = barMs === undefined ? '' : `bar ${duration(barMs)}${median(times) > barMs ? ': over the bar' : ''}`
  const cells = [duration(median(times)), duration(Math.max(...times)), `${runs} runs`]
  print(`${name.padEnd(60)}${cells.map((cell) => cell.padStart(10)).join('')}   ${ratio.padEnd(22)}${bar}`.trimEnd())
  return result
}

/** Milliseconds of one, and what the last one gave. */
async function timed<Result>(
  work: () => Promise<Result> | Result,
  repetitions: number,
): Promise<{ readonly ms: number; readonly result: Result }> {
  const startedAt = performance.now()
  for (let repetition = 1; repetition < repetitions; repetition++) void work()
  const result = await work()
  return { ms: (performance.now() - startedAt) / repetitions, result }
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN
}

/** The head of the lines that `figure` prints. */
export function printHead(title: string): void {
  print(`\n${title.padEnd(60)}${'median'.padStart(10)}${'worst'.padStart(10)}`)
}

export async function seconds(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / 1000
}

/** A result that is wrong makes the benchmark fail, whatever its figures. */
export function check(isRight: boolean, complaint: string): void {
  if (isRight) return
  print(`WRONG: ${complaint}`)
  process.exitCode = 1
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function duration(ms: number): string {
  if (ms < 0.1) return `${(ms * 1000).toFixed(1)} us`
  if (ms < 1000) return `${ms.toFixed(ms < 10 ? 2 : 0)} ms`
  return `${(ms / 1000).toFixed(2)} s`
}
