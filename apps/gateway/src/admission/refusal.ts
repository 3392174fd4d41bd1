/** Why a CONNECT is refused, with the return code of the CONNACK. SDKs retry after 3 and give up after 2, 4 and 5. */
const returnCodes = {
  /** The client id is no id, or not the one of the user name. */
  clientId: 2,
  stopping: 3,
  busy: 3,
  throttled: 3,
  timeout: 3,
  failed: 3,
  /** A newer connection of the same identity came while this one was opening. */
  takeover: 3,
  /** The device went away while its connection was opening. Nobody reads the code. */
  gone: 3,
  userName: 4,
  hostName: 4,
  unknown: 5,
  disabled: 5,
  token: 5,
  /** There is no certificate, it is not registered, or the registry asks for one that an authority has signed. */
  certificate: 5,
  /** The token or the certificate has expired, or the certificate is not yet valid. */
  expired: 5,
} as const

export type RefusalReason = keyof typeof returnCodes

export function returnCodeOf(reason: RefusalReason): 2 | 3 | 4 | 5 {
  return returnCodes[reason]
}
