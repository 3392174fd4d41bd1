import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import type { Config } from '../config/config.ts'
import { StartError } from '../config/start-error.ts'
import {
  type Bundle,
  formatBundle,
  isCertificate,
  isCurrent,
  isKey,
  isPair,
  makeAuthority,
  makeServer,
  parseBundle,
} from './local-authority.ts'
import { makeFolder } from './make-folder.ts'

/** The key and certificate of the TLS listeners, as PEM texts. */
export interface Tls extends Bundle {
  /** The CA that clients must trust. */
  readonly ca: string
  /** The part of it that is no public authority. A given certificate may be its own authority, or be signed by one. */
  readonly caFile: string
}

/**
 * The configured key and certificate; else our own in the data folder. Our CA is made once and stays, so that clients trust it once.
 * Our server certificate is renewed near its end, and when the host names change. Several processes may share the folder. A repeated
 * call writes only what has changed.
 * @throws StartError when a file cannot be read, written or used.
 */
export async function loadTls(config: Pick<Config, 'tls' | 'dataDir' | 'hostNames'>, now: Date): Promise<Tls> {
  return config.tls === null ? ownTls(config, now) : givenTls(config.tls)
}

async function givenTls({ certFile, keyFile }: { certFile: string; keyFile: string }): Promise<Tls> {
  const cert = await readPem('MUSTER_TLS_CERT', certFile)
  const key = await readPem('MUSTER_TLS_KEY', keyFile)
  if (!isCertificate(cert)) throw new StartError(`MUSTER_TLS_CERT "${certFile}" is not a certificate in PEM form`)
  if (!isKey(key)) {
    throw new StartError(`MUSTER_TLS_KEY "${keyFile}" is not a private key in PEM form without a passphrase`)
  }
  if (!isPair({ key, cert })) {
    throw new StartError(`MUSTER_TLS_KEY "${keyFile}" is not the private key of MUSTER_TLS_CERT "${certFile}"`)
  }
  return { key, cert, ca: [cert, ...rootCertificates].join('\n'), caFile: certFile }
}

async function readPem(variable: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new StartError(`${variable} "${file}" cannot be read (${codeOf(cause)})`, { cause })
  }
}

async function ownTls({ dataDir, hostNames }: Pick<Config, 'dataDir' | 'hostNames'>, now: Date): Promise<Tls> {
  const folder = join(dataDir, 'tls')
  const caFile = join(folder, 'ca.pem')
  try {
    await makeFolder(folder)
    const authority = parseBundle(
      await keep(join(folder, 'ca-key.pem'), async () => formatBundle(await makeAuthority(now))),
    )
    if ((await readIfPresent(caFile)) !== authority.cert) await replace(caFile, authority.cert, 0o644)
    const server = await currentServer(join(folder, 'server-key.pem'), authority, hostNames, now)
    return { ...server, ca: authority.cert, caFile }
  } catch (cause) {
    throw new StartError(`the certificates in "${folder}" cannot be kept (${codeOf(cause)}): set MUSTER_DATA_DIR`, {
      cause,
    })
  }
}

async function currentServer(
  file: string,
  authority: Bundle,
  hostNames: readonly string[],
  now: Date,
): Promise<Bundle> {
  const stored = await readIfPresent(file)
  if (stored !== null && isCurrent(parseBundle(stored), authority, hostNames, now)) return parseBundle(stored)
  const made = await makeServer(authority, hostNames, now)
  await replace(file, formatBundle(made), 0o600)
  return made
}

/** The text of the file; made when it is missing. When several processes make it at once, one wins, and all read the same. */
async function keep(file: string, make: () => Promise<string>): Promise<string> {
  const present = await readIfPresent(file)
  if (present !== null) return present
  const temporary = await writeBeside(file, await make(), 0o600)
  await link(temporary, file).catch((error) => {
    if (codeOf(error) !== 'EEXIST') throw error
  })
  await rm(temporary)
  return readFile(file, 'utf8')
}

async function replace(file: string, text: string, mode: number): Promise<void> {
  await rename(await writeBeside(file, text, mode), file)
}

async function writeBeside(file: string, text: string, mode: number): Promise<string> {
  const temporary = `${file}.${randomUUID()}`
  await writeFile(temporary, text, { mode, flag: 'wx' })
  return temporary
}

async function readIfPresent(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch((error) => {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
