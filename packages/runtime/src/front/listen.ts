import type { Server } from 'node:net'
import { StartError } from '../config/start-error.ts'

export interface Endpoint {
  /** The variable that sets the port, for messages. */
  readonly name: string
  /** 0: any free port. */
  readonly port: number
  /** The address, and the variable that sets it. Absent, or `::`: every address, IPv6 and IPv4, where there are both. */
  readonly host?: { readonly name: string; readonly address: string }
  /** The port to use when 443 needs privileges that this process lacks. */
  readonly unprivileged?: number
}

/** Resolves with the bound port. Throws StartError when it is in use or this process may not bind it. */
export async function listen(server: Server, endpoint: Endpoint): Promise<number> {
  const { name, port, host, unprivileged } = endpoint
  try {
    return await bind(server, port, host?.address)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : String(cause)
    if (code === 'EACCES' && port === 443 && unprivileged !== undefined) {
      return listen(server, { name, port: unprivileged, ...(host === undefined ? {} : { host }) })
    }
    const reasons = new Map<unknown, string>([
      ['EADDRINUSE', 'is already in use: stop the program that holds it, or set'],
      ['EACCES', 'needs privileges that this process lacks: set'],
      [
        'EADDRNOTAVAIL',
        `cannot be opened on ${host?.address}, which is no address of this machine: set ${host?.name} or`,
      ],
    ])
    const other =
      host === undefined
        ? `cannot be opened (${code}): set`
        : `cannot be opened on ${host.address} (${code}): set ${host.name} or`
    throw new StartError(`port ${port} ${reasons.get(code) ?? other} ${name}`, { cause })
  }
}

function bind(server: Server, port: number, address: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // Without an address, Node uses IPv4 where there is no IPv6.
    server.listen(address === undefined || address === '::' ? { port } : { port, host: address }, () => {
      server.off('error', reject)
      const bound = server.address()
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port)
    })
  })
}
