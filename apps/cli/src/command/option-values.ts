import { readFile } from 'node:fs/promises'
import { text as readText } from 'node:stream/consumers'
import type { Json, JsonObject } from '@muster/client'
import { isJsonObject } from '@muster/contract/json'
import { InvalidArgumentError } from 'commander'
import type { Environment } from '../environment.ts'
import { usageError } from '../failure.ts'

export function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text)
  throw new InvalidArgumentError('Expected a whole number, at least 1.')
}

/** Seconds that the hub is told; it knows the bounds. */
export function parseSeconds(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number of seconds.')
}

/** 24 days. A timer of Node that has more milliseconds ends at once. */
const waitSecondsMax = Math.floor((2 ** 31 - 1) / 1000)

/** Seconds that this program waits. */
export function parseWaitSeconds(text: string): number {
  if (/^\d{1,9}$/.test(text) && Number(text) <= waitSecondsMax) return Number(text)
  throw new InvalidArgumentError(`Expected a whole number of seconds, at most ${waitSecondsMax}.`)
}

/** `a,b` is two words, and so is the option given twice. */
export function collectWords(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(/[,\s]+/).filter((word) => word !== '')]
}

/** A value of JSON: the text itself, `@file` or the path of a file, or `-` for the standard input. */
export async function readJson(flag: string, given: string, environment: Environment): Promise<Json> {
  const inText = parse(given)
  if (inText !== undefined) return inText
  const path = given.replace(/^@/, '')
  const content = given === '-' ? await readText(environment.stdin) : await readFile(path, 'utf8').catch(() => null)
  if (content === null) throw usageError(`${flag} is neither JSON nor a file that can be read: ${clipped(given)}`)
  const inFile = parse(content)
  if (inFile === undefined) throw usageError(`${flag}: ${given === '-' ? 'the standard input' : path} holds no JSON`)
  return inFile
}

export async function readJsonObject(flag: string, given: string, environment: Environment): Promise<JsonObject> {
  const value = await readJson(flag, given, environment)
  if (isJsonObject(value)) return value
  throw usageError(
    `${flag} must be an object of JSON, such as '{"building":43}', got ${clipped(JSON.stringify(value))}`,
  )
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function clipped(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}
