import { createHash } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'

/**
 * A fingerprint identifies a credential and does not reveal it. A connection remembers the fingerprint of the credential that opened
 * it. The same key of a policy and of a device are two credentials. For a device the policy is null.
 */
export function keyFingerprint(key: string, policyName: string | null): string {
  return hash(policyName === null ? `key ${key}` : `policy ${key} ${policyName}`)
}

/** The fingerprint of a certificate, from its SHA-1 or SHA-256 in upper case. */
export function thumbprintFingerprint(thumbprint: string): string {
  return hash(`thumbprint ${thumbprint}`)
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** SQL of the fingerprints that now open a connection of the device or module `d`: an array, with nulls. */
export const validFingerprints = sql`
  case d.authentication_type
  when 'certificateAuthority' then array[]::text[]
  when 'selfSigned' then array[
    ${hashed(sql`'thumbprint ' || upper(d.primary_thumbprint)`)},
    ${hashed(sql`'thumbprint ' || upper(d.secondary_thumbprint)`)}]
  else array[
    ${hashed(sql`'key ' || d.primary_key`)},
    ${hashed(sql`'key ' || d.secondary_key`)}]
    || array(
      select ${hashed(sql`'policy ' || key || ' ' || p.name`)}
        from policies p, unnest(array[p.primary_key, p.secondary_key]) as key
       where 'DeviceConnect' = any(p.permissions))
  end`

function hashed(text: SQL): SQL {
  return sql`encode(sha256(convert_to(${text}, 'UTF8')), 'hex')`
}
