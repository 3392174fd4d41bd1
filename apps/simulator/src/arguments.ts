import { HubError, isDeviceId, isJsonObject, type JsonObject, limits, parseSection } from '@muster/contract'
import { InvalidArgumentError } from 'commander'

/** Readers of option values. Each throws an InvalidArgumentError that says what was expected. */

export function parseCount(text: string): number {
  return parseWhole(text, 1, 100_000)
}

export function parsePort(text: string): number {
  return parseWhole(text, 1, 65_535)
}

/** The status of a method is any 32-bit integer. The codes of HTTP are only a custom. */
export function parseStatus(text: string): number {
  return parseWhole(text, -(2 ** 31), 2 ** 31 - 1)
}

/** `5%` is 0.05. */
export function parseShare(text: string): number {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1]
  if (percent === undefined || Number(percent) > 100) {
    throw new InvalidArgumentError('Expected a percentage from 0% to 100%, such as 5%.')
  }
  return Number(percent) / 100
}

/** `200`, or the range `20-200`, in milliseconds. */
export function parseLatency(text: string): readonly [number, number] {
  const [shortest, longest = shortest] = /^(\d+)(?:-(\d+))?$/.exec(text)?.slice(1).filter(Boolean).map(Number) ?? []
  if (shortest === undefined || longest === undefined || shortest > longest || longest > longestLatencyMs) {
    throw new InvalidArgumentError(
      `Expected milliseconds up to ${longestLatencyMs}: a number such as 50, or a range such as 20-200.`,
    )
  }
  return [shortest, longest]
}

export function parseTags(text: string): JsonObject {
  const tags = parseJson(text)
  if (!isJsonObject(tags)) throw new InvalidArgumentError(`Expected a JSON object, such as '{"building":43}'.`)
  try {
    return parseSection('tags', tags) ?? {}
  } catch (error) {
    if (error instanceof HubError) throw new InvalidArgumentError(error.message)
    throw error
  }
}

/** An id is the prefix and a number of five digits or more. */
export function parsePrefix(text: string): string {
  if (!isDeviceId(`${text}00000`)) {
    throw new InvalidArgumentError(
      `Expected at most ${limits.deviceIdLength - 5} ASCII letters, digits and - : . + % _ # * ? ! ( ) , = @ ; $ '.`,
    )
  }
  return text
}

const longestLatencyMs = limits.timeoutSecondsMax * 1000

function parseWhole(text: string, least: number, most: number): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) {
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`)
  }
  return value
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
