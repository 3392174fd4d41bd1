const month31 = '(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])'
const month30 = '(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)'
const february = '02-(?:0[1-9]|1[0-9]|2[0-8])'
const leapYear = '(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)'
const date = `(?:[0-9]{4}-(?:${month31}|${month30}|${february})|${leapYear}-02-29)`
const zone = '(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])'
const time = `T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]+)?)?${zone}?`

/**
 * ISO 8601 as the language reads it: a date of the calendar from year 1 on, an optional time, an optional fraction, `Z` or an
 * offset. JavaScript and Postgres use the same pattern and read it alike. So both agree on which texts are instants, and Postgres
 * casts no other text.
 */
export const instantPattern = `^(?!0000)${date}(?:${time})?$`

const instantRegExp = new RegExp(instantPattern)

/** Microseconds since 1970, the resolution of Postgres; further digits are cut. No zone is UTC. Undefined: no instant. */
export function instantOf(text: string): bigint | undefined {
  if (!instantRegExp.test(text)) return undefined
  const fraction = /[.]([0-9]+)/.exec(text)?.[1] ?? ''
  const whole = withZone(text.replace(/[.][0-9]+/, ''))
  return BigInt(Date.parse(whole)) * 1000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'))
}

/** The text of an instant in the form that Postgres casts to the same instant whatever its time zone setting. */
export function instantText(text: string): string | undefined {
  return instantRegExp.test(text) ? withZone(text.replace(/([.][0-9]{6})[0-9]+/, '$1')) : undefined
}

function withZone(text: string): string {
  if (!text.includes('T')) return `${text}T00:00Z`
  return /(?:Z|[+-]..:..)$/.test(text) ? text : `${text}Z`
}
