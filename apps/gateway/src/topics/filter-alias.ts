/**
 * The name under which aedes knows a topic filter. Of equal filters in one SUBSCRIBE it would answer only one, and it would end
 * the connection for wildcards in a wrong place: the aliases are all different, and none holds a wildcard.
 */
export function aliasOf(filter: string, index: number): string {
  return `${index}/${encodeURIComponent(filter)}`
}

export function filterOf(alias: string): string {
  return decodeURIComponent(alias.slice(alias.indexOf('/') + 1))
}
