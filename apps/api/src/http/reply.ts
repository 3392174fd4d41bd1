import { writeJson } from '@muster/contract'

export function jsonReply(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return jsonTextReply(status, writeJson(body), headers)
}

/** The SDKs parse a body only when its content type says JSON. */
export function jsonTextReply(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(body, {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  })
}
