import {
  clip,
  HubError,
  type JobType,
  jobEventKinds,
  knownJobTypes,
  limits,
  parseBody,
  parseJobType,
} from '@muster/contract'
import { webhookKeyBytes } from '@muster/runtime'
import type { WebhookDraft } from '@muster/store'
import { z } from 'zod'

const secretRule = `${limits.webhookSecretLengthMin} to ${limits.webhookSecretLengthMax} characters, or whsec_ and the base64 of at least ${limits.webhookSecretLengthMin} bytes`

/** The members of the body of a webhook. */
export const webhookBodySchema = z.object({
  url: z.string().max(limits.webhookUrlLength),
  events: z
    .enum(jobEventKinds)
    .array()
    .refine((kinds) => kinds.length > 0, 'a list of at least one kind, or absent for all')
    .nullish(),
  jobFilter: z
    .object({
      jobIdPrefix: z.string().min(1).max(limits.jobIdLength).nullish(),
      type: z.string().nullish(),
    })
    .nullish(),
  secret: z.string().nullish(),
})

/** The webhook that a path names. @throws HubError ArgumentInvalid for a text that is no id of a webhook */
export function parseWebhookId(text: string): string {
  if (/^[A-Za-z0-9][\w.-]{0,63}$/.test(text)) return text
  throw new HubError('ArgumentInvalid', {
    message: `id must be 1 to 64 ASCII letters, digits and - . _, and begin with a letter or a digit, got "${clip(text)}"`,
  })
}

/** @throws HubError of status 400 that names the member, its value and what was expected; never the secret. */
export function parseWebhookBody(webhookId: string, body: unknown): WebhookDraft {
  const { url, events, jobFilter, secret } = parseBody(webhookBodySchema, body)
  return {
    webhookId,
    url: readUrl(url),
    kinds: events == null ? null : [...new Set(events)],
    jobIdPrefix: jobFilter?.jobIdPrefix ?? null,
    jobType: readType(jobFilter?.type),
    secret: readSecret(secret),
  }
}

/** As it is written out: a host such as 0x7f.1 becomes 127.0.0.1. */
function readUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new HubError('ArgumentInvalid', {
      message: `url must begin with https:// or http:// and name a host, got "${clip(text)}"`,
    })
  }
  if (url.username !== '' || url.password !== '') {
    throw new HubError('ArgumentInvalid', {
      message: 'url must hold no user name and no password; the signature of a call tells who sends it',
    })
  }
  if (url.hash !== '') {
    throw new HubError('ArgumentInvalid', { message: `url must have no part after #, got "${clip(url.hash)}"` })
  }
  return url.href
}

function readType(text: string | null | undefined): JobType | null {
  if (text == null) return null
  const type = parseJobType(text)
  if (type !== null) return type
  throw new HubError('ArgumentInvalid', {
    message: `jobFilter.type must be one of ${knownJobTypes.join(', ')}, got "${clip(text)}"`,
  })
}

/** Null: the webhook keeps the one that it has. */
function readSecret(text: string | null | undefined): string | null {
  if (text == null) return null
  const isLong = text.length >= limits.webhookSecretLengthMin && text.length <= limits.webhookSecretLengthMax
  const bytes = webhookKeyBytes(text)
  if (isLong && bytes !== null && bytes.length >= limits.webhookSecretLengthMin) return text
  throw new HubError('ArgumentInvalid', {
    message: `secret must have ${secretRule}, got one of ${text.length} characters`,
  })
}
