import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

// Makes the passwords of a hub at its first start. A file that is there stays as it is, so that a start that was cut short is carried
// on. Only the containers that mount a folder see it, under users of their own: its files may be read by all of them.

const folder = process.argv[2] ?? '/secrets'
const postgres = keep('postgres/password', randomPassword)
const redis = keep('redis/password', randomPassword)
keep('redis/redis.conf', () => `requirepass ${redis}`)
keep('hub/database-url', () => `postgres://muster:${postgres}@postgres:5432/muster`)
keep('hub/redis-url', () => `redis://:${redis}@redis:6379`)
keep('hub/operator-token', randomPassword)
keep('grafana/password', randomPassword)

/** The text of the file; made when it is missing. It is there whole or not at all. */
function keep(name, make) {
  const file = `${folder}/${name}`
  const present = readIfPresent(file)
  if (present !== null) return present
  const text = make()
  writeFileSync(`${file}.new`, text, { mode: 0o444 })
  renameSync(`${file}.new`, file)
  process.stdout.write(`made ${name}\n`)
  return text
}

function readIfPresent(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}

/** 192 bits, without a character that means something in a URL. */
function randomPassword() {
  return randomBytes(24).toString('base64url')
}
