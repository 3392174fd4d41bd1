import { round } from './svg.ts'

/** A value for each step of the time, from the first to the last; null where there is none. */
export interface Line {
  readonly name: string
  readonly values: readonly (number | null)[]
}

export type Point = readonly [x: number, y: number]

/** The path of a line: with gaps where it has no value, as Grafana draws it. */
export function linePath(points: readonly (Point | null)[]): string {
  return stretches(points)
    .map((stretch) => thinned(stretch).map(pair).join('L'))
    .map((text) => `M${text}`)
    .join('')
}

/** The path around what lies between two lines without gaps. */
export function areaPath(upper: readonly (Point | null)[], lower: readonly (Point | null)[]): string {
  const [there, back] = [stretches(upper).flatMap(thinned), stretches(lower).flatMap(thinned).toReversed()]
  return `M${[...there, ...back].map(pair).join('L')}Z`
}

/** Each line on top of those before it. A line without a value adds nothing. */
export function stacked(lines: readonly Line[], length: number): readonly (readonly number[])[] {
  const levels: number[][] = [Array.from({ length }, () => 0)]
  for (const { values } of lines) {
    const below = levels.at(-1) ?? []
    levels.push(below.map((level, index) => level + (values[index] ?? 0)))
  }
  return levels
}

function stretches(points: readonly (Point | null)[]): readonly (readonly Point[])[] {
  const found: Point[][] = [[]]
  for (const point of points) {
    if (point === null) found.push([])
    else found.at(-1)?.push(point)
  }
  return found.filter((stretch) => stretch.length > 0)
}

/** How far, in pixels, a line may leave the points that are left out. */
const tolerance = 0.25

/** The points that make the shape: the one that is farthest from the straight line between the ends, and so on (Ramer, Douglas, Peucker). */
function thinned(points: readonly Point[]): readonly Point[] {
  const [first, last] = [points.at(0), points.at(-1)]
  if (first === undefined || last === undefined || points.length < 3) return points
  const slope = (last[1] - first[1]) / (last[0] - first[0])
  let farthest = 0
  let distance = tolerance
  points.forEach(([x, y], index) => {
    const off = Math.abs(y - (first[1] + slope * (x - first[0])))
    if (off <= distance) return
    farthest = index
    distance = off
  })
  if (farthest === 0) return [first, last]
  return [...thinned(points.slice(0, farthest + 1)), ...thinned(points.slice(farthest)).slice(1)]
}

function pair([x, y]: Point): string {
  return `${round(x)} ${round(y)}`
}
