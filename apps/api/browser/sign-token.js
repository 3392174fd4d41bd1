/**
 * Signs a token for the service API with the key of a connection string, as the SDKs do. The key does not leave the browser.
 * Throws an Error that says what is wrong with the text.
 */
export async function signToken(connectionString, { nowMs = Date.now(), seconds = 3600 } = {}) {
  const { hostname, sharedaccesskeyname: policy, sharedaccesskey: key } = membersOf(connectionString)
  if (!hostname || !policy || !key) {
    throw new Error('expected HostName=...;SharedAccessKeyName=...;SharedAccessKey=..., as the hub prints it')
  }
  /* A browser has it for pages that came over TLS, or from this machine. */
  if (!globalThis.crypto?.subtle) throw new Error('a browser signs only for https or localhost; open this page there')
  const resource = encodeURIComponent(hostname)
  const expiry = Math.floor(nowMs / 1000) + seconds
  const signature = await sign(key, `${resource}\n${expiry}`)
  return `SharedAccessSignature sr=${resource}&sig=${signature}&se=${expiry}&skn=${encodeURIComponent(policy)}`
}

/** Names in lower case. A key ends in `=`, so only the first one separates. */
function membersOf(connectionString) {
  const members = connectionString.trim().split(';')
  return Object.fromEntries(
    members.map((member) => {
      const end = member.indexOf('=')
      return [member.slice(0, end).trim().toLowerCase(), member.slice(end + 1).trim()]
    }),
  )
}

async function sign(key, text) {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const secret = await crypto.subtle.importKey('raw', bytesOf(key), algorithm, false, ['sign'])
  const signature = await crypto.subtle.sign('HMAC', secret, new TextEncoder().encode(text))
  return encodeURIComponent(btoa(String.fromCharCode(...new Uint8Array(signature))))
}

function bytesOf(base64) {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  } catch {
    throw new Error('SharedAccessKey is no base64')
  }
}
