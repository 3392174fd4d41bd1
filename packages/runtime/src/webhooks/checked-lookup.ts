import type { LookupFunction } from 'node:net'
import { toError } from '@muster/contract'
import pLimit from 'p-limit'

/** A name as addresses. Rejects when there is none. */
export type Resolve = (hostname: string) => Promise<readonly { readonly address: string; readonly family: number }[]>

/** The message says which address was refused. */
export class RefusedAddressError extends Error {
  override readonly name = 'RefusedAddressError'
}

export function notAllowed(address: string): string {
  return `the address ${address} is not allowed`
}

/** A lookup of a slow name holds one of the four threads of the process, which it needs for its stores and files too. */
const lookupsAtOnce = 2

/** Looks up two names at a time, and each once at a time. */
export function fewAtOnce(resolve: Resolve): Resolve {
  const limit = pLimit(lookupsAtOnce)
  const underWay = new Map<string, ReturnType<Resolve>>()
  return (hostname) => {
    const known = underWay.get(hostname)
    if (known !== undefined) return known
    const found = limit(() => resolve(hostname)).finally(() => underWay.delete(hostname))
    underWay.set(hostname, found)
    return found
  }
}

/**
 * For a socket, which connects to the very addresses that were checked: a name that means something else a moment later gains nothing. One
 * address that is not allowed refuses the name.
 */
export function checkedLookup(resolve: Resolve, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname)
      .then((addresses) => {
        const refused = addresses.find(({ address }) => !isAllowed(address))
        if (refused !== undefined) throw new RefusedAddressError(notAllowed(refused.address))
        const [first] = addresses
        if (first === undefined) throw new RefusedAddressError('the name has no address')
        if (options.all === true) callback(null, [...addresses])
        else callback(null, first.address, first.family)
      })
      .catch((error: unknown) => callback(toError(error), ''))
  }
}
