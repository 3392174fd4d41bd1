/**
 * The name under which aedes knows a topic filter. Of equal filters in one SUBSCRIBE aedes answers only one, and a wildcard in a wrong
 * place makes it end the connection. So all aliases differ, and none has a wildcard.
 */
export function aliasOf(filter: string, index: number): string {
  return `${index}/${encodeURIComponent(filter)}`
}

export function filterOf(alias: string): string {
  return decodeURIComponent(alias.slice(alias.indexOf('/') + 1))
}
