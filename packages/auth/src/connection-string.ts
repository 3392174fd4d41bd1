/** The parts of `HostName=...;SharedAccessKeyName=...;SharedAccessKey=...`, for a service, a device or a module. */
export interface ConnectionString {
  readonly hostName: string
  readonly sharedAccessKeyName?: string
  /** Base64. */
  readonly sharedAccessKey?: string
  readonly deviceId?: string
  readonly moduleId?: string
  /** The host to connect to, if it is not `hostName`. It may have a port. */
  readonly gatewayHostName?: string
}

/**
 * Reads a connection string; members may come in any order.
 * Throws a TypeError that names the wrong member. It never shows a value, which could be the key.
 */
export function parseConnectionString(text: string): ConnectionString {
  const values = new Map<Property, string>()
  for (const [index, member] of text.trim().replace(/;$/, '').split(';').entries()) {
    const [property, value] = parseMember(member, index + 1)
    if (values.has(property)) throw new TypeError(`The connection string has ${wireNames[property]} twice`)
    values.set(property, value)
  }
  const hostName = values.get('hostName')
  if (hostName === undefined) throw new TypeError('The connection string has no HostName')
  return { ...Object.fromEntries(values), hostName }
}

/** Writes the form that the SDKs read. Throws a TypeError when a value has a `;`, which this form cannot have. */
export function formatConnectionString(connectionString: ConnectionString): string {
  return properties
    .flatMap((property) => {
      const value = connectionString[property]
      if (value === undefined) return []
      if (value.includes(';'))
        throw new TypeError(`A connection string cannot hold a ${wireNames[property]} with a ";"`)
      return [`${wireNames[property]}=${value}`]
    })
    .join(';')
}

type Property = keyof ConnectionString

const properties = [
  'hostName',
  'deviceId',
  'moduleId',
  'sharedAccessKeyName',
  'sharedAccessKey',
  'gatewayHostName',
] as const satisfies readonly Property[]

const wireNames: Readonly<Record<Property, string>> = {
  hostName: 'HostName',
  deviceId: 'DeviceId',
  moduleId: 'ModuleId',
  sharedAccessKeyName: 'SharedAccessKeyName',
  sharedAccessKey: 'SharedAccessKey',
  gatewayHostName: 'GatewayHostName',
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function parseMember(member: string, position: number): readonly [Property, string] {
  const equals = member.indexOf('=')
  const property = properties.find((candidate) => wireNames[candidate] === member.slice(0, equals))
  // The error gives the position of an unknown name, and not the name: somebody may have pasted a bare key there.
  if (equals < 0 || property === undefined) {
    const expected = Object.values(wireNames).join(', ')
    throw new TypeError(`Member ${position} of the connection string is none of ${expected} followed by "="`)
  }
  const value = member.slice(equals + 1)
  if (value === '') throw new TypeError(`${wireNames[property]} in the connection string is empty`)
  if (property === 'sharedAccessKey' && !base64.test(value)) {
    throw new TypeError('SharedAccessKey in the connection string is not base64')
  }
  return [property, value]
}
